"""What the lab says about its inputs: the arithmetic of the steps, and what speaks against each line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from triadapt.growth.lints import Lint, lints_of_values
from triadapt.views.lab.inputs import NUMBERS, Meant, allocation_values, lines, meaning

OF_BOTH = {"triadaptlora.behaviour": "behaviour", "increlora.behaviour": "behaviour"}
WORDS = {name: one.label[:1].lower() + one.label[1:] for name, one in NUMBERS.items()} | {
    "adalora.init_rank_ratio": "AdaLoRA's start / budget",
    "adalora.final_share": "AdaLoRA's final share",
    **dict.fromkeys(OF_BOTH, "behaviour"),
}


def findings(values: Mapping[str, Any], meant: Meant | None = None) -> list[dict[str, Any]]:
    """What speaks against the lines of the lab, as `merged` has it, with the names of its inputs."""
    meant = meant or meaning(values)
    shapes = meant.matrices.shapes
    smallest = min(map(min, shapes)) if shapes else None
    found = merged(
        (line.label, lint)
        for line in lines(values)
        for lint in lints_of_values(
            allocation_values(values, meant.steps, line.method, line.growth),
            matrices=meant.matrices.count, smallest=smallest, counted=meant.counted,
        )
    )  # fmt: skip
    for finding in found:
        finding["changes"] = {OF_BOTH.get(name, name): value for name, value in finding["changes"].items()}
    return found


def merged(found: Iterable[tuple[str, Lint]]) -> list[dict[str, Any]]:
    """Each finding once: `labels` of what it is about, `code`, `message`, `changes` of fields under which it is gone,
    and `fix`, those in words (empty where there are none)."""
    each: dict[tuple[str, str], dict[str, Any]] = {}
    for label, lint in found:
        empty = {"labels": [], "code": lint.code, "message": lint.message, "changes": {}, "fix": ""}
        entry = each.setdefault((lint.code, lint.message), empty)
        entry["labels"].append(label)
        if not entry["changes"] and lint.changes:
            entry["changes"], entry["fix"] = dict(lint.changes), fix_words(lint.changes)
    return list(each.values())


def fix_words(changes: Mapping[str, Any]) -> str:
    """`Set warm-up to 60 and interval to 10`."""
    parts = [f"{WORDS.get(name, name)} to {value:g}" if isinstance(value, int | float) else
             f"{WORDS.get(name, name)} to {value}" for name, value in changes.items()]  # fmt: skip
    return f"Set {' and '.join(parts)}" if parts else ""


def answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows beside the picture: `findings`, `problems` (one line for each input that means nothing),
    `counting` (the arithmetic of the steps in one line, or empty), `steps` and `matrices`."""
    meant = meaning(values)
    return {
        "findings": findings(values, meant),
        "problems": meant.problems,
        "counting": meant.counted.line() if meant.counted else "",
        "steps": meant.steps,
        "matrices": meant.matrices.count,
    }
