"""The message from which the browser draws the learn page."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from safetensors import safe_open

from triadapt.config import RunConfig
from triadapt.glossary import glossary_table
from triadapt.lessons.races import RACES, SMALL, race_labels
from triadapt.lessons.recordings import CHANGE_FILE, FOLDER, recorded_lesson
from triadapt.lessons.registry import LESSONS, PARTS, mark
from triadapt.lessons.wrong import PRESETS
from triadapt.methods.registry import METHODS
from triadapt.runs.bundle import Readable
from triadapt.runs.info import RunError
from triadapt.views.frames import pack
from triadapt.views.lessons.runs import lesson_run

HEADINGS = {"lesson": "Lesson {mark}. {title}", "capstone": "Capstone. {title}", "wrong": "Find what is wrong. {title}",
            "words": "{title}"}  # fmt: skip


def learn_message(
    slug: str,
    *,
    visit: int,
    house: dict[str, Any],
    live: dict[str, Any] | None = None,
    heeded: int = 0,
    problem: str = "",
) -> bytes:
    """Bytes of the message about lesson `slug`.

    visit: counts the times that the server leads the browser to a lesson. house: `base`, the path of the app on its
    server, `may_train`, `pages` that this reader sees, `code` of a class that links have to carry. live: the race
    trained for this reader, as `live_part` makes it. heeded: the newest wish for a race that was dealt with. problem:
    one line on why that of this lesson was not granted.
    """
    lessons = [
        {
            "slug": lesson.slug, "title": lesson.title, "part": lesson.part, "minutes": lesson.minutes,
            "module": lesson.script, "mark": mark(lesson),
            "heading": HEADINGS[lesson.part].format(mark=mark(lesson), title=lesson.title),
        }
        for lesson in LESSONS.values()
    ]  # fmt: skip
    spec = {
        "lessons": lessons, "groups": [{"part": part, "title": title} for part, title in PARTS.items()],
        "seed": SMALL["seed"], "glossary": _words(), **house,
    }  # fmt: skip
    data = {**_recorded(slug), **_of_lesson(slug), "live": live, "heeded": heeded, "problem": problem}
    return pack({"v": 1, "spec": spec, "visit": visit, "lesson": slug, "data": data})


def live_part(slug: str, runs: list[Readable], *, turn: int, status: dict[str, Any]) -> dict[str, Any]:
    """The race trained for a reader. turn: the request that it answers. status: `over`, `message`, `error`, `seed`."""
    drawn = [lesson_run(run, label) for run, label in zip(runs, race_labels(slug), strict=True)]
    return {"turn": turn, **status, "runs": drawn}


@functools.cache
def _words() -> dict[str, dict[str, str]]:
    """Terms by their name in small letters, for what is said of a term under the mouse."""
    kept = ("term", "meaning", "shape", "address", "lesson")
    return {row["term"].lower(): {key: row[key] for key in kept} for row in glossary_table()}


@functools.lru_cache(maxsize=32)
def _recorded(slug: str) -> dict[str, Any]:
    try:
        runs = recorded_lesson(slug)
    except RunError as error:
        return {"recorded": None, "broken": str(error)}
    if not runs:
        return {"recorded": None}
    return {"recorded": {"runs": [lesson_run(run, label) for run, label in zip(runs, race_labels(slug), strict=True)]}}


@functools.lru_cache(maxsize=32)
def _of_lesson(slug: str) -> dict[str, Any]:
    if slug == "low-rank":
        return {"change": _full_change()}
    if slug in ("importance", "threshold"):
        return {"scores_of": _recorded("prune-or-grow")["recorded"]}
    if slug == "prune-or-grow" and (race := _recorded("one-rank")["recorded"]):
        return {"even_end": float(race["runs"][0]["metrics"]["value"][-1])}
    if slug == "glossary":
        return {"terms": glossary_table()}
    if slug == "capstone":
        free = {name: list(bounds) for name, bounds in RACES[slug].free.items()}
        return {"free": free, "defaults": _defaults(RACES[slug].configs({})[0])}
    if slug in PRESETS:
        preset = PRESETS[slug]
        suspects = [{"name": one.name, "label": one.label, "verdict": one.verdict} for one in preset.suspects]
        return {
            "preset": {
                "symptom": preset.symptom, "blame": preset.blame, "explanation": preset.explanation,
                "shows": list(preset.shows), "suspects": suspects,
                "meanings": {name: _meaning(name) for name in preset.shows},
            }
        }  # fmt: skip
    return {}


def _meaning(name: str) -> str:
    """What a field of a configuration is, by its dotted name."""
    section, _, last = name.rpartition(".")
    fields = METHODS[section].settings_class().model_fields if section else RunConfig.model_fields
    return fields[last].description or ""


def _defaults(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in config.as_dict().items() if isinstance(value, int | float | str)}


def _full_change() -> dict[str, Any]:
    """What full fine-tuning changed, `lessons/full_change.py`."""
    with safe_open(str(FOLDER / CHANGE_FILE), framework="numpy") as file:
        planted = file.get_tensor("planted").astype(np.float32)
        return {
            "metric": float(file.get_tensor("metric")[0]), "columns": planted.shape[1], "values": planted,
            "norms": file.get_tensor("norms"),
        }  # fmt: skip
