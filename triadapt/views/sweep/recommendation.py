"""Which point to take, in words that are never more certain than the seeds allow.

The rule. Points are compared on the same seeds, so what makes a seed easy or hard falls out: for every other point, the
best one's advantage seed by seed, its mean and a t interval. The best is *clear* when, with at least three seeds, the
lower end of that interval is above 0 against every other point. The best was picked among the points after the fact and
is held against each of them, so the 5 % of a 95 % interval are divided by the number of comparisons (Bonferroni); and
by the number of times a study may look, where it stops as soon as the answer is clear (`stop_when_clear`: once after
each seed from the third on). So if one point is truly best, the chance that another is called clear is below 5 % in
all, as far as t intervals hold.

Points with a failed or pruned trial are not compared: what is left of their seeds is a selection. While points are
still under way nothing is clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triadapt.sweeps.config import FEWEST_SEEDS
from triadapt.sweeps.record import StudyRecord
from triadapt.views.sweep.points import PointRow, points_table
from triadapt.views.sweep.student import interval

LEVEL = 0.05


@dataclass(frozen=True)
class Rival:
    """Another point beside the best one. advantage: how much better the best one's metric is, in its own unit, as a
    mean over the seeds; low, high: its interval at the level of the whole comparison, None where no spread can be seen.
    """

    row: PointRow
    advantage: float
    low: float | None
    high: float | None

    @property
    def beaten(self) -> bool:
        """Whether the best point is clearly better than this one."""
        return self.low is not None and self.low > 0


@dataclass(frozen=True)
class Recommendation:
    """What a study says so far. best: the point with the best mean over `seeds`; None while there is no value. mean,
    low, high: its own, with a 95 % interval where one can be seen. rivals: the points it was compared with, the closest
    first. clear: whether it beats them all, and none is still to come. pending: points that are not through with these
    seeds. left_out: points with a failed or pruned trial. text: all of it in a few sentences."""

    best: PointRow | None
    seeds: tuple[int, ...]
    mean: float | None
    low: float | None
    high: float | None
    rivals: tuple[Rival, ...]
    clear: bool
    pending: int
    left_out: int
    text: str

    @property
    def tied(self) -> tuple[Rival, ...]:
        """Points that the best one cannot be told from with these seeds."""
        return tuple(rival for rival in self.rivals if not rival.beaten)


def recommend(record: StudyRecord) -> Recommendation:
    """The recommendation of a study as it stands, running or over."""
    rows = points_table(record)
    whole = [row for row in rows if not row.broken]
    left_out = len(rows) - len(whole)
    seeds = _shared_seeds(whole, record.config.seed_list)
    compared = [row for row in whole if seeds and all(seed in row.values for seed in seeds)]
    pending = max(record.info.points, len(rows)) - left_out - len(compared)
    if not compared:
        return Recommendation(None, (), None, None, None, (), False, pending, left_out, _nothing(record, rows))
    sign = 1 if record.info.higher_is_better else -1
    best = max(compared, key=lambda row: sign * _mean(row, seeds))
    looks = max(1, len(record.config.seed_list) - FEWEST_SEEDS + 1) if record.config.stop_when_clear else 1
    level = LEVEL / max(1, len(compared) - 1) / looks
    rivals = [_rival(best, row, seeds, sign, level) for row in compared if row is not best]
    rivals.sort(key=lambda rival: (rival.beaten, rival.advantage))
    enough = len(seeds) >= FEWEST_SEEDS and bool(rivals) and pending == 0
    clear = enough and all(rival.beaten for rival in rivals)
    spread = interval([best.values[seed] for seed in seeds])
    low, high = (None, None) if spread is None else spread[1:]
    found = Recommendation(
        best, seeds, _mean(best, seeds), low, high, tuple(rivals), clear, pending, left_out, ""
    )  # fmt: skip
    return Recommendation(**{**found.__dict__, "text": _told(record, found)})


def _shared_seeds(rows: Sequence[PointRow], planned: Sequence[int]) -> tuple[int, ...]:
    """The first seeds, as many as make the comparison with the most trials in it: early in a study all points with few
    seeds, later more seeds, even if a few points are behind."""
    through = [next((n for n, seed in enumerate(planned) if seed not in row.values), len(planned)) for row in rows]
    sizes = [(n * sum(reached >= n for reached in through), n) for n in range(1, len(planned) + 1)]
    trials, n = max(sizes, default=(0, 0))
    return tuple(planned[:n]) if trials else ()


def _mean(row: PointRow, seeds: Sequence[int]) -> float:
    return sum(row.values[seed] for seed in seeds) / len(seeds)


def _rival(best: PointRow, row: PointRow, seeds: Sequence[int], sign: int, level: float) -> Rival:
    differences = [sign * (best.values[seed] - row.values[seed]) for seed in seeds]
    spread = interval(differences, level) if len(seeds) >= FEWEST_SEEDS else None
    low, high = (None, None) if spread is None else spread[1:]
    return Rival(row, sum(differences) / len(differences), low, high)


def _nothing(record: StudyRecord, rows: Sequence[PointRow]) -> str:
    errors = [error for row in rows for error in row.errors]
    if rows and all(row.states.get("failed") for row in rows):
        return f"Nothing can be recommended: every point has a trial that failed. The first: {errors[0]}"
    if record.trials and all(trial.ended for trial in record.trials):
        return "Nothing can be recommended: no point is without a failed or pruned trial."
    return "Nothing can be said yet: no trial is complete."


def _told(record: StudyRecord, found: Recommendation) -> str:
    best, n, others = found.best, len(found.seeds), len(found.rivals)
    assert best is not None and found.mean is not None
    value = f"{record.info.metric} {found.mean:.4g}"
    so_far = _so_far(record)
    lines = []
    if not others:
        lines.append(f"Only one point can be judged: {best.label}, with {value} ({_seeds(n)}).")
    elif n < FEWEST_SEEDS:
        said = "One seed does not show" if n == 1 else "Two seeds do not show"
        lines.append(
            f"Best of {others + 1} points{so_far}: {best.label}, with {value} ({_seeds(n)}). {said} how much of a "
            f"difference is chance; nothing can be said below {FEWEST_SEEDS} seeds a point."
        )
    else:
        lines.append(_compared(record, found, f"{value} ({_range(found.low, found.high)}{_seeds(n)})"))
    if found.pending:
        lines.append(f"{_points(found.pending)} not yet through.")
    if found.left_out:
        lines.append(f"{_points(found.left_out)} left out, because a trial failed or was pruned.")
    return " ".join(lines)


def _compared(record: StudyRecord, found: Recommendation, value: str) -> str:
    best, tied, others = found.best, found.tied, len(found.rivals)
    assert best is not None
    near = (tied or found.rivals)[0]
    worse = "lower" if record.info.higher_is_better else "higher"
    level = abs(near.advantage) <= 1e-9 * max(abs(found.mean or 0.0), abs(_mean(near.row, found.seeds)))
    by = "level" if level else f"{abs(near.advantage):.2g} {worse if near.advantage > 0 else 'apart'}"
    between = "" if near.low is None or near.high is None else f", {near.low:.2g} to {near.high:.2g}"
    closest = f"{near.row.label} ({by}{between})"
    if found.clear:
        allowed = "" if others == 1 else f", with {others} comparisons allowed for"
        return (
            f"{best.label} is best: {value}, ahead of every other point on the same seeds{allowed}. Closest: {closest}."
        )
    if not tied:
        return f"Best{_so_far(record)}: {best.label}, with {value}, ahead of the {others} others that can be compared."
    some = "any" if len(tied) == others else f"{len(tied)}"
    which = "the other point" if others == 1 else f"{some} of the {others} other points"
    return f"Best mean: {best.label}, with {value}. These seeds cannot tell it from {which}. Closest: {closest}."


def _so_far(record: StudyRecord) -> str:
    return "" if record.info.state == "finished" else " so far"


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _points(n: int) -> str:
    return "1 point is" if n == 1 else f"{n} points are"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None else f"95 % interval {low:.4g} to {high:.4g}, "
