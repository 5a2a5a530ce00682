"""Curves of several runs on one axis, and the band of those that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triadapt.views.compare.record import RunRecord

Quantity = Literal["loss", "metric", "total rank", "parameters"]
Axis = Literal["step", "time", "parameters", "total rank"]
Band = Literal["range", "confidence"]
QUANTITIES: tuple[Quantity, ...] = ("loss", "metric", "total rank", "parameters")
AXES: tuple[Axis, ...] = ("step", "time", "parameters", "total rank")
BANDS: dict[Band, str] = {"range": "lowest to highest", "confidence": "95 % interval of the mean"}
GRID = 400
Floats = NDArray[np.float64]
# Student's t, 97.5 %, for 1 to 23 degrees of freedom.
T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069,
)  # fmt: skip


class Curve(NamedTuple):
    """Points `(k,)` of a line; `held`: whether a value lasts until the next point, as a rank does."""

    x: Floats
    y: Floats
    held: bool


class Spread(NamedTuple):
    """A mean line `(k,)` with the band around it, over the part of the axis that all runs reached."""

    x: Floats
    mean: Floats
    low: Floats
    high: Floats


def curve(record: RunRecord, quantity: Quantity, axis: Axis, window: int = 1) -> Curve:
    """`quantity` of a run against `axis`.

    Against total rank or parameters a point is one state, at its end: what the loss, say, had come to before the next
    rank event. window: the loss is the mean over so many recorded steps up to each.
    """
    steps, times, values, held = _series(record, quantity, window)
    if axis == "step":
        return Curve(steps, values, held)
    if axis == "time":
        return Curve(times, values, held)
    sizes = record.totals if axis == "total rank" else record.parameters
    if held:
        return Curve(sizes.astype(np.float64), _sizes(record, quantity), False)
    # A state after step t is that of the loss of step t + 1 and of an evaluation after t + 1 steps.
    starts = record.state_steps + 1
    until = np.searchsorted(steps, np.append(starts[1:], np.inf), side="left") - 1
    begun = np.searchsorted(steps, starts, side="left")
    there = until >= begun
    return Curve(sizes[there].astype(np.float64), values[until[there]], False)


def _series(record: RunRecord, quantity: Quantity, window: int) -> tuple[Floats, Floats, Floats, bool]:
    if quantity == "loss":
        return record.steps.astype(np.float64), record.times, trailing_mean(record.losses, window), False
    if quantity == "metric":
        return record.eval_steps.astype(np.float64), record.eval_times, record.metric, False
    values = _sizes(record, quantity)
    steps = np.maximum(record.state_steps, 0).astype(np.float64)
    end, late = max(float(record.last_step), steps[-1]), max(record.last_time, float(record.state_times[-1]))
    return np.append(steps, end), np.append(record.state_times, late), np.append(values, values[-1]), True


def _sizes(record: RunRecord, quantity: Quantity) -> Floats:
    return (record.totals if quantity == "total rank" else record.parameters).astype(np.float64)


def trailing_mean(values: Floats, window: int) -> Floats:
    """Mean of each of `values` `(k,)` and the up to `window - 1` before it. Raises ValueError for a window below 1."""
    if window < 1:
        raise ValueError(f"window = {window}: at least 1")
    sums = np.cumsum(np.insert(np.asarray(values, np.float64), 0, 0.0))
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - window, 0)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts), np.float64)


def spread(curves: Sequence[Curve], band: Band) -> Spread | None:
    """Mean and band of curves that share an axis; None when fewer than two have points in common.

    range: lowest to highest. confidence: the mean plus and minus Student's t times its standard error.
    """
    lines = [line for line in curves if line.x.size]
    if len(lines) < 2:
        return None
    start, end = max(line.x[0] for line in lines), min(line.x[-1] for line in lines)
    marks = np.unique(np.concatenate([line.x for line in lines]))
    marks = marks[(marks >= start) & (marks <= end)]
    if not marks.size:
        return None
    x = marks if marks.size <= GRID else np.linspace(start, end, GRID)
    values = np.stack([_at(line, x) for line in lines])
    mean = values.mean(axis=0)
    if band == "range":
        return Spread(x, mean, values.min(axis=0), values.max(axis=0))
    quantile = T_975[len(lines) - 2] if len(lines) - 2 < len(T_975) else 1.96
    half = quantile * values.std(axis=0, ddof=1) / np.sqrt(len(lines))
    return Spread(x, mean, mean - half, mean + half)


def _at(line: Curve, x: Floats) -> Floats:
    if line.held:
        return np.asarray(line.y[np.searchsorted(line.x, x, side="right") - 1], np.float64)
    return np.asarray(np.interp(x, line.x, line.y), np.float64)
