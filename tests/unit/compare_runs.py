"""Records and stored runs for the tests of the comparison, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from triadapt.config import RunConfig, parse_config
from triadapt.events import Evaluation, Event, Finished, Matrix, RankEvent, Stamped, Started, Step, measured_ranks
from triadapt.methods.registry import METHODS
from triadapt.runs.library import new_race
from triadapt.runs.store import RunStore
from triadapt.views.compare.record import RunRecord, record_of

STEPS = 40


def config(method: str = "triadaptlora", **values: Any) -> RunConfig:
    return parse_config({"method": method, "steps": STEPS, "warmup": 0, "interval": 10, **values})


def events(run: RunConfig, states: list[list[int]], *, steps: int = STEPS, finished: bool = True) -> list[Event]:
    """A run over one matrix a rank: even losses that fall, a rank event after every tenth step, one metric. Of a method
    without a rank of its own `states` are what is measured of dW."""
    n = len(states[0])
    rank_kind = METHODS[run.method].rank
    measured = rank_kind == "measured"
    matrices = [Matrix(f"m{i}", i // 2, "qv"[i % 2], (8, 8), 3 if i == run.seed % n else 0) for i in range(n)]
    found: list[Event] = [
        Started(
            0, config=run.as_dict(), matrices=matrices, method=run.method, task=run.task,
            allocation="fixed" if measured else "grows",
            core_kind="triangular", metric="recovered", higher_is_better=True, total_step=STEPS,
            start_total_rank=sum(states[0]), target_total_rank=0 if measured else sum(states[-1]),
            trainable_parameters=100 if measured else 10 * sum(states[0]), planned=[], device="cpu",
            rank_kind=rank_kind,
        ),
        Evaluation(0, {"recovered": 0.0, "loss": 1.0}),
    ]  # fmt: skip
    for step in range(steps):
        found.append(Step(step, 1.0 - 0.01 * step, 1e-3))
        event = step // 10
        if step % 10 == 9 and event + 1 < len(states):
            before, ranks = np.array(states[event], np.uint16), np.array(states[event + 1], np.uint16)
            if measured:
                found.append(measured_ranks(step, before, ranks, 100, 0))
                continue
            chosen = [int(index) for index in np.flatnonzero(ranks != before)]
            found.append(
                RankEvent(step, "test", 0.5, 1, chosen, int(ranks.sum()), 10 * int(ranks.sum()), 0, ranks=ranks,
                          before=before)
            )  # fmt: skip
    found.append(Evaluation(steps, {"recovered": 0.5 + 0.01 * run.seed, "loss": 0.5}))
    return [*found, Finished(steps, {"recovered": 0.5})] if finished else found


def stamped(found: list[Event]) -> list[Stamped]:
    """Half a second a step."""
    return [Stamped(seq, 0.5 * event.step, event) for seq, event in enumerate(found, 1)]


def record(states: list[list[int]], run: RunConfig | None = None, **options: Any) -> RunRecord:
    made = record_of(stamped(events(run or config(), states, **options)))
    assert made is not None
    return made


def fill(folder: Path, run: RunConfig, states: list[list[int]], **options: Any) -> None:
    """Write that run into the folder of a run that has not started."""
    with RunStore.open(folder) as opened:
        opened.copy_events(stamped(events(run, states, **options)))
        opened.set_state("finished" if options.get("finished", True) else "stopped")


def store(folder: Path, run: RunConfig, states: list[list[int]], **options: Any) -> str:
    """Make that run in `folder`. Returns its id."""
    race = new_race(folder, [run])
    fill(race.folders[0], run, states, **options)
    return race.run_ids[0]
