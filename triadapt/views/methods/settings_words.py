"""Settings in words: what tells one group of runs from the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triadapt.methods.registry import METHODS
from triadapt.views.compare.configuration import SEED, differing, told_value
from triadapt.views.methods.own_settings import chosen_rank, field_of, unused_by

WORDS = {
    "reference_rank": "rank", "warmup": "warm-up", "growth": "growth", "add_r": "ranks a growth", "top_h": "top h",
    "lr_schedule": "learning rate", "lr_warmup": "learning rate warm-up",
}  # fmt: skip
RECORDING = ("eval_every", "scores_every", "geometry_every", "threads")
"""What is recorded and how the machine goes about it: nothing that a result depends on."""
OF_GROWTH = ("growth", "top_h", "add_r")
OF_A_SCHEDULE = ("warmup", "interval", *OF_GROWTH)
MOST_TOLD = 3


def that_matter(method: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a flat configuration that a result of this method depends on, the seed left out: alpha as the scale
    that it makes, and the rank under one name, wherever it was chosen."""
    spec, idle = METHODS.get(method), unused_by(method, config)
    if spec is not None and spec.allocation != "grows":
        idle += OF_GROWTH if spec.decides else OF_A_SCHEDULE
    kept = dict(config)
    alpha, rank = kept.get("alpha"), kept.get("reference_rank")
    if alpha and rank and "alpha" not in idle:  # alpha by itself would tell runs apart that differ in rank alone
        kept["scale"] = round(kept.pop("alpha") / rank, 9)
    if (own := chosen_rank(method, config)) is not None:
        kept["reference_rank"] = own
        kept.pop(f"{method}.rank", None)
    return {name: value for name, value in kept.items() if name not in (SEED, *RECORDING, *idle)}


def said(name: str, value: Any) -> str:
    """One setting: `rank 8`, `trains vu`, `no bias`."""
    last = name.rpartition(".")[2]
    field = field_of(name)
    extra = field.json_schema_extra if field is not None and isinstance(field.json_schema_extra, dict) else {}
    word = WORDS.get(name) or str(extra.get("word", last.replace("_", " ")))
    if isinstance(value, bool):
        return word if value else f"no {word}"
    if isinstance(value, float):
        return f"{word} {value:g}"
    if isinstance(value, str) and not value:
        return f"no {word}"
    return f"{word} {told_value(name, value)}"


def told_apart(configs: Sequence[Mapping[str, Any]], most: int = MOST_TOLD) -> list[str]:
    """What each of flat `configs` has otherwise than the others, in words; empty where they do not differ. A setting of
    a method is told where it is not the default."""
    plain = [dict(config) for config in configs]
    names = differing(plain) if len(plain) > 1 else []
    return [
        _told([said(name, config[name]) for name in names if name in config and not _usual(name, config[name])], most)
        for config in plain
    ]


def _usual(name: str, value: Any) -> bool:
    field = field_of(name)
    return field is not None and bool(field.get_default(call_default_factory=True) == value)


def _told(words: list[str], most: int) -> str:
    further = [f"+{len(words) - most} more"] if len(words) > most else []
    return ", ".join(words[:most] + further)
