"""An index beside picture files as samples: each line of a JSONL, or each record of a CSV with a header, is a sample.

The picture column holds a path relative to the index's folder. Captions, keys and limits are as in the other readers;
`meta` is the JSONL line itself, or the CSV's remaining columns as a JSON object.
A unit of work is a chunk of the index: bytes `[start, end)` that hold whole records.
Left out on purpose: TSV and other dialects, and URLs, which are for a downloader to fetch.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

from configs.schema.caption import ReadRules
from transforms.loaded import Loaded
from transforms.picture_files import add_picture_files
from transforms.raw_sample import (
    RawSample,
    add_caption_fields,
    add_meta_fields,
    check_meta_size,
    check_picture_found,
    load_failure,
    load_sample,
    parse_meta,
)
from transforms.records import Failure, Unit

Record = tuple[int, int]
"""Bytes `[start, end)` of one record."""
MAX_LINE = 4 << 20
"""Bytes of one line of a CSV, and of the pieces in which a longer JSONL line is passed over."""


def is_csv(uri: str) -> bool:
    return uri.lower().endswith(".csv")


def split_index(path: str, rows_per_chunk: int) -> list[Record]:
    """Chunks of at most `rows_per_chunk` records; none for an index without records. OSError as open() raises it."""
    with open(path, "rb") as file:
        return split_records(file, rows_per_chunk, table=is_csv(path))


def split_records(file: BinaryIO, rows_per_chunk: int, *, table: bool) -> list[Record]:
    """As `split_index`, for an open file. What lies behind a record that no CSV parser accepts joins the last chunk."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    records = _table_places(file, end) if table else line_places(file, end)
    chunks: list[Record] = []
    while chunk := list(islice(records, rows_per_chunk)):
        chunks.append((chunk[0][0], chunk[-1][1]))
    return chunks


def read_folder(path: str, unit: Unit, rules: ReadRules) -> Iterator[Loaded]:
    """The rows of the index's bytes `[unit.start, unit.end)`. Raises OSError where the index cannot be read."""
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            failure = Failure("UnitEmpty", "expected an index, found a file of zero bytes", f"{unit.uri}@0-0")
            yield load_failure(unit, 0, failure)
            return
        yield from (_read_table if is_csv(unit.uri) else _read_lines)(file, unit, rules)


def _read_lines(file: BinaryIO, unit: Unit, rules: ReadRules) -> Iterator[Loaded]:
    file.seek(unit.start)
    for position, (start, end) in enumerate(line_places(file, unit.end)):
        raw, place = _raw(unit, position, rules), f"{unit.uri}@{start}-{end}"
        too_large = check_meta_size(end - start - 2, place, rules)  # 2: a line break may be CR LF
        line = b"" if too_large else os.pread(file.fileno(), end - start, start).rstrip(b"\r\n")
        parsed = too_large or parse_meta(line, place, rules)
        if isinstance(parsed, Failure):
            yield load_failure(unit, position, parsed, raw.source_key)
            continue
        raw.meta, fields = parsed
        if isinstance(key := fields.get(rules.key_column), str | int):
            raw.source_key = str(key)
        add_picture_files(raw, fields.get(rules.image_column), place, rules)
        check_picture_found(raw, place)
        add_caption_fields(raw, fields, place, rules)
        yield load_sample(raw)


def _read_table(file: BinaryIO, unit: Unit, rules: ReadRules) -> Iterator[Loaded]:
    position = 0
    records = _table_records(file, unit.start, unit.end)
    try:
        header = _read_header(file, rules)
        for (start, end), fields in records:
            raw, place = _raw(unit, position, rules), f"{unit.uri}@{start}-{end}"
            position += 1
            yield _load_record(raw, header, fields, _Place(place, rules))
    except csv.Error as error:
        message = f"expected CSV records as in the header, found: {error}"
        yield load_failure(unit, position, Failure("IndexBroken", message, f"{unit.uri}@{unit.start}-{unit.end}"))


class _Place(NamedTuple):
    """Where a record lies, and the rules it is read under."""

    name: str
    rules: ReadRules


def _load_record(raw: RawSample, header: list[str], fields: list[str], place: _Place) -> Loaded:
    if len(fields) != len(header):
        message = f"expected {len(header)} fields as in the header, found {len(fields)}"
        failure = Failure("IndexBroken", message, place.name)
        return load_failure(raw.unit, raw.position, failure, raw.source_key)
    rules = place.rules
    values = {name: field.encode("latin-1") for name, field in zip(header, fields, strict=True)}
    picture, key = values.pop(rules.image_column), values.pop(rules.key_column, b"")
    raw.source_key = _text(key) or raw.source_key
    add_picture_files(raw, _text(picture) or None, place.name, rules)
    check_picture_found(raw, place.name)
    caption = next((name for name in rules.caption_columns if name in values), None)
    if caption is not None:
        add_caption_fields(raw, {caption: values.pop(caption)}, place.name, rules)
    add_meta_fields(raw, {name: _text(value) for name, value in values.items()}, place.name, rules)
    return load_sample(raw)


def _raw(unit: Unit, position: int, rules: ReadRules) -> RawSample:
    """A sample named by its row in the whole index, until its own key is known."""
    return RawSample(unit, position, str(unit.part * rules.rows_per_chunk + position))


def _read_header(file: BinaryIO, rules: ReadRules) -> list[str]:
    """The column names; csv.Error where they cannot be what the records are read by."""
    end = os.fstat(file.fileno()).st_size
    _, fields = next(_table_records(file, 0, end), ((0, 0), []))
    header = [_text(field.encode("latin-1")).removeprefix("\ufeff") for field in fields]
    if len(set(header)) != len(header):
        raise csv.Error(f"a header that names a column twice: {header}")
    if rules.image_column not in header:
        raise csv.Error(f"a header without the picture column {rules.image_column!r}: {header}")
    return header


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def line_places(file: BinaryIO, end: int) -> Iterator[Record]:
    """The lines from the file's position to `end` that are not blank, each with its line break."""
    start = position = file.tell()
    blank = True
    while position < end and (piece := file.readline(MAX_LINE)):
        position += len(piece)
        blank = blank and piece.isspace()
        if piece.endswith(b"\n") or position >= end:
            if not blank:
                yield start, position
            start, blank = position, True


def _table_places(file: BinaryIO, end: int) -> Iterator[Record]:
    """The records behind the header; from one that is broken to the end counts as one."""
    behind = 0
    try:
        for index, (place, _) in enumerate(_table_records(file, 0, end)):
            if index:
                yield place
            behind = place[1]
    except csv.Error:
        yield behind, end


def _table_records(file: BinaryIO, start: int, end: int) -> Iterator[tuple[Record, list[str]]]:
    """Records as csv.reader sees them, so that quoted line breaks and stray quotes mean the same to both passes.

    Fields are Latin-1, which keeps each byte: what is not UTF-8 then fails its row only. csv.Error where the format,
    a line over MAX_LINE, or a field over csv.field_size_limit() (128 KiB) ends the reading.
    """
    file.seek(start)
    behind = start

    def lines() -> Iterator[str]:
        nonlocal behind
        while behind < end and (line := file.readline(MAX_LINE)):
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                raise csv.Error(f"a line over {MAX_LINE} bytes")
            behind += len(line)
            yield line.decode("latin-1")

    begin = start
    for fields in csv.reader(lines(), strict=True):
        if fields:
            yield (begin, behind), fields
        begin = behind
