"""Parquet files, read with a limit: one text a million times is small on disk, and large as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

MOST_BYTES, MOST_OF_A_HEAD = 2**30, 64 * 2**20
LONGEST_CELL = 1_000_000
LARGEST_GROUP = 2**30
MOST_TIMES = 200
"""How many times larger than on disk a column may be, beyond `MOST_OF_A_HEAD`, repeated texts not counted."""
_TEXTS = {"string", "large_string", "string_view", "binary", "large_binary", "binary_view"}
_PIECE, _BATCH_ROWS = 16 * 2**20, 20_000


def most_bytes(rows: int | None) -> int:
    """What the first `rows` may have as texts and numbers; None: the whole table."""
    return MOST_BYTES if rows is None else min(MOST_BYTES, max(MOST_OF_A_HEAD, rows * 32 * 2**10))


def batches(
    file: Any, columns: Sequence[str] | None = None, rows: int | None = None,
    most: int | None = None, longest: int = LONGEST_CELL,
) -> Iterator[Any]:  # fmt: skip
    """Pieces of an opened file, none far larger than 16 MB but for its longest cell. file: as `opened` returns it.
    columns: None: all that hold texts, numbers or times, so no lists. most: bytes of all pieces; longest: of a cell.
    Raises ValueError, before anything is unpacked that is larger."""
    most = most_bytes(rows) if most is None else most
    names = [field.name for field in file.schema_arrow if is_flat(field.type)] if columns is None else list(columns)
    seen = taken = 0
    for group in range(file.num_row_groups):
        many = _checked(file.metadata.row_group(group), group, set(names))
        for batch in file.iter_batches(many, row_groups=[group], columns=names):
            batch = batch if rows is None else batch.slice(0, rows - seen)
            seen += batch.num_rows
            size = _size(batch, seen, longest)
            taken += size
            if taken > most:
                raise ValueError(
                    f"the first {seen:,} rows have more than {most // 2**20} MB unpacked; give fewer, or shorter cells"
                )
            step = max(1, batch.num_rows * _PIECE // max(_PIECE, size))
            for start in range(0, batch.num_rows, step):
                yield _decoded(batch.slice(start, step))
            if seen == rows:
                return


def opened(path: Path) -> Any:
    """The file, to be read with `batches` and closed. Repeated texts stay what they are on disk: numbers of texts."""
    parquet = import_module("pyarrow.parquet")
    with parquet.ParquetFile(path) as file:
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
    return parquet.ParquetFile(path, read_dictionary=texts, pre_buffer=False)


def is_flat(kind: Any) -> bool:
    """Whether a column of this Arrow type holds a text, a number, a time or nothing in each row."""
    types = import_module("pyarrow").types
    return bool(
        types.is_null(kind) or types.is_primitive(kind) or types.is_decimal(kind) or _is_text(kind)
        or (types.is_fixed_size_binary(kind) and kind.byte_width <= 64)
    )  # fmt: skip


def _is_text(kind: Any) -> bool:
    return str(getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind) in _TEXTS


def _checked(group: Any, number: int, names: set[str]) -> int:
    """How many rows of a row group are read at once. Raises ValueError for what is too large to be unpacked at all."""
    size = 0
    for column in (group.column(at) for at in range(group.num_columns)):
        if column.path_in_schema not in names:
            continue
        large, packed = column.total_uncompressed_size, max(1, column.total_compressed_size)
        if large > MOST_OF_A_HEAD and large > MOST_TIMES * packed:
            raise ValueError(
                f"column {column.path_in_schema[:40]!r} is {large // packed:,} times larger "
                f"unpacked, the limit is {MOST_TIMES}; write it without compression"
            )
        size += large
    if size > LARGEST_GROUP:
        limit = LARGEST_GROUP // 2**20
        raise ValueError(
            f"row group {number} has {size // 2**20} MB unpacked, the limit is {limit}; write smaller ones"
        )
    return int(max(1, min(_BATCH_ROWS, group.num_rows * _PIECE // max(1, size))))


def _size(batch: Any, seen: int, longest: int) -> int:
    compute, types = import_module("pyarrow.compute"), import_module("pyarrow").types
    size = 0
    for field, column in zip(batch.schema, batch.columns, strict=True):
        size += 16 * batch.num_rows
        if types.is_dictionary(field.type):
            lengths = compute.binary_length(column.dictionary).take(column.indices)
            largest = compute.max(lengths).as_py() or 0
            if largest > longest:
                raise ValueError(
                    f"column {field.name[:40]!r}: a cell of {largest:,} bytes in the first {seen:,} rows, "
                    f"the limit is {longest:,}; cut it"
                )
            size += compute.sum(lengths).as_py() or 0
    return size


def _decoded(batch: Any) -> Any:
    arrow = import_module("pyarrow")
    columns = [
        column.dictionary_decode() if arrow.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    fields = [arrow.field(name, column.type) for name, column in zip(batch.schema.names, columns, strict=True)]
    return arrow.RecordBatch.from_arrays(columns, schema=arrow.schema(fields, batch.schema.metadata))
