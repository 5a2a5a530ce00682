"""Groups of runs that differ in their seed alone, and how they stand against one another at a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from triadapt.methods.registry import METHODS
from triadapt.views.methods.result import Kind, Price, Result

REFERENCE = "lora"
"""The method that the others are measured against."""
WIDE = 20
"""From this ratio of the largest price to the smallest on, an axis is logarithmic."""


@dataclass(frozen=True)
class Group:
    """Runs of one method with one setting. place: counts the settings of the method from 0."""

    method: str
    settings: str
    place: int
    results: tuple[Result, ...]

    @property
    def label(self) -> str:
        """Method and setting."""
        several = f"({self.settings})" if "," in self.settings else self.settings
        return f"{method_label(self.method)} {several}".strip()

    @property
    def counts(self) -> bool:
        """Whether it may be on the front; an oracle may not."""
        return all(result.counts for result in self.results)

    @property
    def values(self) -> list[float]:
        """The metric of each run."""
        return [result.value for result in self.results]

    @property
    def value(self) -> float:
        """Their mean."""
        return fmean(self.values)

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return len({result.seed for result in self.results})

    def price(self, price: Price) -> float | None:
        """The mean over the runs that tell it; None where none does."""
        told = [found for result in self.results if (found := price.of(result)) is not None]
        return fmean(told) if told else None


@dataclass(frozen=True)
class Standing:
    """A group at its price. beaten_by: label of a group that is no worse in both and better in one; empty on the
    front. narrowly: whether another seed might say otherwise: beaten by a group whose seeds overlap with its own in the
    metric, or on the front by no more than its own seeds differ in price."""

    group: Group
    price: float
    beaten_by: str = ""
    narrowly: bool = False

    @property
    def on_front(self) -> bool:
        """Whether no other group beats it."""
        return self.group.counts and not self.beaten_by

    @property
    def words(self) -> str:
        """How it stands, in words."""
        if not self.group.counts:
            return "an oracle, not counted"
        close = ", within the spread of the seeds" if self.narrowly else ""
        return f"{f'beaten by {self.beaten_by}' if self.beaten_by else 'on the front'}{close}"


def method_label(method: str) -> str:
    """What a method is called."""
    return METHODS[method].label if method in METHODS else method


def groups_of(results: Sequence[Result]) -> list[Group]:
    """Results by method and setting, methods in the order of the registry and those of none last."""
    found: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        found.setdefault(result.method, {}).setdefault(result.settings, []).append(result)
    names = list(METHODS)
    order = sorted(found, key=lambda method: names.index(method) if method in names else len(names))
    return [
        Group(method, settings, place, tuple(sorted(members, key=lambda result: result.seed)))
        for method in order
        for place, (settings, members) in enumerate(found[method].items())
    ]


def priced(kind: Kind, price: Price) -> tuple[list[Group], int]:
    """The groups of a kind, of the runs whose price is recorded, and how many runs are left out as theirs is not."""
    told = [result for result in kind.results if price.of(result) is not None]
    return groups_of(told), len(kind.results) - len(told)


def at_best_rate(groups: Sequence[Group], *, higher_is_better: bool) -> list[Group]:
    """Of groups that differ in their learning rate alone, the one with most seeds, and of those the one with the best
    mean."""
    sign = 1 if higher_is_better else -1
    best: dict[tuple[str, str], Group] = {}
    for group in groups:
        but_rate = group.results[0].but_rate
        key = (group.method, f"={group.settings}" if but_rate is None else but_rate)
        held = best.get(key)
        if held is None or (group.seeds, sign * group.value) > (held.seeds, sign * held.value):
            best[key] = group
    return [group for group in groups if group in best.values()]


def standings(groups: Sequence[Group], price: Price, *, higher_is_better: bool) -> list[Standing]:
    """How each group stands, in the order of `groups`; those without a price are left out.

    Whoever is beaten is beaten by the best of those that cost no more.
    """
    known = [(group, found) for group in groups if (found := group.price(price)) is not None]
    sign = 1 if higher_is_better else -1
    rivals = [(cost, sign * group.value, group) for group, cost in known if group.counts]
    rows = []
    for group, cost in known:
        gain = sign * group.value
        better = [
            rival for rival in rivals if rival[0] <= cost and rival[1] >= gain and (rival[0] < cost or rival[1] > gain)
        ]
        if not better or not group.counts:
            dearest = max(found for result in group.results if (found := price.of(result)) is not None)
            close = group.counts and any(rival[1] > gain and rival[0] <= dearest for rival in rivals)
            rows.append(Standing(group, cost, narrowly=close))
            continue
        _, _, winner = max(better, key=lambda rival: (rival[1], -rival[0]))
        rows.append(Standing(group, cost, winner.label, _overlap(group, winner, sign)))
    return rows


def reference_of(groups: Sequence[Group], *, higher_is_better: bool) -> Group | None:
    """LoRA's group, of several the one with the best mean; an oracle's is none."""
    sign = 1 if higher_is_better else -1
    return max(references(groups), key=lambda group: sign * group.value, default=None)


def references(groups: Sequence[Group]) -> list[Group]:
    """LoRA's groups, an oracle's left out."""
    return [group for group in groups if group.method == REFERENCE and group.counts]


def headline(rows: Sequence[Standing], price: Price, *, metric: str, higher_is_better: bool) -> str:
    """Who is on the front, and who is as good as LoRA for less, in words."""
    front = sorted((row for row in rows if row.on_front), key=lambda row: row.price)
    if not front:
        return ""
    told: list[str] = []
    for row in front:
        cost, units = price.said(row.price), not told  # units once
        words = [
            cost if units else cost.removesuffix(f" {price.unit}"),
            f"{metric} " * units + f"{row.group.value:.4g}",
        ]
        told.append(f"{row.group.label} ({', '.join([*words, *['narrowly'] * row.narrowly])})")
    return f"On the front: {'; '.join(told)}. {_against_lora(rows, price, higher_is_better)}".strip()


def _against_lora(rows: Sequence[Standing], price: Price, higher_is_better: bool) -> str:
    """The best of LoRA's settings that another method is as good as for less, and which is so for least; else that none
    is as good as its best. A setting that another one of LoRA's beats is no measure of anything."""
    sign = 1 if higher_is_better else -1
    own = references([row.group for row in rows])
    among_own = standings(own, price, higher_is_better=higher_is_better)
    loras = sorted((row.group for row in among_own if row.on_front), key=lambda group: -sign * group.value)
    others = [row for row in rows if row.group.method != REFERENCE and row.group.counts]
    if not loras or not others:
        return ""
    for lora in loras:
        worst = min(sign * value for value in lora.values)
        paid = next(row.price for row in rows if row.group is lora)
        as_good = [row for row in others if row.price < paid and sign * row.group.value >= worst]
        if as_good:
            cheapest = min(as_good, key=lambda row: row.price)
            spread = " within the spread of the seeds" * (lora.seeds > 1)
            return (
                f"Of {lora.label}'s quality{spread} at {share(cheapest.price, paid)} of its {price.word}: "
                f"{cheapest.group.label}."
            )
    best = loras[0]
    at_all = "within the spread of the seeds of" if best.seeds > 1 else "up to"
    return f"No other method comes {at_all} {best.label} with {price.less}."


def share(part: float, whole: float) -> str:
    """A share in per cent, with a digit more where it is small."""
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def is_wide(rows: Sequence[Standing]) -> bool:
    """Whether an axis of these prices is to be logarithmic."""
    prices = [row.price for row in rows]
    return bool(prices) and min(prices) > 0 and max(prices) / min(prices) > WIDE


def _overlap(group: Group, winner: Group, sign: int) -> bool:
    if len(group.values) < 2 and len(winner.values) < 2:
        return False
    return max(sign * value for value in group.values) >= min(sign * value for value in winner.values)
