"""All methods on the planted task, docstrings and SST-2.

The rate of each is chosen on one seed (for the docstrings, on SST-2), the results are of three others. Every run is a
run folder like any other, so it can be looked at on the Methods page; what is there is not trained again.

    python -m benchmarks.wider --data FOLDER --runs FOLDER [--tasks planted text sst2] [--tables]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.evidence import put
from benchmarks.tables import Table
from benchmarks.wider_plan import CHOSEN_ON, PILOT, RATES, SEEDS, Planned, planned, variants
from triadapt.config import parse_config
from triadapt.runs.info import RunInfo
from triadapt.runs.library import config_of, list_runs, new_race
from triadapt.runs.store import RunStore
from triadapt.views.methods.finished import read_finished
from triadapt.views.methods.result import memory_of

TASKS = ("planted", "sst2", "text")
ROUNDS, STEPS_A_ROUND = 4, 8


def train_one(runs: str, key: str, values: dict[str, object]) -> str:
    """Train one run in its own folder and say how it ended."""
    from triadapt.workers.lockstep import Lockstep  # noqa: PLC0415  (the tables need none of it)
    from triadapt.workers.sessions import open_sessions  # noqa: PLC0415

    race = new_race(Path(runs), [parse_config(values)], key)
    states = Lockstep(race.folders, open_sessions).run()
    return f"{key}: {next(iter(states.values()))}"


def finished(runs: Path) -> dict[tuple[str, int], RunInfo]:
    """Finished runs of the comparison, by key and seed."""
    found = {}
    for info in list_runs(runs) if runs.is_dir() else []:
        if info.state == "finished" and " · " in info.name:
            found[info.name, config_of(info).seed] = info
    return found


def train(plan: Sequence[Planned], runs: Path, processes: int) -> dict[tuple[str, int], RunInfo]:
    """Train what is missing, several at a time, and return all that is finished."""
    done = finished(runs)
    left = [item for item in plan if (item.key, item.config.seed) not in done]
    began = time.perf_counter()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        orders = [pool.submit(train_one, str(runs), item.key, item.config.as_dict()) for item in left]
        for number, order in enumerate(orders, 1):
            ended = order.result()
            ahead = (time.perf_counter() - began) / number * (len(left) - number) / 60
            print(f"{number} of {len(left)}, about {ahead:.0f} min left: {ended}", file=sys.stderr, flush=True)
    return finished(runs)


def chosen_rates(task: str, done: dict[tuple[str, int], RunInfo]) -> dict[str, tuple[float, ...]]:
    """The best rate of each variant at the pilot seed."""
    best: dict[str, tuple[float, ...]] = {}
    where = CHOSEN_ON[task]
    for name in variants(task):
        tried = [(info, rate) for rate in RATES if (info := done.get((f"{where} · {name} · {rate:g}", PILOT)))]
        sign = -1 if where == "planted" else 1
        scored = [(sign * float(info.metric_value), rate) for info, rate in tried if info.metric_value is not None]
        if scored:
            best[name] = (max(scored)[1],)
    return best


def measure_times(task: str, runs: Path, data: Path, done: dict[tuple[str, int], RunInfo]) -> None:
    """Time a few steps of every variant, in turns and alone on the machine, and keep the median with its runs: while
    several trained at once, each was slowed by the others."""
    from triadapt.training.session import Session, build_task  # noqa: PLC0415
    from triadapt.workers.sessions import open_sessions  # noqa: PLC0415

    plan = planned(task, data, SEEDS[:1], chosen_rates(task, done))
    open_sessions([plan[0].config], [None])  # sets the threads that a run has
    built = build_task(plan[0].config, "cpu")
    sessions = {item.key: Session(item.config, task=built) for item in plan}
    for _ in range(ROUNDS):
        for session in sessions.values():
            for _ in range(STEPS_A_ROUND):
                session.advance()
    for (key, _), info in done.items():
        if key in sessions:
            with RunStore.open(runs / info.id) as store:
                store.set_measured(sessions[key].measured())
                store.flush()


def _size(info: RunInfo) -> tuple[int, int]:
    """Trainable parameters at the end, and bytes of memory."""
    found = read_finished(info)
    assert found is not None and found.parameters is not None
    return found.parameters, memory_of(found.frozen_bytes, found.most_parameters) or 0


def table(task: str, done: dict[tuple[str, int], RunInfo]) -> Table:
    """Metric, size and time of each variant over the seeds."""
    rates, rows = chosen_rates(task, done), []
    lora = None
    for name, (rate,) in rates.items():
        infos = [info for seed in SEEDS if (info := done.get((f"{task} · {name} · {rate:g}", seed)))]
        values = np.array([info.metric_value for info in infos], float)
        if not len(values):
            continue
        sizes = [_size(info) for info in infos]
        count, memory = round(float(np.mean([size for size, _ in sizes]))), max(memory for _, memory in sizes)
        lora = lora or count
        seconds = np.median([info.measured.get("step_seconds", np.nan) for info in infos])
        rows.append((
            name, f"{rate:g}", f"{count:,}", f"{100 * count / lora:.0f} %", f"{memory / 2**20:.1f}",
            f"{1000 * seconds:.0f}", f"{values.mean():.4g}", f"{values.min():.4g} to {values.max():.4g}", len(values),
        ))  # fmt: skip
    heads = ("method", "rate", "trainable parameters", "of LoRA's at rank 2", "memory, MiB", "ms a step", "mean",
             "lowest to highest", "seeds")  # fmt: skip
    metric = next((info.metric for (key, _), info in done.items() if key.startswith(f"{task} · ")), "metric")
    return Table(f"{task}, {metric}", heads, rows)


def main() -> int:
    """Train what is missing, then print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wider", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train.jsonl and dev.jsonl of SST-2")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--processes", type=int, default=2, help="runs at a time (default: %(default)s)")
    parser.add_argument("--times", action="store_true", help="train nothing new, time the steps of what there is")
    parser.add_argument("--tables", action="store_true", help="train nothing")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    options = parser.parse_args()
    for task in options.tasks:
        if options.times:
            measure_times(task, options.runs, options.data, finished(options.runs))
        elif not options.tables:
            where = CHOSEN_ON[task]
            every = dict.fromkeys(variants(where), RATES)
            pilot = train(planned(where, options.data, (PILOT,), every), options.runs, options.processes)
            train(planned(task, options.data, SEEDS, chosen_rates(task, pilot)), options.runs, options.processes)
        text = table(task, finished(options.runs)).markdown()
        if options.write is None:
            print(text, end="\n\n")
        else:
            put(options.write, f"wider_{task}", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
