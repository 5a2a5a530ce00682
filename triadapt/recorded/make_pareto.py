"""Put the finished runs of a folder into the recorded studies of the Methods page.

    python -m triadapt.recorded.make_pareto RUNS_FOLDER --slug planted --what "Five methods, three seeds" \\
        --command "triadapt train --method lora,increlora --set seed=1"

Of several kinds of runs in the folder (task, data, metric, steps, batch size) `--kind` names one; without it they are
listed. A study of the same slug is replaced.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.views.methods.kinds import kinds_of
from triadapt.views.methods.reading import KnownResults
from triadapt.views.methods.recorded import FILE, write_study
from triadapt.views.methods.result import Kind


def machine_in_words() -> str:
    """This machine as far as a time depends on it."""
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def study_of(folder: Path, kind: str | None = None) -> Kind:
    """The finished runs of a kind in a folder. Raises RunError naming the kinds there are."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; name a folder of runs")
    kinds = {found.key: found for found in kinds_of(KnownResults().of(list_runs(folder)))}
    if not kinds:
        raise RunError(f"{folder}: no finished run in it; train some first")
    listed = "; ".join(f"{key} ({found.label})" for key, found in kinds.items())
    if kind is None and len(kinds) > 1:
        raise RunError(f"{folder}: runs of {len(kinds)} kinds; name one with --kind: {listed}")
    if kind is not None and kind not in kinds:
        raise RunError(f"--kind {kind}: not in {folder}; there are {listed}")
    return kinds[kind] if kind is not None else next(iter(kinds.values()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, write, and say what was written. Returns 2 where the folder has no such runs."""
    parser = argparse.ArgumentParser(
        prog="python -m triadapt.recorded.make_pareto",
        description="Put the finished runs of a folder into the recorded studies of the Methods page.",
    )
    parser.add_argument("runs", type=Path, metavar="RUNS_FOLDER", help="a folder of runs")
    parser.add_argument("--slug", required=True, help="name of the study in an address, such as planted")
    parser.add_argument("--kind", help="key of the kind of runs, as listed when there are several")
    parser.add_argument("--title", help="what it is called; by default task and steps")
    parser.add_argument("--what", default="", help="a sentence on what was run")
    parser.add_argument("--command", default="", help="what makes the runs again")
    parser.add_argument("--machine", default=machine_in_words(), help="what trained, in words; default: %(default)s")
    parser.add_argument("--into", type=Path, default=Path(__file__).with_name(FILE), help="the file")
    options = parser.parse_args(arguments)
    try:
        found = study_of(options.runs, options.kind)
        study = replace(
            found, key=options.slug, title=options.title or found.title, what=options.what, command=options.command,
            machine=options.machine, recorded=True,
        )  # fmt: skip
        write_study(options.into, study)
    except (RunError, OSError) as error:
        print(f"make_pareto: {error}", file=sys.stderr)
        return 2
    print(f"{options.into}  {study.label}  {options.into.stat().st_size / 1024:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
