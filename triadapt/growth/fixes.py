"""Values under which a finding about a schedule is gone: tried, not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import METHODS

Values = Mapping[str, Any]
Changes = dict[str, Any]
Found = tuple[dict[str, str], float | None]

LANDING = 0.6
"""Share of the steps after which a budget is best reached: late enough to know the matrices, early enough to train."""
EVENTS = (12, 10, 8, 16, 6, 20, 5, 24, 32, 4, 48, 3, 64, 2, 100, 150, 250)
FEWER, MORE = (1, 2, 3, 4, 6, 8), (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
MOST_STEPS = 1_000_000
NAMED = ("warmup_unit", "interval_unit", "tfinal_step")
"""Findings that name the value that was meant: it is taken though others may follow."""
WHOLE = ("steps", "warmup", "interval", "reference_rank", "top_h", "add_r")
REFUSED, ONE_PROCESS = "refused", "one_process"
TIMING = {REFUSED, "no_event", "missed", "early", "late", "interval_long", "at_once", "tfinal_step"}
"""Findings that hang together: mending one may bring another."""


def with_changes(values: Values, changes: Values) -> dict[str, Any]:
    """Plain values of a configuration with fields changed by dotted name."""
    changed = dict(values)
    for name, value in changes.items():
        section, _, key = name.rpartition(".")
        changed |= {section: {**changed.get(section, {}), key: value}} if section else {key: value}
    return changed


def fix(
    code: str, values: Values, found_in: Callable[[Values], Found], smallest: int | None, counted: TrainerSteps | None
) -> Changes:
    """The changes that remove the finding `code` and, as far as any do, leave no other; fields of one's own method and
    single fields before shared and several ones. Empty when nothing that was tried helps. `processes` and
    `accumulation` are those of the counted steps; all other names are fields of the configuration."""
    if values.get("method") not in METHODS or not all(isinstance(values.get(name), int) for name in WHOLE):
        return {}
    if code == ONE_PROCESS and counted is not None:
        return {"processes": 1, "accumulation": counted.accumulation * counted.processes}
    before = found_in(values)[0]
    best: tuple[tuple[int, int, float], Changes] | None = None
    for stage in _stages(code, values, smallest, counted):
        for changes in stage:
            found, reached = found_in(with_changes(values, changes))
            if code in found or (REFUSED in found and REFUSED not in before):
                continue
            away = 1.0 if reached is None else abs(reached - LANDING)
            merit = (len(found.keys() - before.keys()), len(found.keys() & TIMING), away)
            if best is None or merit < best[0]:
                best = merit, changes
        if best is not None and (best[0][:2] == (0, 0) or code in NAMED):
            break
    return {} if best is None else best[1]


def _stages(code: str, values: Values, smallest: int | None, counted: TrainerSteps | None) -> Iterator[list[Changes]]:
    """Lists of changes to try, the most fitting first."""
    method, steps, warmup = str(values["method"]), int(values["steps"]), int(values["warmup"])
    pruning = METHODS[method].allocation == "prunes"
    early_warmup = {"warmup": steps // 10}
    if code == "above_matrix":
        yield [{"reference_rank": smallest}]
        return
    if code == "dead":
        yield [{f"{method}.init": "identity"}]
        return
    if code == "overshoot":
        improved = {f"{method}.behaviour": "improved"}
        yield [improved]
        yield [improved | more for more in _intervals(values, warmup)]
        return
    if code in ("warmup_unit", "interval_unit") and counted is not None:
        name = code.removesuffix("_unit")
        a_step = counted.batches_a_step(values[name])
        meant = round(values[name] / a_step) if a_step else values[name] * counted.steps_per_epoch
        yield [{name: max(1, meant)}]
    share = float(values.get("adalora", {}).get("final_share", 0.25))
    turned = {"adalora.final_share": round(1 - share, 6)}
    if code == "tfinal_step" or (code == REFUSED and pruning and share > 0.5):
        yield [turned]
        yield [turned | early_warmup]
    if pruning and code in ("late", REFUSED, "missed"):
        yield [{"adalora.final_share": 0.25}]
    if code == REFUSED:
        yield [early_warmup]
    if code == "nothing_to_grow":
        yield [{"reference_rank": rank} for rank in (2, 4, 8)]
        yield [{"reference_rank": 2} | more for more in _intervals(values, warmup)]
    if pruning:
        yield list(_intervals(values, warmup))
        yield [early_warmup | more for more in _intervals(values, steps // 10)]
        yield [
            {"adalora.final_share": 0.25} | early_warmup | more
            for more in _intervals(with_changes(values, {"adalora.final_share": 0.25}), steps // 10)
        ]
        return
    by_top_h = method == "increlora" or values.get("growth") == "fixed"
    if by_top_h:
        yield [{"top_h": count} for count in sorted({*FEWER, *MORE})]
    yield list(_intervals(values, warmup))
    yield [early_warmup]
    yield [early_warmup | more for more in _intervals(values, steps // 10)]
    if by_top_h:
        yield [{"top_h": count} | more for count, more in product(MORE, _intervals(values, warmup))]
        yield [{"top_h": count} | early_warmup | more for count, more in product(MORE, _intervals(values, steps // 10))]
    yield [{"add_r": rank} | more for rank, more in product(FEWER, _intervals(values, warmup))]
    yield [early_warmup | {"add_r": rank} | more for rank, more in product(MORE, _intervals(values, steps // 10))]
    if counted is None:
        for factor in (2, 4, 10, 40, 200):
            longer = {"steps": min(steps * factor, MOST_STEPS)}
            yield [
                longer | {"warmup": longer["steps"] // 10} | more
                for more in _intervals(with_changes(values, longer), longer["steps"] // 10)
            ]


def _intervals(values: Values, warmup: int) -> Iterator[Changes]:
    """Intervals that put from 2 to 250 events between the warm-up and the end of allocation, and for methods that grow
    1: these stop at the budget."""
    end, pruning = int(values["steps"]), METHODS[str(values["method"])].allocation == "prunes"
    if pruning:
        end -= round(float(values.get("adalora", {}).get("final_share", 0.25)) * end)
    tried = [_round(max(1, (end - warmup) // events)) for events in EVENTS]
    for interval in dict.fromkeys(tried if pruning else [*tried, 1]):
        yield {"interval": interval}


def _round(interval: int) -> int:
    """To a number that people would choose."""
    for above, grain in ((1000, 100), (200, 20), (100, 10), (30, 5)):
        if interval >= above:
            return interval // grain * grain
    return interval
