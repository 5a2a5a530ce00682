"""Train what the lessons show and write it down: `python -m triadapt.lessons.make [--only NAME] [--into DIR]`.

Writes the recorded races, and `full_change.safetensors`: what full fine-tuning, every entry of every matrix free,
changed on the planted task.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from triadapt.lessons.full_change import FILE, train_in_full
from triadapt.lessons.races import race_configs
from triadapt.lessons.recordings import ASKED, FOLDER, recording_path
from triadapt.lessons.registry import LESSONS
from triadapt.runs.bundle import write_bundle
from triadapt.runs.library import new_race
from triadapt.runs.reader import RunReader
from triadapt.workers.lockstep import Lockstep
from triadapt.workers.sessions import open_sessions

KEEP_STEPS = 100


def record(slug: str, into: Path) -> Path:
    """Train the race of a lesson and write its bundle. Raises RuntimeError when a run does not finish."""
    with tempfile.TemporaryDirectory() as scratch:
        race = new_race(Path(scratch), race_configs(slug, ASKED[slug]), LESSONS[slug].title)
        states = Lockstep(race.folders, open_sessions).run()
        if set(states.values()) != {"finished"}:
            raise RuntimeError(f"{slug} did not finish: {states}")
        path = into / recording_path(slug).name
        readers = [RunReader(folder) for folder in race.folders]
        write_bundle(path, readers, title=LESSONS[slug].title, thin=KEEP_STEPS, overwrite=True)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Record all, or those named."""
    parser = argparse.ArgumentParser(prog="python -m triadapt.lessons.make", description="Record the lessons' races.")
    parser.add_argument("--only", action="append", choices=[*ASKED, "full-change"])
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder of the files")
    options = parser.parse_args(arguments)
    options.into.mkdir(parents=True, exist_ok=True)
    for name in options.only or [*ASKED, "full-change"]:
        path = train_in_full(options.into / FILE) if name == "full-change" else record(name, options.into)
        print(f"{path}  {path.stat().st_size / 1024:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
