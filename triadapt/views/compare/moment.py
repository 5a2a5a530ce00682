"""Where a run stood at a moment that all runs are compared at: the end, or the same step, budget or time."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triadapt.views.compare.record import RunRecord

Kind = Literal["end", "step", "budget", "time"]
MOMENTS: dict[Kind, str] = {"end": "the end", "step": "equal step", "budget": "equal budget", "time": "equal time"}


class Moment(NamedTuple):
    """step: after that step, from 0. budget: where the total rank first is that. time: after so many seconds."""

    kind: Kind = "end"
    value: float = 0.0

    def words(self) -> str:
        """As a heading says it."""
        return {
            "end": "at the end", "step": f"after step {self.value:g}", "budget": f"at total rank {self.value:g}",
            "time": f"after {self.value:g} s",
        }[self.kind]  # fmt: skip


END = Moment()


class Standing(NamedTuple):
    """The state of a run (a row of `ranks`), how many of its recorded losses and of its evaluations came up to then,
    and how many steps were done."""

    state: int
    losses: int
    evaluations: int
    steps_done: int


def standing(record: RunRecord, moment: Moment = END) -> Standing | None:
    """Where the run stood; None when it never got there. A run without a rank of its own is at no budget.

    budget: the first state with that total rank, or beyond it as seen from the start, so that methods that grow and
    methods that prune are both met on their way. It is looked at where it ends, before the next rank event: that is
    what this budget came to.
    """
    last = Standing(len(record.ranks) - 1, record.steps.size, record.eval_steps.size, record.last_step + 1)
    kind, value = moment
    if kind == "end":
        return last
    if kind == "time":
        if value > record.last_time:
            return None
        losses = _up_to(record.times, value)
        done = int(record.steps[losses - 1]) + 1 if losses else 0
        return Standing(_up_to(record.state_times[1:], value), losses, _up_to(record.eval_times, value), done)
    if kind == "step":
        if value > record.last_step:
            return None
        done = int(value) + 1
    else:
        if not record.allotted:
            return None
        totals = record.totals
        reached = totals >= value if totals[0] < value else totals <= value
        if not reached.any():
            return None
        state = int(np.argmax(reached))
        done = int(record.state_steps[state + 1]) + 1 if state + 1 < len(totals) else last.steps_done
        return Standing(state, _up_to(record.steps, done - 1), _up_to(record.eval_steps, done), done)
    # An evaluation after t + 1 steps saw the state after step t.
    return Standing(
        _up_to(record.state_steps[1:], value), _up_to(record.steps, value), _up_to(record.eval_steps, done), done
    )


def _up_to(marks: NDArray[Any], value: float) -> int:
    return int(np.searchsorted(marks, value, side="right"))
