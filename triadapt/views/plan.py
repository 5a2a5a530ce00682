"""The plan of a run as a curve: total rank over steps, as the schedule alone would have it."""

from __future__ import annotations

from typing import Any

from triadapt.config import RunConfig
from triadapt.growth.lints import lints
from triadapt.growth.preview import preview, shapes_of
from triadapt.methods.registry import METHODS


def plan(config: RunConfig, num_matrices: int | None = None) -> dict[str, Any]:
    """Stairs of the planned total rank: `steps` and `totals` of equal length, with label, colour and dash of the
    method, `target`, `total_step`, `warmup`, and as `lints` what speaks against it."""
    seen, spec = preview(config, num_matrices), METHODS[config.method]
    shapes = None if num_matrices else shapes_of(config)
    steps = [0, *(row["step"] for row in seen.rows), config.steps]
    totals = [seen.start, *(row["total_rank"] for row in seen.rows)]
    return {
        "label": spec.label,
        "colour": spec.colour,
        "dash": spec.dash,
        "steps": steps,
        "totals": [*totals, totals[-1]],
        "target": seen.target,
        "total_step": config.steps,
        "warmup": config.warmup,
        "lints": lints(config, matrices=seen.num_matrices, smallest=min(map(min, shapes)) if shapes else None),
    }
