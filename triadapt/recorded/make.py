"""Train the recorded races and write their bundles: `python -m triadapt.recorded.make [--only SLUG] [--into DIR]`.

The folder of this module holds the results, which play before anything was trained. Equal programs on equal machines
give equal events; times of events are those of the machine that recorded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triadapt.config import RunConfig, parse_config
from triadapt.runs.bundle import SUFFIX, write_bundle
from triadapt.runs.library import new_race
from triadapt.runs.reader import RunReader
from triadapt.workers.lockstep import Lockstep
from triadapt.workers.sessions import open_sessions

KEEP_STEPS = 90


@dataclass(frozen=True)
class Recording:
    """One race to record: what it shows, and the configurations that show it."""

    slug: str
    title: str
    description: str
    methods: tuple[str, ...]
    values: dict[str, Any]

    def configs(self) -> list[RunConfig]:
        """One configuration a method."""
        return [parse_config({"task": "planted", **self.values, "method": method}) for method in self.methods]


RECORDINGS = (
    Recording(
        "healthy-race",
        "Four methods, one budget",
        "Every method reaches the same total rank with room to spare. Planted matrices are outlined: watch which "
        "method puts its rank there.",
        ("triadaptlora", "increlora", "adalora", "lora"),
        {},
    ),
    Recording(
        "warmup-too-long",
        "A warm-up that eats the run",
        "The warm-up ends 60 steps before the run does, so TriAdaptLoRA has two rank events and never reaches its "
        "budget. Plain LoRA with the whole budget from the start is beside it.",
        ("triadaptlora", "lora"),
        {"warmup": 540, "growth": "fixed", "top_h": 2},
    ),
    Recording(
        "adalora-never-allocates",
        "AdaLoRA that never allocates",
        "The interval is longer than the run and no steps are set aside for the final budget, so no mask ever fires: "
        "AdaLoRA ends at its start rank, above the budget that plain LoRA beside it keeps.",
        ("adalora", "lora"),
        {"interval": 1000, "adalora": {"final_share": 0.0}},
    ),
)


def record(recording: Recording, into: Path) -> Path:
    """Train the race and write its bundle. Raises RuntimeError when a run does not finish."""
    with tempfile.TemporaryDirectory() as scratch:
        race = new_race(Path(scratch), recording.configs(), recording.title)
        states = Lockstep(race.folders, open_sessions).run()
        if set(states.values()) != {"finished"}:
            errors = "; ".join(f"{info.id}: {info.error}" for info in (RunReader(f).info() for f in race.folders))
            raise RuntimeError(f"{recording.slug} did not finish: {errors}")
        path = into / f"{recording.slug}{SUFFIX}"
        write_bundle(
            path,
            [RunReader(folder) for folder in race.folders],
            title=recording.title,
            description=recording.description,
            thin=KEEP_STEPS,
            overwrite=True,
        )
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Record all races, or those named."""
    parser = argparse.ArgumentParser(prog="python -m triadapt.recorded.make", description="Record the shipped races.")
    parser.add_argument("--only", action="append", choices=[recording.slug for recording in RECORDINGS])
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, help="folder of the bundles")
    options = parser.parse_args(arguments)
    for recording in RECORDINGS:
        if not options.only or recording.slug in options.only:
            path = record(recording, options.into)
            print(f"{path}  {path.stat().st_size / 1024:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
