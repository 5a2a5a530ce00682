"""Bundles: one or several runs in one `.jsonl.gz` file, to hand on or to ship with the package.

A header line; then, for each run, one line with what is known of it and one line an event, its arrays in base64. Bytes
depend on the runs alone: no time stamp, no file name.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import importlib.resources
import itertools
import json
import math
import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from pydantic import TypeAdapter

from triadapt.config import RunConfig
from triadapt.events import Checkpointed, Stamped, decode, encode
from triadapt.runs.event_checks import LARGEST, check_events
from triadapt.runs.info import MEASURED, RunError, RunInfo
from triadapt.runs.library import LONGEST_NOTE, import_run_group, tidy_name
from triadapt.runs.thinning import thinned

FORMAT = "triadapt-bundle"
VERSION = 1
SUFFIX = ".jsonl.gz"
MAX_BYTES = 512 * 2**20
MAX_LINE = 64 * 2**20
MAX_RUNS = 64
MAX_TIMES, SMALL = 200, 32 * 2**20
"""How many times larger than the file its content may be, beyond `SMALL` bytes: runs pack ten to thirty times."""

_INFO_FIELDS = (
    "id", "race", "position", "name", "note", "method", "task", "state", "error", "created", "steps", "last_step",
    "generation", "seconds", "total_rank", "target_total_rank", "metric", "metric_value", "config", "lineage",
)  # fmt: skip


# Of which older files have none.
_LATER_FIELDS: dict[str, Any] = {"measured": {}, "rank_kind": ""}

_INFO = TypeAdapter(RunInfo, config=None)
LATEST = 4e9  # seconds since 1970, in the year 2096


class Readable(Protocol):
    """What a bundle is made of: `RunReader` and `BundleRun` are."""

    def info(self) -> RunInfo: ...
    def events(self, after: int = 0, limit: int | None = None) -> list[Stamped]: ...
    def snapshot(self, after: int = 0) -> tuple[RunInfo, list[Stamped]]: ...


@dataclass(frozen=True)
class BundleRun:
    """A run of a bundle, read like `RunReader`; its state is `recorded`. `ended` is the state it was in."""

    _info: RunInfo
    _events: list[Stamped]
    ended: str

    def info(self) -> RunInfo:
        """The run at a glance."""
        return self._info

    def events(self, after: int = 0, limit: int | None = None) -> list[Stamped]:
        """Events with a sequence number above `after`, oldest first, at most `limit`."""
        newer = [stamped for stamped in self._events if stamped.seq > after]
        return newer if limit is None else newer[:limit]

    def snapshot(self, after: int = 0) -> tuple[RunInfo, list[Stamped]]:
        """`info` and `events` together."""
        return self._info, self.events(after)


class Recorded(NamedTuple):
    """A race that is shipped with the package."""

    slug: str
    title: str
    description: str
    path: Path


def write_bundle(
    path: Path,
    readers: Sequence[Readable],
    *,
    title: str = "",
    description: str = "",
    thin: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write a bundle, whole or not at all.

    thin: keep at most so many `Step` events a run, see `thinning.thinned`; the header then says so.

    Raises RunError, FileExistsError, OSError.
    """
    if not readers:
        raise RunError("a bundle needs at least one run")
    if thin is not None and thin < 2:
        raise RunError(f"thin = {thin}: keep at least 2 step events, the first and the last")
    if path.exists() and not overwrite:
        raise FileExistsError(17, "exists already", str(path))
    header = {
        "format": FORMAT, "version": VERSION, "title": title, "description": description, "runs": len(readers),
        "thin": thin, "left_out": [] if thin is None else [Checkpointed.kind],
    }  # fmt: skip
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with (
            open(partial, "xb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as file,
        ):
            _put(file, header)
            for reader in readers:
                info, events = reader.info(), reader.events()
                if info.state == "damaged":
                    raise RunError(f"{info.id} is damaged: {info.error}")
                if thin is not None:
                    events = thinned(events, thin)
                values = info.as_dict()
                if isinstance(reader, BundleRun):
                    values["state"] = reader.ended
                _put(
                    file, {"run": {key: values[key] for key in (*_INFO_FIELDS, *_LATER_FIELDS)}, "events": len(events)}
                )
                for stamped in events:
                    _put(file, _event_line(stamped))
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def _put(file: gzip.GzipFile, values: dict[str, Any]) -> None:
    file.write(json.dumps(values, separators=(",", ":")).encode() + b"\n")


def _event_line(stamped: Stamped) -> dict[str, Any]:
    body, arrays = encode(stamped.event)
    line: dict[str, Any] = {
        "seq": stamped.seq, "step": stamped.event.step, "kind": stamped.event.kind, "time": stamped.time, "body": body,
    }  # fmt: skip
    if arrays:
        line["arrays"] = base64.b64encode(arrays).decode("ascii")
    return line


def read_bundle(path: Path) -> list[BundleRun]:
    """The runs of a bundle. Raises RunError with one line that says what is wrong."""
    lines = _lines(path)
    header = _header(path, next(lines, {}))
    runs = [_run(path, lines) for _ in range(header["runs"])]
    if next(lines, None) is not None:
        raise RunError(f"{path}: goes on after its last run")
    return runs


def read_header(path: Path) -> dict[str, Any]:
    """The first line of a bundle. Raises RunError."""
    return _header(path, next(_lines(path), {}))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    total = 0
    try:
        most = min(MAX_BYTES, max(SMALL, MAX_TIMES * path.stat().st_size))
        with gzip.open(path, "rb") as opened:
            file = cast(BinaryIO, opened)
            while line := file.readline(MAX_LINE + 1):
                total += len(line)
                if len(line) > MAX_LINE or total > most:
                    raise RunError(f"{path}: larger than {most // 2**20} MB unpacked, or a line too long")
                values = json.loads(line)
                if not isinstance(values, dict):
                    raise RunError(f"{path}: not a bundle of runs (a line that is no JSON object)")
                yield values
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RunError(f"{path}: not a whole gzip file ({error})") from error
    except RunError:
        raise
    except (ValueError, RecursionError) as error:  # no JSON, no text, or a number of too many digits
        raise RunError(f"{path}: not a bundle of runs ({error})") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error})") from error


def _header(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    if header.get("format") != FORMAT:
        raise RunError(f"{path}: not a bundle of runs (its first line does not say {FORMAT!r})")
    if header.get("version") != VERSION:
        raise RunError(f"{path}: bundle version {header.get('version')!r}, this version of triadapt reads {VERSION}")
    runs = header.get("runs")
    if type(runs) is not int or not 0 < runs <= MAX_RUNS:
        raise RunError(f"{path}: runs = {runs!r}: expected 1 to {MAX_RUNS}")
    return header


def _run(path: Path, lines: Iterator[dict[str, Any]]) -> BundleRun:
    try:
        line = next(lines)
        known = line["run"]
        info = _INFO.validate_python(
            {key: known[key] for key in _INFO_FIELDS}
            | {key: known.get(key, default) for key, default in _LATER_FIELDS.items()}
            | {"measured": _measured(known.get("measured", {}))}
        )
        info = replace(info, name=tidy_name(info.name), note=info.note[:LONGEST_NOTE])
        if not abs(info.created) < LATEST:
            raise ValueError(f"created = {info.created}: not a time")
        RunConfig.model_validate(info.config)
        events = [_stamped(next(lines)) for _ in range(int(line["events"]))]
        check_events([stamped.event for stamped in events])
    except StopIteration:
        raise RunError(f"{path}: ends before its last event") from None
    except RunError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise RunError(f"{path}: not a valid run in a bundle: {' '.join(str(error).split())}") from error
    if any(later.seq <= earlier.seq for earlier, later in itertools.pairwise(events)):
        raise RunError(f"{path}: events out of order")
    last = events[-1].seq if events else 0
    return BundleRun(replace(info, state="recorded", last_seq=last), events, info.state)


def _measured(values: dict[str, Any]) -> dict[str, float]:
    """What this program measures of a run, out of what a bundle says; older files have none. Raises ValueError."""
    found = {name: values[name] for name in MEASURED if name in values}
    for name, value in found.items():
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise ValueError(f"measured.{name} = {str(value)[:40]}: not a time above 0")
    return {name: float(value) for name, value in found.items()}


def _stamped(line: dict[str, Any]) -> Stamped:
    try:
        arrays = base64.b64decode(line.get("arrays", ""), validate=True)
    except binascii.Error as error:
        raise ValueError(f"arrays are not base64: {error}") from error
    seq, time = int(line["seq"]), float(line["time"])
    if not (0 < seq < LARGEST and 0 <= time < LATEST):
        raise ValueError(f"seq = {str(seq)[:40]}, time = {time:g}: not those of an event")
    return Stamped(seq, time, decode(line["kind"], int(line["step"]), line["body"], arrays))


def import_bundle(folder: Path, path: Path, called: str = "") -> list[str]:
    """Make runs of a bundle's runs, as one new race. called: the bundle's name where `path` is only a copy of it.
    Returns their ids. Raises RunError, OSError."""
    runs = read_bundle(path)
    group = [
        (replace(run.info(), state=run.ended), RunConfig.model_validate(run.info().config), run.events())
        for run in runs
    ]
    return import_run_group(folder, group, called or path.name).run_ids


def recorded_races() -> list[Recorded]:
    """The races shipped with the package, by their headers, in the order of their names. A damaged one is left out."""
    found = []
    for entry in sorted(importlib.resources.files("triadapt.recorded").iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(SUFFIX):
            continue
        path = Path(str(entry))
        with suppress(RunError):
            header = read_header(path)
            slug = entry.name.removesuffix(SUFFIX)
            found.append(Recorded(slug, str(header["title"]) or slug, str(header["description"]), path))
    return found
