"""RunConfig: every choice of a run, validated, TOML in and out, one line for each wrong field."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator

from triadapt.errors import ConfigError, suggest
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import ELSEWHERE, KNOWN_TASKS, TASKS

__all__ = [
    "AllocationConfig", "ConfigError", "RunConfig", "data_problems", "load_toml", "parse_allocation", "parse_config",
    "put_value", "read_toml", "set_value", "suggest", "validated",
]  # fmt: skip

GrowthMode = Literal["linear", "non-linear", "fixed"]
Config = TypeVar("Config", bound=BaseModel)


class _AllocationConfig(BaseModel):
    """What decides about rank: the method, its schedule and its budget.

    Steps are optimizer steps counted from 0. The budget is in ranks: `reference_rank` a matrix on average, so the
    target total rank is `reference_rank * number of matrices`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    method: str = Field("triadaptlora", description="Name of the method.")
    steps: int = Field(600, ge=1, le=1_000_000, description="Optimizer steps of the run.")
    seed: int = Field(7, ge=0, lt=2**31, description="Seed of data order, initialisation and planted truth.")
    lr_schedule: Literal["linear", "constant"] = Field("linear", description="Linear decay to 0, or constant.")
    reference_rank: int = Field(2, ge=1, le=256, description="Budget: average rank a matrix at the end.")
    alpha: float = Field(8.0, gt=0, le=4096, description="Scale of the update is alpha / reference_rank, constant.")
    warmup: int = Field(60, ge=0, description="No rank event up to and including this step.")
    interval: int = Field(20, ge=1, description="Steps between two rank events.")
    growth: GrowthMode = Field("linear", description="How many matrices may grow at an event.")
    top_h: int = Field(2, ge=1, description="Matrices a growth event when the mode is fixed, and for IncreLoRA.")
    adapter_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of every adapter.")
    add_r: int = Field(1, ge=1, le=64, description="Ranks a matrix gains when it grows.")

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        return _one_of(value, METHODS, "method")

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        # A section may offer `check(config)` for what one field cannot know of the others.
        lines = [line for section in self._sections() if hasattr(section, "check") for line in section.check(self)]
        if lines:
            raise ConfigError(lines)
        return self

    def _sections(self) -> list[BaseModel]:
        return [self.method_settings]

    @property
    def method_settings(self) -> BaseModel:
        """The section of this run's method."""
        return cast(BaseModel, getattr(self, self.method))


class _RunConfig(_AllocationConfig):
    """What one run does. A race is several of these that differ in `method` only."""

    task: str = Field("planted", description="Name of the task.")
    learning_rate: float = Field(5e-3, gt=0, le=10, description="Peak learning rate of AdamW.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW weight decay of the adapter.")
    lr_warmup: int = Field(0, ge=0, description="Steps over which the learning rate rises to its peak.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradient clipping by global norm; 0 turns it off.")
    batch_size: int = Field(32, ge=1, le=4096, description="Rows a step.")
    eval_every: int = Field(25, ge=1, description="Steps between two evaluations.")
    scores_every: int = Field(10, ge=1, description="Steps between two recordings of the importance scores.")
    geometry_every: int = Field(50, ge=1, description="Steps between two recordings of singular values and cores.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="What products are computed in; bfloat16 is autocast, weights that train stay float32."
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto takes cuda, then mps, cpu.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads of training; 0 lets the task choose.")

    @field_validator("task")
    @classmethod
    def _known_task(cls, value: str) -> str:
        return value if value in KNOWN_TASKS else _one_of(value, TASKS, "task")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            spec = KNOWN_TASKS.get(str(data.get("task", "planted")))
            if spec is not None:
                return {**spec.defaults, **data}
        return data

    @model_validator(mode="after")
    def _rate_reaches_its_peak(self) -> Self:
        if self.lr_warmup >= self.steps:
            raise ConfigError(
                [f"lr_warmup = {self.lr_warmup}: must be below steps = {self.steps}, else the peak is never reached"]
            )
        return self

    def _sections(self) -> list[BaseModel]:
        # A training from elsewhere may have come without its schedule; there is nothing to agree with then.
        known = self.task != ELSEWHERE.name or "warmup" in self.model_fields_set
        return [*([self.method_settings] if known else []), self.task_settings]

    @property
    def task_settings(self) -> BaseModel:
        """The section of this run's task."""
        return cast(BaseModel, getattr(self, self.task))

    def for_method(self, method: str) -> Self:
        """The same run with another method."""
        return cast(Self, parse_config({**self.model_dump(), "method": method}))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the sections of this method and this task only. Of a training from elsewhere, those that
        were set: nobody knows the others."""
        unused = (set(METHODS) | set(KNOWN_TASKS)) - {self.method, self.task}
        return self.model_dump(exclude=unused, exclude_unset=self.task == ELSEWHERE.name)

    def to_toml(self) -> str:
        """The configuration as TOML text that `load_toml` reads back to an equal one."""
        return tomli_w.dumps(self.as_dict())


def _one_of(value: str, known: Mapping[str, object], what: str) -> str:
    if value not in known:
        raise ValueError(f"unknown {what}; {suggest(value, known)}known: {', '.join(known)}")
    return value


def _sections_of(registry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: (spec.settings_class(), Field(default_factory=spec.settings_class())) for name, spec in registry.items()
    }


# Each method and each task brings a section of its own; the registries are the only place that lists them.
if TYPE_CHECKING:
    AllocationConfig = _AllocationConfig
    RunConfig = _RunConfig
else:
    AllocationConfig = create_model("AllocationConfig", __base__=_AllocationConfig, **_sections_of(METHODS))
    RunConfig = create_model(
        "RunConfig", __base__=(_RunConfig, AllocationConfig), **_sections_of({**METHODS, **KNOWN_TASKS})
    )


def parse_config(data: Mapping[str, Any]) -> RunConfig:
    """Validate plain values. Raises ConfigError with one line a wrong field."""
    return validated(RunConfig, data)


def data_problems(config: RunConfig) -> list[str]:
    """One line for each thing that is wrong with the files that a run would read. Cheap; see `TaskSpec.glance`."""
    return KNOWN_TASKS[config.task].data_problems(config.task_settings)


def parse_allocation(data: Mapping[str, Any]) -> AllocationConfig:
    """The same for what decides about rank alone, for training that is not ours."""
    return validated(AllocationConfig, data)


def validated(kind: type[Config], data: Mapping[str, Any]) -> Config:
    """Plain values as a `kind`. Raises ConfigError with one line a wrong field."""
    try:
        return kind.model_validate(dict(data))
    except ValidationError as error:
        lines: list[str] = []
        for detail in error.errors():
            cause = detail.get("ctx", {}).get("error")
            lines += cause.lines if isinstance(cause, ConfigError) else [_line(kind, detail)]
        raise ConfigError(lines) from None


def _line(kind: type[BaseModel], detail: Any) -> str:
    path = [str(part) for part in detail["loc"]]
    name = ".".join(path) or "configuration"
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if detail["type"] == "extra_forbidden":
        section = kind.model_fields
        known: Mapping[str, object] = section
        if len(path) > 1 and path[0] in section:
            known = cast(type[BaseModel], section[path[0]].annotation).model_fields
        return f"{name}: unknown field; {suggest(path[-1], known)}known: {', '.join(known)}"
    return f"{name} = {detail['input']!r}: {message}"


def read_toml(text: str) -> dict[str, Any]:
    """Plain values of a TOML text. Raises ValueError that says what is wrong: no TOML, or a number that it has not."""
    try:
        data = tomllib.loads(text)
        too_large = next((value for value in _whole_numbers(data) if not -(2**63) <= value < 2**63), None)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if too_large is not None:
        raise ValueError(f"a whole number of {too_large.bit_length()} bits; TOML has 64")
    return data


def _whole_numbers(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _whole_numbers(inner)


def load_toml(path: Path) -> dict[str, Any]:
    """Plain values of a TOML file. Raises ConfigError when it cannot be read or is not TOML."""
    try:
        return read_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: not a UTF-8 text file"]) from None
    except ValueError as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from None


def set_value(data: dict[str, Any], assignment: str) -> None:
    """Apply one `key=value` of the command line to plain values, in place; a dot in the key enters a section.

    The value is read as TOML where it is TOML (numbers, true, quoted text) and as text otherwise. Raises ConfigError.
    """
    key, separator, text = assignment.partition("=")
    if not separator or not key.strip():
        raise ConfigError([f"--set {assignment!r}: expected key=value"])
    try:
        value = read_toml(f"value = {text.strip()}")["value"]
    except ValueError:
        value = text.strip()
    in_the_way = put_value(data, key.strip(), value)
    if in_the_way is not None:
        raise ConfigError([f"--set {assignment!r}: {in_the_way[0]} is a value, not a section"])


def put_value(data: dict[str, Any], name: str, value: Any) -> tuple[str, Any] | None:
    """Set a value of nested tables by its dotted name, in place. Returns name and value of a section that is no table,
    where nothing could be set."""
    *sections, last = name.split(".")
    for section in sections:
        inner = data.setdefault(section, {})
        if not isinstance(inner, dict):
            return section, inner
        data = inner
    data[last] = value
    return None
