"""How large a method is over the matrices of known models, at the end of its schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triadapt.config import parse_allocation
from triadapt.errors import ConfigError
from triadapt.growth.parameters import parameters_along
from triadapt.growth.preview import preview
from triadapt.growth.target_matrices import TargetMatrices, target_matrices
from triadapt.methods.registry import METHODS
from triadapt.views.lab.inputs import KNOWN_MODELS, task_modules

MOST_RANK = 64


def models() -> dict[str, TargetMatrices]:
    """Matrices to count over, by the name of the model."""
    ours = {"Planted task: six a block": (4, "planted"), "MiniLM: six a block": (6, "text")}
    found = {name: target_matrices(layers, task_modules(task)) for name, (layers, task) in ours.items()}
    return found | {name: target_matrices(layers, modules) for name, (layers, modules) in KNOWN_MODELS.items()}


@dataclass(frozen=True)
class Size:
    """Trainable entries of an adapter. problem: why there is none."""

    parameters: int | None
    problem: str = ""


def size_of(method: str, rank: int, shapes: Sequence[tuple[int, int]]) -> Size:
    """Entries of a method over matrices of `shapes` `(out, in)` at a budget of `rank` a matrix on average, all else at
    its default. Of one whose ranks change, once its budget is met, spread evenly."""
    # A rank a matrix at every step: any budget is met, by growing and by pruning.
    steps = 4 * rank + 200
    plan = {"steps": steps, "warmup": 0, "interval": 1, "growth": "fixed", "top_h": len(shapes), "add_r": 1}
    try:
        config = parse_allocation({"method": method, "reference_rank": rank, "alpha": float(rank), **plan})
        return Size(parameters_along(config, preview(config, len(shapes)), shapes)[-1].even)
    except ConfigError as error:
        return Size(None, "; ".join(error.lines))
    except ValueError as error:
        return Size(None, str(error))


def sizes(rank: int, matrices: TargetMatrices) -> dict[str, Size]:
    """That of every method, by name."""
    shapes = matrices.shapes or []
    return {name: size_of(name, rank, shapes) for name in METHODS}
