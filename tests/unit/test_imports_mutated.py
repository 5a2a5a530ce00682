"""Files to import, harmed in a hundred ways each: one clear line or a whole run, and never anything between."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import struct
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foreign_files import PATHS, adalora_log, lora_adapter, pruned_ranks, zipped
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from triadapt.config import ConfigError
from triadapt.events import RankEvent, Stamped
from triadapt.imports.any_path import import_path
from triadapt.runs.bundle import recorded_races
from triadapt.runs.export import document
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.views.board import board_frame, run_frame
from triadapt.views.compare.record import record_of
from triadapt.views.compare.table import side_by_side, summary_row
from triadapt.views.health import findings
from triadapt.views.pieces import payload

TIMES = 100
NAMES = [
    "../../out",
    "/etc/out",
    "a\nb",
    "<img src=x onerror=alert(1)>",
    "[a](http://b)",
    "\x00",
    "",
    "x" * 5000,
    "\ud800",
]
VALUES = [None, True, -1, 0, 10**30, -(2**63), 1e308, float("nan"), float("inf"), "1", "", [], {}, [[]], [None] * 3]


def bytes_harmed(data: bytes, rng: random.Random) -> bytes:
    """Cut, flipped, doubled or filled with something else."""
    at = rng.randrange(len(data))
    many = rng.randint(1, 40)
    return rng.choice(
        [
            data[:at], data[at:], data[:at] + data, data[:at] + bytes(many) + data[at:],
            data[:at] + rng.randbytes(many) + data[at + many :],
            data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :],
        ]
    )  # fmt: skip


def json_harmed(value: Any, rng: random.Random) -> Any:
    """Something in it is of another type, too large, missing, or called by another name."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        way = rng.random()
        if way < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if way < 0.2:
            return {(rng.choice(NAMES) if key == name else key): item for key, item in value.items()}
        return {**value, name: json_harmed(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], json_harmed(value[at], rng), *value[at + 1 :]]
    if isinstance(value, str) and value[:1] == "{" and rng.random() < 0.9:
        return json.dumps(json_harmed(json.loads(value), rng))
    return rng.choice(NAMES if isinstance(value, str) and rng.random() < 0.7 else VALUES)


def drawn(info: RunInfo, rows: list[Stamped]) -> None:
    """What the pages make of a run."""
    frame = run_frame(info.id, rows, after=0, generation=0, status={"state": info.state})
    board_frame(info.race, [frame], full=True)
    for row in rows:
        if isinstance(row.event, RankEvent):
            payload(row)
    findings(row.event for row in rows)
    json.dumps(document([(info, rows)]), allow_nan=False)
    record = record_of(rows)
    if record is not None:
        summary_row(side_by_side([(info, record)])[0])


def taken(runs: Path, path: Path) -> bool:
    """Whether it came in. What does not costs one line, and leaves nothing."""
    before = sorted(runs.iterdir()) if runs.exists() else []
    try:
        run_ids = import_path(runs, path)
    except (RunError, ConfigError) as error:
        assert str(error).isprintable() and 0 < len(str(error)) < 2000, error
        assert (sorted(runs.iterdir()) if runs.exists() else []) == before
        return False
    infos = {info.id: info for info in list_runs(runs)}
    for run_id in run_ids:
        assert infos[run_id].state != "damaged"
        drawn(infos[run_id], RunReader(runs / run_id).events())
        shutil.rmtree(runs / run_id)
    assert sorted(runs.iterdir()) == before
    return True


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Lines of a recorded race, of two runs and few events."""
    (path,) = [race.path for race in recorded_races() if race.slug == "healthy-race"]
    header, *lines = gzip.decompress(path.read_bytes()).splitlines()
    runs: list[bytes] = []
    while lines and len(runs) < 60:
        about = json.loads(lines[0])
        count = about["events"]
        runs += [json.dumps(about | {"events": min(count, 29)}).encode(), *lines[1 : 1 + min(count, 29)]]
        lines = lines[1 + count :]
    return [json.dumps(json.loads(header) | {"runs": 2}).encode(), *runs]


def packed(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", compresslevel=1, mtime=0))
    return path


def test_harmed_bundles(tmp_path: Path, bundle: list[bytes]) -> None:
    runs, path = tmp_path / "runs", tmp_path / "a.jsonl.gz"
    assert taken(runs, packed(path, bundle))
    came_in = 0
    for seed in range(TIMES):
        rng, lines = random.Random(seed), list(bundle)
        at = rng.choice([0, 1, 2, 31, rng.randrange(len(lines))])
        if seed % 4 == 0:
            packed(path, lines)
            path.write_bytes(bytes_harmed(path.read_bytes(), rng))
        elif seed % 4 == 1:
            lines[at] = bytes_harmed(lines[at], rng)
            packed(path, lines)
        else:
            lines[at] = json.dumps(json_harmed(json.loads(lines[at]), rng)).encode()
            packed(path, lines)
        came_in += taken(runs, path)
    assert 0 < came_in < TIMES


def records(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(data[at + 12 : at + 12 + length])
        at += length + 16
    return found


def framed(record: bytes) -> bytes:
    head = struct.pack("<Q", len(record))
    return head + struct.pack("<I", masked_crc32c(head)) + record + struct.pack("<I", masked_crc32c(record))


def test_harmed_event_files(tmp_path: Path) -> None:
    (log,) = adalora_log(
        tmp_path / "log", {step: ranks for step, ranks in pruned_ranks().items() if step < 500}
    ).iterdir()
    data, path = log.read_bytes(), tmp_path / "events.out.tfevents.1"
    assert taken(tmp_path / "runs", log)
    whole = records(data)
    came_in = 0
    for seed in range(TIMES):
        rng = random.Random(seed)
        if seed % 3 == 0:
            path.write_bytes(bytes_harmed(data, rng))
        else:  # with checksums that fit, so that what is inside is looked at
            held = list(whole)
            for at in rng.sample(range(len(held)), rng.randint(1, 5)):
                name = PATHS[0].encode()
                other = rng.choice(NAMES).encode("utf-8", "replace")[: len(name)].ljust(len(name), b"_")
                harmed = held[at].replace(name, other) if rng.random() < 0.5 else bytes_harmed(held[at] or b"\0", rng)
                held[at] = harmed
            path.write_bytes(b"".join(framed(record) for record in held))
        came_in += taken(tmp_path / "runs", path)
    assert 0 < came_in < TIMES


def harmed_adapter(folder: Path, files: dict[str, bytes], rng: random.Random) -> None:
    held = dict(files)
    name = rng.choice(list(held))
    data = held[name]
    way = rng.random()
    if way < 0.3:
        held[name] = bytes_harmed(data, rng)
    elif name.endswith(".json"):
        held[name] = json.dumps(json_harmed(json.loads(data), rng)).encode()
    else:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        for _ in range(rng.randint(1, 3)):
            header = json_harmed(header, rng)
        text = json.dumps(header).encode()
        held[name] = len(text).to_bytes(8, "little") + text + data[8 + length :]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in held.items():
        (folder / name).write_bytes(data)


def test_harmed_adapters(tmp_path: Path) -> None:
    made = lora_adapter(tmp_path / "made", [1, 2, 3, 4, 5, 6, 7, 8], alpha_pattern={"layer.1": 3}, use_rslora=True)
    files = {file.name: file.read_bytes() for file in made.iterdir()}
    assert taken(tmp_path / "runs", made)
    came_in = 0
    for seed in range(TIMES):
        harmed_adapter(tmp_path / "a", files, random.Random(seed))
        came_in += taken(tmp_path / "runs", tmp_path / "a")
    assert 0 < came_in < TIMES


@pytest.mark.parametrize("name", ["good", "../a", "/a", "a\nb", "<b>"])
def test_harmed_archives(tmp_path: Path, name: str) -> None:
    made = lora_adapter(tmp_path / "made")
    members = {f"{name}/{file.name}": file.read_bytes() for file in made.iterdir()}
    data = zipped(tmp_path / "a.zip", members).read_bytes()
    harm: Callable[[bytes, random.Random], bytes] = bytes_harmed
    came_in = taken(tmp_path / "runs", tmp_path / "a.zip")
    assert came_in == (name in ("good", "<b>"))
    for seed in range(TIMES // 5):
        (tmp_path / "a.zip").write_bytes(harm(data, random.Random(seed)))
        taken(tmp_path / "runs", tmp_path / "a.zip")
    assert {path.name for path in tmp_path.iterdir()} <= {"a.zip", "made", "runs"}


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_of_a_tar_that_is_a_bomb_is_one_line(kind: bytes, tmp_path: Path) -> None:
    runs, path = tmp_path / "runs", tmp_path / "bomb.tar.gz"
    size = 2**24
    header = tarfile.TarInfo("a")
    header.type, header.size = kind, size
    with gzip.open(path, "wb", 1) as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        file.write(b"a" * size)
        file.write(tarfile.TarInfo("b.txt").tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    tracemalloc.start()
    with pytest.raises(RunError) as error:
        import_path(runs, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a header of 16.0 MB in it, at most 16 kB are taken; pack the files again" in str(error.value)
    assert peak < size / 4 and not (runs.exists() and list(runs.iterdir()))


def test_many_small_headers_of_a_tar_are_one_line(tmp_path: Path) -> None:
    path, header, said = tmp_path / "bomb.tar.gz", tarfile.TarInfo("a"), b"12 a=bcdefg\n".ljust(512, b"\0")
    header.type, header.size = tarfile.XGLTYPE, 12
    with gzip.open(path, "wb", 1) as file:
        file.write((header.tobuf(tarfile.USTAR_FORMAT) + said) * 20_000 + bytes(1024))
    with pytest.raises(RunError, match=r"bomb\.tar\.gz: ") as error:
        import_path(tmp_path / "runs", path)
    assert "\n" not in str(error.value)
