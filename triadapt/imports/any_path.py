"""Whatever `triadapt import` is given: it is looked at, then read by whoever knows it."""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

from triadapt.config import ConfigError
from triadapt.imports.adapter_folder import CONFIG, PICKLED, WEIGHTS, run_of_adapter
from triadapt.imports.archive import unpack_tar, unpack_zip
from triadapt.imports.event_files import MARK, event_files, is_event_file, read_scalars
from triadapt.imports.own_run import ForeignRun, store_runs
from triadapt.imports.rank_log import has_ranks, run_of_log
from triadapt.runs.bundle import SUFFIX, import_bundle
from triadapt.runs.info import RunError

KNOWN = (
    "a bundle (.jsonl.gz), a TensorBoard folder or event file with ranks, a PEFT adapter folder, or a .zip or .tar.gz"
)
MOST_RUNS, LONGEST_LINE = 24, 1000


def import_path(runs: Path, path: Path, name: str = "") -> list[str]:
    """Make runs of what is at `path`, as one new race: a bundle, a TensorBoard folder or event file that holds ranks, a
    PEFT adapter folder, or a zip or tar.gz of one of them. name: what it is called, where `path` is only a copy of it.

    Returns the ids. Raises RunError with one line that says what is wrong, OSError; no run is left behind then.
    """
    called = _called(name or path.absolute().name)
    try:
        return _import(runs, path, called)
    except RunError as error:
        # Paths of copies say nothing to whoever gave the name; and a file's name may hold anything.
        line = str(error).replace(str(path), name or str(path))
        line = "".join(c if c.isprintable() else " " for c in line)
        raise RunError(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}...") from error
    except ConfigError as error:
        raise RunError(f"{called}: {error.lines[0]}") from error
    except OSError as error:
        if runs in (Path(error.filename or "/"), *Path(error.filename or "/").parents):
            raise
        raise RunError(f"{called}: cannot be read ({error.strerror or error})") from error


def _called(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name)[:200]


def _import(runs: Path, path: Path, called: str) -> list[str]:
    if path.is_dir():
        return store_runs(runs, _runs_of_folder(path, called), called)
    if not path.is_file():
        raise RunError(f"{path}: there is no such file or folder" if not path.exists() else f"{path}: not a file")
    kind = _kind(path)
    if kind == "bundle":
        return import_bundle(runs, path, called)
    if kind == "events":
        return store_runs(runs, [_run_of_files([path], str(path), called)], called)
    if kind in ("zip", "tar"):
        with tempfile.TemporaryDirectory() as made:
            place = Path(made)
            (unpack_zip if kind == "zip" else unpack_tar)(path, place)
            try:
                return _import_unpacked(runs, place, called)
            except RunError as error:
                raise RunError(str(error).replace(f"{place}/", f"{called}: ").replace(str(place), called)) from error
    if path.name in (WEIGHTS, CONFIG, *PICKLED):
        raise RunError(f"{path}: name the folder that it is in, with {CONFIG} and {WEIGHTS}")
    raise RunError(f"{path}: not {KNOWN}")


def _import_unpacked(runs: Path, place: Path, called: str) -> list[str]:
    bundles = sorted(file for file in place.rglob(f"*{SUFFIX}") if file.is_file())
    if len(bundles) == 1:
        return import_bundle(runs, bundles[0], called)
    if bundles:
        raise RunError(f"{place}: {len(bundles)} bundles in it; import them one by one")
    adapters = sorted(file.parent for file in place.rglob(CONFIG))
    folder = adapters[0] if len(adapters) == 1 else place
    return store_runs(runs, _runs_of_folder(folder, called), called)


def _kind(path: Path) -> str:
    """By its first bytes; empty for what is not known."""
    with open(path, "rb") as file:
        begin = file.read(4)
    if begin[:4] == b"PK\x03\x04" or begin[:4] == b"PK\x05\x06":
        return "zip"
    if begin[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path, "rb") as unpacked:
                inside = unpacked.read(512)
        except (OSError, EOFError, zlib.error):
            return "tar" if path.name.endswith((".tar.gz", ".tgz")) else "bundle"
        return "tar" if inside[257:262] == b"ustar" else "bundle"
    return "events" if is_event_file(path) or MARK in path.name else ""


def _runs_of_folder(folder: Path, called: str) -> list[ForeignRun]:
    if (folder / CONFIG).is_file():
        return [run_of_adapter(folder, called, (folder / CONFIG).stat().st_mtime)]
    found = event_files(folder)
    if not found:
        pickled = next((file for file in PICKLED if (folder / file).exists()), "")
        if pickled or (folder / WEIGHTS).exists():
            raise RunError(f"{folder}: {CONFIG} is missing beside {pickled or WEIGHTS}")
        below = sorted(entry.name for entry in folder.iterdir() if (entry / CONFIG).is_file())
        if len(below) == 1:  # as our own export writes it, beside a README
            return _runs_of_folder(folder / below[0], called)
        if below:
            raise RunError(f"{folder}: adapters are in folders below it ({', '.join(below[:3])}); name one of them")
        raise RunError(f"{folder}: {'an empty folder' if not any(folder.iterdir()) else 'nothing to import in it'}; "
                       f"expected {KNOWN}")  # fmt: skip
    logs = {place: read_scalars(files) for place, files in found.items()}
    ranked = [place for place, logged in logs.items() if has_ranks(logged)]
    if len(ranked) > MOST_RUNS:
        raise RunError(f"{folder}: {len(ranked)} trainings with ranks below it; at most {MOST_RUNS} are taken at once")
    if len(ranked) > 1:  # a training each; what lies beside them belongs to nobody
        together = [(place, run_of_log(logs[place], str(place), called)) for place in ranked]
        return [replace(run, name=called, part=_called(str(place.relative_to(folder)))) for place, run in together]
    return [_run_of_files([file for files in found.values() for file in files], str(folder), called)]


def _run_of_files(files: list[Path], source: str, called: str) -> ForeignRun:
    return run_of_log(read_scalars(files), source, re.sub(rf"^events\.out\.{MARK}\.", "log of ", called))
