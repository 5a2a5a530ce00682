"""The plan of a run as a curve: total rank over steps, as the schedule alone would have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triadapt.config import RunConfig
from triadapt.growth.lints import lints
from triadapt.growth.preview import preview, shapes_of
from triadapt.methods.registry import METHODS


def plan(config: RunConfig, num_matrices: int | None = None) -> dict[str, Any]:
    """Stairs of the planned total rank: `steps` and `totals` of equal length, with label, colour and dash of the
    method, `rank` (its `RankKind`: one that is measured has no plan), `target`, `total_step`, `warmup`, and as `lints`
    what speaks against it."""
    seen, spec = preview(config, num_matrices), METHODS[config.method]
    shapes = None if num_matrices else shapes_of(config)
    steps = [0, *(row["step"] for row in seen.rows), config.steps]
    totals = [seen.start, *(row["total_rank"] for row in seen.rows)]
    return {
        "label": spec.label,
        "colour": spec.colour,
        "dash": spec.dash,
        "rank": spec.rank,
        "steps": steps,
        "totals": [*totals, totals[-1]],
        "target": seen.target,
        "total_step": config.steps,
        "warmup": config.warmup,
        "lints": lints(config, matrices=seen.num_matrices, smallest=min(map(min, shapes)) if shapes else None),
    }


def branch_plans(
    config: RunConfig,
    recorded: Sequence[tuple[int, int]],
    end: int,
    *,
    at: tuple[int, int],
    to_come: Sequence[tuple[int, int]],
    target: int,
) -> list[dict[str, Any]]:
    """Stairs of a run and of a branch that is to leave it, all of them as (step, total rank).

    config: of the branch; recorded: what its parent did, up to step `end`; at: where the branch leaves; to_come: its
    planned events. The branch has `since`, the step it leaves at.
    """
    spec = METHODS[config.method]
    past = [*recorded, (end, recorded[-1][1])]
    ahead = [at, *to_come, (config.steps, (to_come or [at])[-1][1])]
    looks: tuple[dict[str, Any], ...] = (
        {"label": "the run it leaves", "colour": "#8a8a8a", "dash": "dash"},
        {"label": spec.label, "colour": spec.colour, "dash": "solid", "since": at[0]},
    )
    shared = {"target": target, "warmup": 0, "total_step": max(config.steps, end), "warnings": []}
    return [
        {**shared, **look, "steps": [step for step, _ in stairs], "totals": [total for _, total in stairs]}
        for look, stairs in zip(looks, (past, ahead), strict=True)
    ]
