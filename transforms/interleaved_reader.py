"""Foreign interleaved sets as rows: Parquet and JSONL of any schema, tars of MINT-1T and of our own documents.

A row is a document with its pictures in reading order. Bytes are found in this order: in the Parquet cell itself; in
the tar that stands beside the records (`pictures/000000.tar` for `records/000000.jsonl`, or `x.tar` for `x.jsonl`) as
`{row:06d}.{n}.jpg` or under the name that the record gives; as a file of that name in the records' folder or its
`images`. A picture found nowhere stays a reference (`Span` of container `url`).
A record that is not of its schema costs one row, RecordBroken.
Left out on purpose: fetching addresses; single files beside records in an object store, but for conversations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema.caption import ReadRules
from transforms.folder_reader import line_places
from transforms.interleaved_documents import Document, RecordBroken, format_json
from transforms.interleaved_pictures import Beside, Bytes, place_bytes, place_inline
from transforms.interleaved_schemas import SCHEMAS, Schema
from transforms.interleaved_tars import read_document_tar
from transforms.loaded import Loaded
from transforms.parquet_pages import batch_rows
from transforms.parquet_reader import BATCH_BYTES, BUFFER_BYTES, UNHELD, Broken, picture_bytes
from transforms.raw_sample import check_meta_size, clean_key, load_failure, parse_meta
from transforms.records import Failure, Sample, Span, Unit

IMAGES, IMAGE = "images", "image"
"""The columns that may hold bytes: a list of pictures in the list schemas, or one in the library datasets' sets."""


def read_interleaved(path: str, unit: Unit, rules: ReadRules, staging: str, *, schema: str) -> Iterator[Loaded]:
    """The rows of a unit of the schema of that name, as `read_records` gives them."""
    return read_records(path, unit, rules, staging, schema=SCHEMAS[schema])


def read_records(path: str, unit: Unit, rules: ReadRules, staging: str, *, schema: Schema) -> Iterator[Loaded]:
    """The rows of a unit, positions from 0. `staging` is the folder for a decompressed tar.gz.

    Raises OSError where the file cannot be read at all.
    """
    with open(path, "rb") as file:
        empty = not os.fstat(file.fileno()).st_size
    if empty:
        yield load_failure(unit, 0, Failure("UnitEmpty", "expected records, found zero bytes", f"{unit.uri}@0-0"))
    elif unit.kind == "tar":
        yield from read_document_tar(path, unit, rules, staging, schema=schema)
    else:
        beside = Beside(unit, rules, staging, asks=schema.whole)
        yield from _records_and_problems(path, unit, beside, schema)


def _records_and_problems(path: str, unit: Unit, beside: Beside, schema: Schema) -> Iterator[Loaded]:
    """The records, then a row for each problem of the tar beside them; its first unit tells of the whole file's."""
    position = 0
    for row in (_read_parquet if unit.kind == "parquet" else _read_lines)(path, unit, beside, schema):
        position = row.sample.position + 1
        yield row
    for problem in [] if unit.part else beside.problems:
        place = f"{beside.uri}@{problem.offset}-{problem.offset + 512}"
        yield load_failure(unit, position, Failure(problem.error, problem.message, place))
        position += 1


read_obelics = partial(read_interleaved, schema="obelics")
read_mmc4 = partial(read_interleaved, schema="mmc4")
read_omnicorpus = partial(read_interleaved, schema="omnicorpus")
read_mint = partial(read_interleaved, schema="mint")
read_documents = partial(read_interleaved, schema="beamsift")


def _read_lines(path: str, unit: Unit, beside: Beside, schema: Schema) -> Iterator[Loaded]:
    rules = beside.rules
    with open(path, "rb") as file:
        file.seek(unit.start)
        for position, (start, end) in enumerate(line_places(file, unit.end)):
            row, place = unit.part * rules.rows_per_chunk + position, f"{unit.uri}@{start}-{end}"
            too_large = check_meta_size(end - start - 2, place, rules)  # 2: a line break may be CR LF
            line = b"" if too_large else os.pread(file.fileno(), end - start, start).rstrip(b"\r\n")
            parsed = too_large or parse_meta(line, place, rules)
            if isinstance(parsed, Failure):
                yield load_failure(unit, position, parsed, row_key(unit, row))
            else:
                span = Span(unit.uri, start, end, "file")
                yield _load(parsed[1], (unit, position, row, place), schema, beside, line=(line, span))


def _read_parquet(path: str, unit: Unit, beside: Beside, schema: Schema) -> Iterator[Loaded]:
    position = 0
    rows = _parquet_records(path, unit)
    while True:
        try:  # around one step, so that what the consumer raises is never taken for a broken file
            found = next(rows, None)
        except Broken as error:
            message = f"expected a readable Parquet row group {unit.part}, found: {error}"
            failure = Failure("ParquetBroken", message, f"{unit.uri}@{unit.start}-{unit.end}")
            yield load_failure(unit, position, failure)
            return
        if found is None:
            return
        row = unit.start + position
        yield _load(found[0], (unit, position, row, f"{unit.uri}@{row}-{row + 1}"), schema, beside, found[1])
        position += 1


def _parquet_records(path: str, unit: Unit) -> Iterator[tuple[dict[str, Any] | RecordBroken, list[Bytes]]]:
    """Records, each with the bytes that its own cells hold, one for each image."""
    with open(path, "rb") as file, pq.ParquetFile(file, buffer_size=BUFFER_BYTES) as parquet:
        if not parquet.metadata.num_row_groups and unit.start == unit.end:
            return
        names = parquet.schema_arrow.names
        size, row = batch_rows(file, unit.part, names, BATCH_BYTES), unit.start
        for batch in parquet.iter_batches(batch_size=size, row_groups=[unit.part], use_threads=False):
            for index in range(batch.num_rows):
                yield _parquet_record(batch, index, unit.uri, row)
                row += 1


def _parquet_record(
    batch: pa.RecordBatch, index: int, uri: str, row: int
) -> tuple[dict[str, Any] | RecordBroken, list[Bytes]]:
    record, held = {}, list[Bytes]()
    try:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == IMAGES and _holds_bytes(column.type):
                record[name], held = _images(column[index], uri, row)
            elif name == IMAGE and IMAGES not in batch.schema.names and _is_picture(column.type):
                record[name], held = _image(column[index], uri, row)
            else:
                record[name] = column[index].as_py()
    except UnicodeDecodeError as error:
        return RecordBroken(f"expected UTF-8, found {error.reason}"), []
    except UNHELD as error:
        return RecordBroken(f"expected values that Python can hold, found {type(error).__name__}: {error}"), []
    return record, held


def _holds_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_bytes(kind.value_type)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_struct(kind))


def _is_picture(kind: pa.DataType) -> bool:
    return _is_bytes(kind) and not (pa.types.is_struct(kind) and kind.get_field_index("bytes") < 0)


def _images(cell: pa.ListScalar, uri: str, row: int) -> tuple[list[str | None] | None, list[Bytes]]:
    if not cell.is_valid:
        return None, []
    found = [_picture(item, Span(uri, row, row + 1, "parquet", f"{IMAGES}[{i}]")) for i, item in enumerate(cell.values)]
    return [name for name, _ in found], [held for name, held in found if name is not None]


def _image(cell: pa.Scalar, uri: str, row: int) -> tuple[list[str | None], list[Bytes]]:
    """A picture of the whole record; an empty cell is none."""
    name, held = _picture(cell, Span(uri, row, row + 1, "parquet", IMAGE))
    return ([], []) if name is None else ([name], [held])


def _picture(item: pa.Scalar, span: Span) -> tuple[str | None, Bytes]:
    """(path, bytes); None where there is no picture."""
    if not item.is_valid:
        return None, None
    struct = pa.types.is_struct(item.type)
    path = item["path"].as_py() if struct and "path" in item.type.names else None
    data = picture_bytes(item) if not struct or "bytes" in item.type.names else None
    return path or "", None if data is None else (span, memoryview(data))


Where = tuple[Unit, int, int, str]
"""Unit, position in it, row of the file, place for a failure."""


def row_key(unit: Unit, row: int) -> str:
    """What a record without a name of its own is called: its file and its row."""
    return f"{unit.uri.rpartition('/')[2].partition('.')[0]}-{row}"


def _load(
    record: dict[str, Any] | RecordBroken,
    where: Where,
    schema: Schema,
    beside: Beside,
    held: Sequence[Bytes] = (),
    *,
    line: tuple[bytes, Span] | None = None,
) -> Loaded:
    """`held`: the bytes of each picture, where its own cells hold some. `line`: what the record was read from."""
    inline: list[Bytes] = []
    unit, position, row, place = where
    key = row_key(unit, row)
    try:
        if isinstance(record, RecordBroken):
            raise record
        document = schema.parse(record)
        meta = format_json(document.meta)
        if line and b"data:" in line[0] and schema.whole:
            document, inline = place_inline(document, *line, beside.rules.max_picture_bytes)
    except (RecordBroken, RecursionError) as error:  # the second: values nested thousands deep
        return load_failure(unit, position, Failure("RecordBroken", str(error), place), key)
    found = list(held) if any(held) else beside.find(document, row)
    found = [one or other for one, other in zip(inline, found, strict=True)] if inline else found
    return load_document(document, meta, found, Sample(clean_key(key), unit.uri, unit.part, position, source_key=key))


def load_document(document: Document, meta: str, found: list[Bytes], sample: Sample) -> Loaded:
    """The row of a document; `found` has an entry for each of its pictures, None for one that stays a reference."""
    return place_bytes(document, "" if meta == "{}" else meta, found, sample)
