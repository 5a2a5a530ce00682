"""Frames: how arrays reach the browser. A JSON header whose arrays stand as raw bytes behind it.

Layout: uint32 length of the header, the header (UTF-8 JSON, padded with spaces), the arrays one after another; header
and arrays start at multiples of 4 so that the browser can view them without a copy. Everything is little-endian.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DTYPES = {"u1": "<u1", "u2": "<u2", "u4": "<u4", "f2": "<f2", "f4": "<f4"}
_MARK = "$"


def pack(header: dict[str, Any]) -> bytes:
    """Bytes of a frame. Each numpy array inside `header`, at any depth, becomes `{"$": [dtype, offset, count]}` with
    the offset in bytes from the start of the array area; a 2-D array is flattened row by row.

    Floats that are not finite become null. Raises TypeError for an array that is not u1, u2, u4, f2, f4 (bool counts as
    u1, f8 as f4) and for values JSON does not know.
    """
    chunks: list[bytes] = []
    body = _plain(header, chunks, [0])
    text = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join((len(text).to_bytes(4, "little"), text, *chunks))


def _plain(value: Any, chunks: list[bytes], size: list[int]) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item, chunks, size) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, chunks, size) for item in value]
    if isinstance(value, np.ndarray):
        name, array = _wire(value)
        data = array.tobytes()
        data += b"\0" * (-len(data) % 4)
        reference = {_MARK: [name, size[0], int(array.size)]}
        chunks.append(data)
        size[0] += len(data)
        return reference
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _wire(array: Array) -> tuple[str, Array]:
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    elif array.dtype == np.float64:
        array = array.astype(np.float32)
    name = array.dtype.str[1:]
    if name not in DTYPES:
        raise TypeError(f"array of {array.dtype} cannot travel in a frame; use {', '.join(DTYPES)}")
    return name, np.ascontiguousarray(array, dtype=DTYPES[name])


def unpack(data: bytes) -> dict[str, Any]:
    """Inverse of `pack`, arrays as 1-D numpy arrays. Raises ValueError when the bytes are not a frame."""
    if len(data) < 4:
        raise ValueError(f"not a frame: {len(data)} bytes")
    length = int.from_bytes(data[:4], "little")
    try:
        header = json.loads(data[4 : 4 + length])
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a frame: {error}") from None
    restored: dict[str, Any] = _restore(header, memoryview(data)[4 + length :])
    return restored


def _restore(value: Any, area: memoryview) -> Any:
    if isinstance(value, dict):
        if set(value) == {_MARK}:
            name, offset, count = value[_MARK]
            return np.frombuffer(area, dtype=DTYPES[name], count=count, offset=offset)
        return {key: _restore(item, area) for key, item in value.items()}
    if isinstance(value, list):
        return [_restore(item, area) for item in value]
    return value
