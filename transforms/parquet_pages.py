"""The pages of a Parquet row group by their own headers: what a batch of rows may unpack to, before any is unpacked.

A footer may say anything, and one value of a dictionary may stand in every row: 543 bytes of Parquet became 5.7 GB.
The page headers say what pyarrow will allocate. The footer is parsed here as well: asked for a column chunk whose
statistics are damaged, pyarrow 25 ends the process (an exception in C++ that nobody catches; found by fuzzing).
Sources: parquet.thrift of parquet-format 2.11, thrift's compact protocol.
Left out on purpose: values; pyarrow reads them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

MAX_RATIO = 100
"""Unpacked over packed bytes of a page, as in transforms/tar_reader.py."""
ALWAYS_ALLOWED = 256 << 20
"""Unpacked bytes of a page below which the ratio does not matter."""
ALWAYS_ROWS = 1_000_000
"""Rows of a row group below which it does not matter how few bytes they take; above it a row takes one at least."""
MAX_FOOTER = 16 << 20
"""Bytes; 500 a column of a row group are usual."""
HEADER_BYTES = 64 << 10
"""A page header is a few dozen bytes, and its statistics, which writers cut."""
MAX_PAGES = 1_000_000
_DICTIONARY = 2


class Page(NamedTuple):
    """`unpacked` and `packed` in bytes; `values` rows, or entries of a dictionary."""

    kind: int
    unpacked: int
    packed: int
    values: int


class Chunk(NamedTuple):
    """A column of a row group: bytes `[start, end)` of the file; `column` is its name at the top of the schema."""

    column: str
    start: int
    end: int


class Group(NamedTuple):
    rows: int
    chunks: tuple[Chunk, ...]


class Footer(NamedTuple):
    """What a file's footer says of its row groups. `size` is its own, in bytes, without its length and the magic."""

    groups: tuple[Group, ...]
    size: int


def batch_rows(file: BinaryIO, part: int, columns: list[str], most: int) -> int:
    """How many rows of row group `part` unpack to about `most` bytes at the worst, at least 1.

    Raises pa.ArrowInvalid for pages and row counts that cannot be meant: see MAX_RATIO, ALWAYS_ROWS.
    """
    rows, found = read_footer(file).groups[part]
    chunks = [chunk for chunk in found if chunk.column in columns]
    if not rows:
        return 1
    packed = sum(chunk.end - chunk.start for chunk in chunks)
    if rows > max(ALWAYS_ROWS, packed):
        raise pa.ArrowInvalid(f"expected at most a row a byte, found {rows} rows in {packed} bytes")
    row = sum(max((_row_bytes(page) for page in _pages(file, chunk)), default=0.0) for chunk in chunks)
    return max(1, min(1024, int(most / max(1.0, row))))


def read_footer(file: BinaryIO) -> Footer:
    """Raises pa.ArrowInvalid for anything else than a footer, and as the file."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 8))
    size = int.from_bytes(file.read(4), "little")
    if not 0 < size <= min(MAX_FOOTER, end - 8):
        raise pa.ArrowInvalid(f"expected a Parquet footer of 1 to {MAX_FOOTER} bytes, found {size}")
    file.seek(end - 8 - size)
    return _parse_footer(file.read(size))


@lru_cache(maxsize=2)
def _parse_footer(data: bytes) -> Footer:
    try:
        groups = _read_struct(data, 0, 0)[0][4]
        found = (Group(int(group.get(3, 0)), tuple(_chunk(column[3]) for column in group[1])) for group in groups)
        return Footer(tuple(found), len(data))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise pa.ArrowInvalid(f"expected a Parquet footer, found {data[:16]!r}") from error


def _chunk(meta: dict[int, Any]) -> Chunk:
    """Of a ColumnMetaData: path (3), packed size (7), offsets of the first page (9) and of a dictionary (11)."""
    start = min(meta[9], meta.get(11) or meta[9])
    if start < 0 or meta[7] < 0:
        raise ValueError("bytes before the start")
    return Chunk(meta[3][0].decode("utf-8", "backslashreplace"), start, start + meta[7])


def _row_bytes(page: Page) -> float:
    """What a row may take: any entry of a dictionary may be all of it."""
    if page.unpacked > max(ALWAYS_ALLOWED, MAX_RATIO * page.packed):
        raise pa.ArrowInvalid(
            f"expected a page of at most {MAX_RATIO} times its {page.packed} bytes, found {page.unpacked}"
        )
    return page.unpacked if page.kind == _DICTIONARY else page.unpacked / max(1, page.values)


def _pages(file: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    place = chunk.start
    for _ in range(MAX_PAGES):
        if place >= chunk.end:
            return
        file.seek(place)
        page, length = parse_page_header(file.read(HEADER_BYTES))
        yield page
        place += length + page.packed
    raise pa.ArrowInvalid(f"expected at most {MAX_PAGES} pages in a column chunk, found more")


def parse_page_header(data: bytes) -> tuple[Page, int]:
    """A page header and its length in bytes; pa.ArrowInvalid for anything else."""
    try:
        fields, length = _read_struct(data, 0, 0)
        kind, unpacked, packed = (int(fields[number]) for number in (1, 2, 3))
        inner: dict[int, Any] = next((fields[number] for number in (5, 7, 8) if number in fields), {})
        page = Page(kind, unpacked, packed, int(inner.get(1, 0)))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise pa.ArrowInvalid(f"expected a Parquet page header, found {data[:16]!r}") from error
    if min(page) < 0:
        raise pa.ArrowInvalid(f"expected a Parquet page header of sizes from 0, found {page}")
    return page, length


def _read_struct(data: bytes, place: int, depth: int) -> tuple[dict[int, Any], int]:
    """Fields by number: whole numbers, and structs as their own fields. IndexError behind the end."""
    if depth > 12:
        raise ValueError("nested too deep")
    fields: dict[int, Any] = {}
    number = 0
    while head := data[place]:
        place += 1
        if head >> 4:
            number += head >> 4
        else:
            number, place = _read_number(data, place)
        fields[number], place = _read_value(data, place, head & 15, depth)
    return fields, place + 1


def _read_value(data: bytes, place: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):  # a boolean is its type
        return kind == 1, place
    if kind == 3:
        return data[place], place + 1
    if kind in (4, 5, 6):
        return _read_number(data, place)
    if kind == 7:
        return None, place + 8
    if kind == 8:
        size, place = _read_varint(data, place)
        return data[place : place + size], place + size
    if kind in (9, 10):
        return _read_list(data, place, depth)
    if kind == 12:
        return _read_struct(data, place, depth + 1)
    raise ValueError(f"no field of a Parquet file has type {kind}")


def _read_list(data: bytes, place: int, depth: int) -> tuple[list[Any], int]:
    kind, size, place = data[place] & 15, data[place] >> 4, place + 1
    if size == 15:
        size, place = _read_varint(data, place)
    found = []
    for _ in range(size):
        # A boolean in a list has a byte of its own.
        value, place = _read_value(data, place, 3 if kind in (1, 2) else kind, depth)
        found.append(value)
    return found, place


def _read_number(data: bytes, place: int) -> tuple[int, int]:
    value, place = _read_varint(data, place)
    return (value >> 1) ^ -(value & 1), place


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number over 64 bits")
