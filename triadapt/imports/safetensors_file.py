"""A safetensors file read with numpy alone: names, shapes, and tensors one at a time, bfloat16 among them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.runs.info import RunError

MOST_BYTES = 2**30
LONGEST_HEADER = 16 * 2**20
MOST_TENSORS = 200_000
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U8": "<u1", "BOOL": "<u1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies: its type, shape, and first and last byte in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """The tensors of a file by name, `tensors`. Raises RunError for a file that is not whole or too large, OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise RunError(f"{path}: {size / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} MB are read")
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, LONGEST_HEADER):
                raise RunError(f"{path}: not a safetensors file (its header does not fit into it)")
            try:
                header = json.loads(file.read(length))
            except (ValueError, RecursionError) as error:
                raise RunError(f"{path}: not a safetensors file ({error})") from None
        if not isinstance(header, dict) or len(header) > MOST_TENSORS:
            raise RunError(f"{path}: not a safetensors file (its header is no table of at most {MOST_TENSORS} tensors)")
        header.pop("__metadata__", None)
        self.tensors = {name: self._place(name, entry, 8 + length, size) for name, entry in header.items()}

    def _place(self, name: str, entry: Any, start: int, size: int) -> Stored:
        try:
            dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            whole = all(type(number) is int and 0 <= number < 2**40 for number in (*shape, begin, end))
            if whole and len(shape) < 8 and dtype in _TYPES and 0 <= begin <= end <= size - start:
                if math.prod(shape) * np.dtype(_TYPES[dtype]).itemsize == end - begin:
                    return Stored(dtype, shape, start + begin, start + end)
        except (TypeError, KeyError, ValueError):
            pass
        raise RunError(f"{self.path}: tensor {name[:80]!r}: type, shape and place in the file do not fit together")

    def read(self, name: str) -> NDArray[Any]:
        """One tensor; floating point as float64. Raises RunError for numbers that are not finite."""
        stored = self.tensors[name]
        with open(self.path, "rb") as file:
            file.seek(stored.begin)
            data = file.read(stored.end - stored.begin)
        raw = np.frombuffer(data, _TYPES[stored.dtype]).reshape(stored.shape)
        if stored.dtype == "BF16":
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        if raw.dtype.kind != "f":
            return raw
        with np.errstate(all="ignore"):  # a NaN that signals
            values = raw.astype(np.float64)
        if not np.isfinite(values).all():
            raise RunError(f"{self.path}: tensor {name[:80]!r} holds numbers that are not finite")
        return values
