"""Fields of a configuration by dotted name: read, set, and what has to follow when one changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from triadapt.config import ConfigError, RunConfig, put_value
from triadapt.growth.preview import pruning_schedule
from triadapt.methods.registry import METHODS


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested tables by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def with_values(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested tables with some values set by dotted name. Raises ConfigError where a section is a value."""
    found = copy.deepcopy(dict(data))
    for name, value in values.items():
        in_the_way = put_value(found, name, value)
        if in_the_way is not None:
            raise ConfigError([f"{in_the_way[0]} = {in_the_way[1]!r}: is a value, not a section with {name}"])
    return found


def keep_scale(old: RunConfig, data: dict[str, Any]) -> None:
    """Let `data`, a changed copy of a run's configuration, compute what the run did under another budget.

    Where the scale is alpha / reference_rank, alpha follows; AdaLoRA's start rank, the size of its matrices, stays.
    Raises ConfigError for a budget that it could not prune down to.
    """
    rank = data["reference_rank"]
    if rank == old.reference_rank or not isinstance(rank, int) or rank < 1:
        return
    if getattr(old.method_settings, "scale", "constant") == "constant":
        data["alpha"] = old.alpha * rank / old.reference_rank
    if METHODS[old.method].allocation == "prunes":
        start = pruning_schedule(old).init_rank
        if rank >= start:
            raise ConfigError(
                [f"reference_rank = {rank}: {METHODS[old.method].label} prunes from rank {start} a matrix; "
                 f"choose at most {start - 1}"]
            )  # fmt: skip
        data[old.method]["init_rank_ratio"] = start / rank
