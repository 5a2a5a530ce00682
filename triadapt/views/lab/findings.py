"""What the lab says about its inputs: the arithmetic of the steps, and what speaks against each line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triadapt.growth.lints import lints_of_values
from triadapt.views.lab.inputs import NUMBERS, Meant, allocation_values, lines, meaning

OF_BOTH = {"triadaptlora.behaviour": "behaviour", "increlora.behaviour": "behaviour"}
WORDS = {name: one.label[:1].lower() + one.label[1:] for name, one in NUMBERS.items()} | {
    "adalora.init_rank_ratio": "AdaLoRA's start / budget",
    "adalora.final_share": "AdaLoRA's final share",
}


def findings(values: Mapping[str, Any], meant: Meant | None = None) -> list[dict[str, Any]]:
    """Each finding once: `labels` of the lines it is about, `code`, `message`, `changes` of inputs under which it is
    gone, and `fix`, those in words (empty where there are none)."""
    meant = meant or meaning(values)
    shapes = meant.matrices.shapes
    smallest = min(map(min, shapes)) if shapes else None
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines(values):
        plain = allocation_values(values, meant.steps, line.method, line.growth)
        for lint in lints_of_values(plain, matrices=meant.matrices.count, smallest=smallest, counted=meant.counted):
            entry = found.setdefault(
                (lint.code, lint.message),
                {"labels": [], "code": lint.code, "message": lint.message, "changes": {}, "fix": ""},
            )
            entry["labels"].append(line.label)
            if not entry["changes"] and lint.changes:
                entry["changes"] = {OF_BOTH.get(name, name): value for name, value in lint.changes.items()}
                entry["fix"] = fix_words(entry["changes"])
    return list(found.values())


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
