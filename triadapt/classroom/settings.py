"""What a teacher sets for a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from triadapt.classroom.controls import CONTROLS
from triadapt.config import ConfigError, put_value, suggest, validated
from triadapt.config import RunConfig as _RunConfig
from triadapt.lessons.registry import LESSONS
from triadapt.methods.registry import METHODS
from triadapt.page_names import PAGES as ALL_PAGES
from triadapt.runs.bundle import recorded_races
from triadapt.runs.library import is_race_id, is_run_id

PAGES = ("learn", *(name for name, page in ALL_PAGES.items() if page.in_class and name != "learn"))
"""Pages that a class may see; the first of those chosen is where it begins without Play."""
Value = str | int | float | list[str]


def _known_page(value: str) -> str:
    if value not in PAGES:
        raise ValueError(f"no page that a class may see; {suggest(value, PAGES)}known: {', '.join(PAGES)}")
    return value


KnownPage = Annotated[str, AfterValidator(_known_page)]


class ClassSettings(BaseModel):
    """A class. `locked` holds values of controls by name, as in the address; `method` has a list."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    title: str = Field("Our class", min_length=1, max_length=120, description="What the class is called.")
    lesson: str = Field("", description="Lesson to open at; empty: none.")
    run: str = Field("", description="Run, race or recorded race to show on Play; empty: what there is.")
    pages: list[KnownPage] = Field(["learn", "play"], min_length=1, description="Pages that students see.")
    hidden: list[str] = Field([], max_length=100, description="Controls of Play that students do not see.")
    locked: dict[str, Value] = Field({}, description="Controls of Play that stand still, with their values.")
    training: bool = Field(True, description="Whether students may train.")

    @field_validator("lesson")
    @classmethod
    def _known_lesson(cls, value: str) -> str:
        if value and value not in LESSONS:
            raise ValueError(f"unknown lesson; {suggest(value, LESSONS)}known: {', '.join(LESSONS)}")
        return value

    @field_validator("run")
    @classmethod
    def _form_of_a_run(cls, value: str) -> str:
        if value and not (is_race_id(value) or is_run_id(value) or value in {race.slug for race in recorded_races()}):
            raise ValueError("not the id of a run or race, nor the name of a recorded race")
        return value

    @field_validator("hidden")
    @classmethod
    def _known_controls(cls, value: list[str]) -> list[str]:
        if lines := [f"hidden = {name[:60]!r}: {_no_control(name)}" for name in value if name not in CONTROLS]:
            raise ConfigError(lines)
        return value

    @field_validator("locked")
    @classmethod
    def _possible_values(cls, value: dict[str, Value]) -> dict[str, Value]:
        if lines := [
            f"locked.{name[:60]} = {repr(one)[:60]}: {_no_control(name)}"
            for name, one in value.items()
            if name not in CONTROLS
        ]:
            raise ConfigError(lines)
        data: dict[str, Any] = {}
        for name, one in value.items():
            if name == "method":
                _check_methods(one)
            else:
                put_value(data, name, one)
        validated(_RunConfig, data)
        return value


def _no_control(name: str) -> str:
    return f"no control of Play; {suggest(name, CONTROLS)}take it out, or name one such as warmup"


def _check_methods(value: Value) -> None:
    if not isinstance(value, list) or not value or not set(value) <= set(METHODS):
        raise ValueError(f"method = {value!r}: give a list of {', '.join(METHODS)}")


def parse_class(data: Mapping[str, Any]) -> ClassSettings:
    """Validate plain values. Raises ConfigError with one line a wrong field."""
    return validated(ClassSettings, data)


__all__ = ["PAGES", "ClassSettings", "ConfigError", "Value", "parse_class"]
