"""Runs a plan. Each finished run is a line of a JSONL file, so it can be killed at any time and goes on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evidence_plan import SEPARATION, Planned
from triadapt.events import SAVED, Evaluation, Event, RankEvent, Started
from triadapt.views.recovery import recovery

Result = dict[str, Any]


def one_run(item: Planned) -> Result:
    """Do what a planned run asks for."""
    import torch  # noqa: PLC0415  (making tables again needs no torch)

    from benchmarks import evidence_importance  # noqa: PLC0415
    from triadapt.training.train import train  # noqa: PLC0415

    torch.set_num_threads(1)
    if item.study == SEPARATION:
        return evidence_importance.separation(item.config)
    if item.study:
        return evidence_importance.steered(item.config, item.study)
    return outcome(train(item.config))


def outcome(events: Iterable[Event]) -> Result:
    """The final metric, recovery, ranks and parameters of a run."""
    started: Started | None = None
    metrics: dict[str, float] = {}
    ranks = first = np.zeros(0, int)
    parameters, allocations = 0, 0
    for event in events:
        if isinstance(event, Started):
            started, parameters = event, event.trainable_parameters
            ranks = first = np.full(len(event.matrices), event.start_total_rank // len(event.matrices))
        elif isinstance(event, RankEvent):
            ranks, parameters = event.ranks, event.trainable_parameters
            if event.rule == SAVED:
                first = event.before
            else:
                allocations += 1
        elif isinstance(event, Evaluation):
            metrics = event.metrics
    assert started is not None
    result: Result = {
        "metric": started.metric,
        "value": round(metrics[started.metric], 6),
        "total_rank": int(ranks.sum()),
        "parameters": parameters,
        "events": allocations,
        "ranks": [int(rank) for rank in ranks],
    }
    planted = [matrix.planted_rank for matrix in started.matrices]
    if all(rank is not None for rank in planted):
        found = recovery(ranks, np.array(planted), first)
        result |= {name: None if value is None else round(value, 5) for name, value in found.items()}
        result["planted"] = [index for index, rank in enumerate(planted) if rank]
    return result


def load(path: Path) -> dict[str, Result]:
    """Finished runs by key. A line that was cut off by a kill is dropped from the file."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole, newline, rest = text.rpartition("\n")
    if rest:
        path.write_text(whole + newline, encoding="utf-8")
    return {line["key"]: line for line in map(json.loads, whole.splitlines())}


def execute(
    planned: Iterable[Planned], path: Path, run: Callable[[Planned], Result] = one_run, say: bool = True
) -> dict[str, Result]:
    """Run what `path` does not hold yet, a line each, and return all of it by key."""
    planned = list(planned)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = load(path)
    left = list({item.key: item for item in planned if item.key not in done}.values())
    begin = time.perf_counter()
    with path.open("a", encoding="utf-8") as file:
        for number, item in enumerate(left, 1):
            start = time.perf_counter()
            result = run(item)
            line = {
                "key": item.key,
                "setting": item.setting,
                "variant": item.variant,
                "seed": item.config.seed,
                **result,
                "seconds": round(time.perf_counter() - start, 2),
            }
            done[item.key] = line
            file.write(json.dumps(line) + "\n")
            file.flush()
            if say and (number % 10 == 0 or number == len(left)):
                rate = (time.perf_counter() - begin) / number
                ahead = rate * (len(left) - number) / 60
                print(f"{number} of {len(left)} runs, about {ahead:.0f} min left", file=sys.stderr, flush=True)
    return done


SECONDS_A_STEP = {"triadaptlora": 0.018, "increlora": 0.02, "adalora": 0.027, "lora": 0.014}


def expected_minutes(planned: Iterable[Planned], done: dict[str, Result]) -> float:
    """What is left of a plan, from speeds of the default size on one thread."""
    seconds = 0.0
    for item in {item.key: item for item in planned if item.key not in done}.values():
        config = item.config
        if config.task == "text":
            seconds += 0.48 * config.steps
        else:
            blocks = int(getattr(config.task_settings, "blocks"))  # noqa: B009
            steps = config.steps / 2 if item.study == SEPARATION else config.steps
            seconds += 0.4 + SECONDS_A_STEP[config.method] * steps * blocks / 4
    return seconds / 60
