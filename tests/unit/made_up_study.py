"""A study that never ran: warm-up by interval by method with seeds, some trials pruned, failed and still to come."""

from __future__ import annotations

import itertools

import numpy as np

from triadapt.sweeps.config import SweepConfig, parse_sweep
from triadapt.sweeps.record import StudyInfo, StudyRecord, TrialRecord

SPACE = {"method": ["triadaptlora", "increlora"], "warmup": [20, 60, 120, 240], "interval": [5, 10, 20, 40]}


def made_up_study(space: dict[str, object] | None = None, *, seeds: int = 3, share: float = 1.0) -> StudyRecord:
    """`share` of the trials have ended."""
    config: SweepConfig = parse_sweep({"name": "Made up", "space": space or SPACE, "seeds": seeds})
    rng = np.random.default_rng(3)
    names = list(config.space)
    points = [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(config.space[name] for name in names))  # type: ignore[arg-type]
    ]
    trials = []
    planned = [(point, seed) for seed in config.seed_list for point in points]
    for number, (point, seed) in enumerate(planned):
        start = float(point.get("warmup", 60))
        level = 0.3 + 0.1 * abs(np.log(start / 60)) + (0.05 if point.get("method") == "increlora" else 0)
        value = float(level + rng.normal(0, 0.02) + 0.01 * (seed % 3))
        curve = tuple((step, float(value + (1 - value) * np.exp(-step / 150))) for step in range(0, 601, 25))
        common = {"number": number, "point": point, "seed": seed, "total_steps": 600}
        if number >= share * len(planned):
            trials.append(TrialRecord(state="waiting", **common))
        elif number % 17 == 5:
            trials.append(TrialRecord(state="failed", error="diverged: loss is NaN at step 90", steps=90, **common))
        elif number % 13 == 6:
            trials.append(TrialRecord(state="pruned", value=curve[6][1], steps=150, intermediate=curve[:6], **common))
        else:
            trials.append(
                TrialRecord(
                    state="complete", value=value, steps=600, intermediate=curve, parameters=7000 + 30 * int(start),
                    run=f"20260101-000000-{number:04x}-{point.get('method', 'triadaptlora')}", seconds=12.0, **common,
                )
            )  # fmt: skip
    counts = {state: sum(trial.state == state for trial in trials) for state in {trial.state for trial in trials}}
    info = StudyInfo(
        "study-20260101-000000-abcd", "Made up", "running" if share < 1 else "finished", created=1.7e9,
        metric="relative loss", points=len(points), trials=len(planned), counts=counts, seconds=93.0,
    )  # fmt: skip
    return StudyRecord(info, config, tuple(trials))
