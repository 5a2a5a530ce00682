"""Scalars and texts of TensorBoard's event files, every one of them, without TensorFlow or torch."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from triadapt.runs.info import RunError

MOST_BYTES = 512 * 2**20
MOST_FILES = 200
MOST_VALUES = 5_000_000
LONGEST_RECORD = 2**20
"""Bytes of an event that is read; pictures and models are longer, and passed over."""
MARK = "tfevents"
_HEADER = 12


@dataclass(frozen=True)
class Point:
    """A scalar as it was logged: seconds since 1970, and the value."""

    time: float
    value: float


@dataclass
class LoggedScalars:
    """tag -> step -> what was logged there, the last where there are several; tags in the order of their first
    appearance. texts: tag -> the last text."""

    scalars: dict[str, dict[int, Point]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def event_files(folder: Path) -> dict[Path, list[Path]]:
    """Event files under `folder` by the folder they lie in, in order of their names. Links are not followed. Raises
    RunError for too many, and for more than `MOST_BYTES` of them."""
    found: dict[Path, list[Path]] = {}
    seen = size = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        seen += 1 + len(names)
        if seen > 100_000:
            raise RunError(f"{folder}: more than 100000 files; name the folder of one training")
        files = [Path(place) / name for name in sorted(names) if MARK in name]
        files = [file for file in files if file.is_file() and not file.is_symlink()]
        if files:
            found[Path(place)] = files
            size += sum(file.stat().st_size for file in files)
    if sum(map(len, found.values())) > MOST_FILES:
        raise RunError(f"{folder}: more than {MOST_FILES} event files; name the folder of one training")
    if size > MOST_BYTES:
        raise RunError(f"{folder}: {size / 2**20:.0f} MB of event files; at most {MOST_BYTES // 2**20} MB are read")
    return found


def is_event_file(path: Path) -> bool:
    """Whether a file begins like an event file: a length and the checksum of it."""
    with open(path, "rb") as file:
        return _length(file.read(_HEADER)) is not None


def read_scalars(paths: list[Path]) -> LoggedScalars:
    """What event files hold, in the order of `paths`. A record that is cut off at the end of a file, as of a training
    under way, ends it. Raises RunError naming the file that is damaged, OSError."""
    logged = LoggedScalars()
    count = 0
    for path in paths:
        for number, record in enumerate(_records(path)):
            event = Event()
            try:
                event.ParseFromString(record)
            except DecodeError as error:
                raise RunError(f"{path}: event {number} is damaged ({error})") from None
            for value in event.summary.value:
                count += 1
                _keep(logged, value, int(event.step), float(event.wall_time))
        if count > MOST_VALUES:
            raise RunError(f"{path}: more than {MOST_VALUES} values in all; name the folder of one training")
    return logged


def _keep(logged: LoggedScalars, value: Any, step: int, time: float) -> None:
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        number: float | None = float(value.simple_value)
    elif kind == "tensor":
        if value.metadata.plugin_data.plugin_name == "text" or value.tensor.string_val:
            logged.texts[value.tag] = b"".join(value.tensor.string_val[:1]).decode("utf-8", "replace")
            return
        number = _scalar_of(value.tensor)
    else:
        return
    if number is not None:
        logged.scalars.setdefault(value.tag, {})[step] = Point(time if math.isfinite(time) else 0.0, number)


def _scalar_of(tensor: Any) -> float | None:
    """The number in a tensor of one element, as newer writers log a scalar."""
    if any(size.size != 1 for size in tensor.tensor_shape.dim):
        return None
    for name in ("float_val", "double_val", "int_val", "int64_val"):
        values = getattr(tensor, name)
        if len(values) == 1:
            return float(values[0])
    formats = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # DT_FLOAT, DT_DOUBLE, DT_INT32, DT_INT64
    packed = formats.get(tensor.dtype)
    if packed is None or len(tensor.tensor_content) != struct.calcsize(packed):
        return None
    return float(struct.unpack(packed, tensor.tensor_content)[0])


def _records(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise RunError(f"{path}: {size / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} MB are read")
        number = 0
        while len(header := file.read(_HEADER)) == _HEADER:
            length = _length(header)
            if length is None:
                what = "not an event file of TensorBoard" if number == 0 else f"event {number} is damaged"
                raise RunError(f"{path}: {what}")
            if length + 4 > size - file.tell():
                return
            if length > LONGEST_RECORD:
                file.seek(length + 4, os.SEEK_CUR)
            else:
                record = file.read(length)
                if struct.unpack("<I", file.read(4))[0] != masked_crc32c(record):
                    raise RunError(f"{path}: event {number} is damaged (its checksum does not fit)")
                yield record
            number += 1


def _length(header: bytes) -> int | None:
    if len(header) < _HEADER:
        return None
    length, checksum = struct.unpack("<QI", header)
    return int(length) if checksum == masked_crc32c(header[:8]) else None
