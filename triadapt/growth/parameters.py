"""Trainable parameters of an adapter along a schedule, before anyone knows which matrices will grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

from triadapt.growth.preview import Preview, pruning_schedule
from triadapt.methods.registry import METHODS

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


@dataclass(frozen=True)
class Parameters:
    """Trainable entries of the adapter at one total rank: `even` if every matrix has its equal share of it, and the
    bounds `least` and `most` that no choice of matrices leaves."""

    even: int
    least: int
    most: int


def parameters_along(config: AllocationConfig, seen: Preview, shapes: Sequence[tuple[int, int]]) -> list[Parameters]:
    """Parameters at the start and after each row of `seen`, a preview from a fresh adapter over `shapes` `(out, in)`.

    A rank of a matrix takes `in + out` entries, one more where a value stands between its factors. TriAdaptLoRA's L and
    U take `2 * block * rank after it` for every block (arXiv 2501.08008), so it also counts how often one matrix grew.
    """
    allocation, settings = METHODS[config.method].allocation, cast(Any, config.method_settings)
    if hasattr(settings, "parameters"):  # its size follows from its settings; what freezes later is counted as a share
        whole = settings.parameters(config, shapes)
        shares = [row["total_rank"] / max(1, seen.start) for row in seen.rows]
        return [Parameters(each, each, each) for each in (whole, *(_nearest(whole * share) for share in shares))]
    if allocation == "fixed":
        return [_placed(seen.start, settings.carriers(config, len(shapes)), sorted(map(sum, shapes)))]
    triangular = config.method == "triadaptlora"
    widths = sorted(sum(shape) + (not triangular) for shape in shapes)
    if allocation == "prunes":
        most = pruning_schedule(config).init_rank
        return [_kept(total, most, widths) for total in (seen.start, *(row["total_rank"] for row in seen.rows))]
    return _grown(seen, config.add_r, widths, triangular)


def _placed(total: int, carriers: int, widths: list[int]) -> Parameters:
    """Ranks spread evenly over some of the matrices, nobody knows which."""
    each, more = divmod(total, carriers)
    least, most = (each * sum(order[:carriers]) + sum(order[:more]) for order in (widths, widths[::-1]))
    return Parameters(_nearest(sum(widths) * total / len(widths)), least, most)


def _kept(total: int, most: int, widths: list[int]) -> Parameters:
    """Triplets kept anywhere, at most `most` in a matrix."""
    full, rest = divmod(total, most)
    ends = [sum(order[:full]) * most + (order[full] * rest if rest else 0) for order in (widths, widths[::-1])]
    return Parameters(_nearest(sum(widths) * total / len(widths)), *ends)


def _grown(seen: Preview, add_r: int, widths: list[int], triangular: bool) -> list[Parameters]:
    """Rank granted anywhere, in blocks of `add_r`, at most one block a matrix at an event.

    The bounds are reached by growing the same matrices at every event, the narrowest or the widest ones. Entries of L
    and U are fewest when every matrix has the same rank.
    """
    n, whole = len(widths), sum(widths)
    narrow, wide = [0, *accumulate(widths)], [0, *accumulate(widths[::-1])]
    total, blocks, last = n, 0, 0
    least = most = whole
    core_most = 2 * n if triangular else 0
    same_first = [1] * n  # ranks when the same matrices come first at every event
    counts = []

    def count() -> None:
        core_even = _even_core(n, add_r, blocks, last) if triangular else 0
        counts.append(Parameters(_nearest(whole * total / n) + core_even, least + core_even, most + core_most))

    count()
    for row in seen.rows:
        full, rest = divmod(row["change"], add_r)
        least += add_r * narrow[full] + (rest * widths[full] if rest else 0)
        most += add_r * wide[full] + (rest * widths[n - 1 - full] if rest else 0)
        if triangular:
            for place in range(full + (rest > 0)):
                gain = add_r if place < full else rest
                same_first[place] += gain
                core_most += 2 * gain * same_first[place]
        total, blocks, last = total + row["change"], blocks + full, rest
        count()
    return counts


def _even_core(n: int, add_r: int, blocks: int, last: int) -> int:
    """Entries of L and U over n matrices that start at rank 1, when `blocks` blocks are spread evenly; `last` is the
    size of a smaller block that ended the growth, or 0."""
    each, more = divmod(blocks, n)
    rank = 1 + add_r * each
    core = 2 * (rank + add_r * add_r * each * (each + 1) // 2)
    return n * core + more * 2 * add_r * (rank + add_r) + 2 * last * (rank + last)


def _nearest(value: float) -> int:
    return int(value + 0.5)
