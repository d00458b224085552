"""Parquet files as samples: a row is a sample, a row group is a unit of work.

The picture column holds bytes, a struct of bytes and path (Hugging Face `Image`), or a path; where there are no bytes
the path is a file beside the Parquet file. The first caption column that the file has is read, text or list of texts.
Every other column of one plain value goes into `meta`, null, NaN and infinity as null, dates and decimals as text.
Left out on purpose: nested and binary columns other than the picture, several pictures in a row.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types

from configs.schema.caption import ReadRules
from transforms.loaded import Loaded
from transforms.parquet_pages import batch_rows
from transforms.picture_files import add_picture_files
from transforms.raw_sample import (
    RawSample,
    add_caption_fields,
    add_meta_fields,
    add_picture,
    check_picture_found,
    load_failure,
    load_sample,
)
from transforms.records import Failure, Span, Unit

BATCH_BYTES = 16 << 20
"""Bytes of rows decoded at a time, by the row group's pages; row groups of pictures reach gigabytes."""
WINDOW_BYTES = 1 << 30
"""Bytes of one column held for reading spans again. Row groups of pictures are mostly smaller."""
BUFFER_BYTES = 1 << 20
Broken = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What pyarrow raises for damaged files: OSError among them, for a bad page or a bad footer."""
UNHELD = (ValueError, OverflowError, LookupError, pa.ArrowException)
"""What it raises for a sound value that Python cannot hold: a day after the year 9999, a time in an unknown zone."""


class Columns(NamedTuple):
    """Which columns of a file mean what. Names only; `key` is empty where the file has none."""

    picture: str
    caption: str
    key: str
    meta: tuple[str, ...]


def row_groups(source: str | BinaryIO) -> list[tuple[int, int]]:
    """(first row, row behind the last) of each row group; pyarrow's error or OSError where it is no Parquet file."""
    with pq.ParquetFile(source) as file:
        counts = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    return [(sum(counts[:i]), sum(counts[: i + 1])) for i in range(len(counts))]


def read_parquet(path: str, unit: Unit, rules: ReadRules) -> Iterator[Loaded]:
    """The rows of row group `unit.part`. Damage is one failed row in the place of all that cannot be read.

    Raises OSError where the file cannot be opened at all.
    """
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            message = "expected a Parquet file, found a file of zero bytes"
            yield load_failure(unit, 0, Failure("UnitEmpty", message, f"{unit.uri}@0-0"))
            return
        position = 0
        rows = _read_rows(file, unit, rules)
        while True:
            try:  # around one step, so that what the consumer raises is never taken for a broken file
                raw = next(rows, None)
            except Broken as error:
                yield _broken(unit, position, str(error))
                return
            if raw is None:
                return
            position += 1
            yield load_sample(raw)


def read_column(file: BinaryIO, row: int, column: str) -> tuple[int, pa.ChunkedArray]:
    """(first row, column) of the row group that holds `row`, or of WINDOW_BYTES around it: for reading spans again.

    pyarrow's error or OSError where the file is damaged or short, KeyError where it has no such column.
    """
    for part, (start, end) in enumerate(row_groups(file)):
        if start <= row < end:
            return _read_window(file, (part, start), row, column)
    raise OSError(f"expected row {row} in the file, found none of that number")


def _read_window(file: BinaryIO, group: tuple[int, int], row: int, column: str) -> tuple[int, pa.ChunkedArray]:
    (part, first), held = group, 0
    parquet = pq.ParquetFile(file, buffer_size=BUFFER_BYTES)
    parquet.schema_arrow.field(column)
    size = batch_rows(file, part, [column], BATCH_BYTES)
    window: deque[pa.Array] = deque()
    for batch in parquet.iter_batches(batch_size=size, row_groups=[part], columns=[column], use_threads=False):
        window.append(batch.column(0))
        held += batch.nbytes
        while held > WINDOW_BYTES and first + len(window[0]) <= row:
            held -= window[0].nbytes
            first += len(window.popleft())
        if held > WINDOW_BYTES:
            break
    return first, pa.chunked_array(list(window))


def split_member(member: str) -> tuple[str, int | None]:
    """(column, index in its list) of a span's member: `images[2]` is the third of a list, `image` a cell itself."""
    match = _IN_LIST.fullmatch(member)
    return (match[1], int(match[2])) if match else (member, None)


_IN_LIST = re.compile(r"(.+)\[([0-9]{1,9})\]", re.DOTALL)


def picture_bytes(value: pa.Scalar) -> pa.Buffer | None:
    """The bytes of a picture cell without a copy; None where the cell holds none."""
    if types.is_struct(value.type):
        value = value["bytes"] if value.is_valid else value
    return value.as_buffer() if value.is_valid and _is_binary(value.type) else None


def find_columns(schema: pa.Schema, rules: ReadRules) -> Columns:
    """pa.ArrowInvalid naming the column whose absence or type makes the file unreadable under `rules`."""
    if rules.image_column not in schema.names:
        raise pa.ArrowInvalid(f"expected a picture column {rules.image_column!r}, found {schema.names}")
    picture = schema.field(rules.image_column)
    if not _is_picture(picture.type):
        raise pa.ArrowInvalid(
            f"expected {picture.name!r} as binary, string or struct{{bytes, path}}, found {picture.type}"
        )
    caption = next((name for name in rules.caption_columns if name in schema.names), "")
    if caption and not _is_caption(schema.field(caption).type):
        raise pa.ArrowInvalid(f"expected {caption!r} as string or list of string, found {schema.field(caption).type}")
    key = rules.key_column if rules.key_column in schema.names else ""
    used = {picture.name, caption, key}
    return Columns(
        picture.name, caption, key, tuple(f.name for f in schema if f.name not in used and _is_plain(f.type))
    )


def _read_rows(file: BinaryIO, unit: Unit, rules: ReadRules) -> Iterator[RawSample]:
    # buffer_size: without it pyarrow loads the whole column chunk of a row group at once.
    parquet = pq.ParquetFile(file, buffer_size=BUFFER_BYTES)
    if not parquet.metadata.num_row_groups and unit.start == unit.end:
        return
    if unit.part >= parquet.metadata.num_row_groups:
        found = parquet.metadata.num_row_groups
        raise pa.ArrowInvalid(f"expected a row group {unit.part}, found {found} row groups")
    columns = find_columns(parquet.schema_arrow, rules)
    names = [name for name in (columns.picture, columns.caption, columns.key, *columns.meta) if name]
    size = batch_rows(file, unit.part, names, BATCH_BYTES)
    position = 0
    for batch in parquet.iter_batches(batch_size=size, row_groups=[unit.part], columns=names, use_threads=False):
        for index in range(batch.num_rows):
            yield _read_row(batch, index, RawSample(unit, position, str(unit.start + position)), (columns, rules))
            position += 1


def _read_row(batch: pa.RecordBatch, index: int, raw: RawSample, how: tuple[Columns, ReadRules]) -> RawSample:
    columns, rules = how
    row = raw.unit.start + raw.position
    place = f"{raw.unit.uri}@{row}-{row + 1}"
    cell = batch.column(columns.picture)[index]
    data = picture_bytes(cell)
    if data is not None:
        add_picture(raw, Span(raw.unit.uri, row, row + 1, "parquet", columns.picture), memoryview(data), rules)
    else:
        add_picture_files(raw, _path(cell), place, rules)
    check_picture_found(raw, place)
    if columns.caption:
        add_caption_fields(raw, {columns.caption: _texts(batch.column(columns.caption)[index])}, place, rules)
    try:
        if columns.key and (key := _plain(batch.column(columns.key)[index])) is not None:
            raw.source_key = str(key)
        add_meta_fields(raw, {name: _plain(batch.column(name)[index]) for name in columns.meta}, place, rules)
    except UNHELD as error:
        message = f"expected values that Python or a text can hold, found {type(error).__name__}: {error}"
        raw.failures.append(Failure("ParquetBroken", message, place))
    return raw


def _path(cell: pa.Scalar) -> str | None:
    if types.is_struct(cell.type):
        return cell["path"].as_py() if cell.is_valid and "path" in cell.type.names else None
    return None if _is_binary(cell.type) else cell.as_py()


def _texts(cell: pa.Scalar) -> bytes | list[bytes | None] | None:
    """Bytes and not str, so that a text that is not UTF-8 fails its row and not the file."""
    if not cell.is_valid:
        return None
    return [_text(item) for item in cell.values] if _is_list(cell.type) else _text(cell)


def _text(cell: pa.Scalar) -> bytes | None:
    if isinstance(cell, pa.DictionaryScalar):
        cell = cell.value
    return cell.as_buffer().to_pybytes() if cell.is_valid else None


def _plain(cell: pa.Scalar) -> Any:
    if _is_string(cell.type):
        data = _text(cell)
        return None if data is None else data.decode("utf-8", "backslashreplace")
    try:
        value = cell.as_py()
    except UNHELD:
        value = cell.cast(pa.string()).as_py()
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _broken(unit: Unit, position: int, found: str) -> Loaded:
    message = f"expected a readable Parquet row group {unit.part}, found: {found}"
    return load_failure(unit, position, Failure("ParquetBroken", message, f"{unit.uri}@{unit.start}-{unit.end}"))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)) or (
        kind == pa.binary_view()
    )


def _is_string(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        return _is_string(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind)) or kind == pa.string_view()


def _is_list(kind: pa.DataType) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_picture(kind: pa.DataType) -> bool:
    if types.is_struct(kind):
        return "bytes" in kind.names and _is_binary(kind.field("bytes").type)
    return _is_binary(kind) or _is_string(kind)


def _is_caption(kind: pa.DataType) -> bool:
    item = kind.value_type if _is_list(kind) else kind
    return _is_string(item) or _is_binary(item)


def _is_plain(kind: pa.DataType) -> bool:
    return not (types.is_nested(kind) or _is_binary(kind))
