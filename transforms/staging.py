"""A local copy of what one unit needs of a remote file: the whole of it, or only the unit's own bytes.

A row group or a chunk of an index is copied into a sparse file, at the places where the whole file has it, so that its
reader finds it there: N units of one file cost its bytes once, not N times.
Left out on purpose: CSV, whose header every chunk needs, and files this cannot make out; they are copied whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from transforms.parquet_pages import Footer, read_footer
from transforms.parquet_reader import Broken
from transforms.records import Unit
from transforms.storage import Storage, StoreUnavailable, copy_path, scheme_of

Range = tuple[int, int]
"""Bytes `[start, end)`."""


def stage_unit(storage: Storage, unit: Unit, staging: str) -> str:
    """The path of a copy that the unit's reader can read; of a local file, the file itself. Raises as the storage."""
    if scheme_of(unit.uri) in ("", "file"):
        return storage.fetch(unit.uri, staging)
    if unit.kind == "folder" and not unit.uri.lower().endswith(".csv") and 0 < unit.end - unit.start < unit.size:
        with storage.open(unit.uri) as file:
            return stage_ranges(storage, Part(unit.uri, file, unit.size, [(unit.start, unit.end)]), staging)
    if unit.kind == "parquet" and unit.start < unit.end:
        with storage.open(unit.uri) as file, _told_by_its_reader():
            footer = read_footer(file)
            if 1 < len(footer.groups) > unit.part:
                ranges = [*group_range(footer, unit.size, unit.part), footer_range(footer, unit.size)]
                return stage_ranges(storage, Part(unit.uri, file, unit.size, ranges), staging)
    return storage.fetch(unit.uri, staging)


def stage_column(storage: Storage, uri: str, place: tuple[int, str], staging: str) -> str:
    """A copy of the footer and of the chunk where `place`, (row, column), lies.

    Raises pa.ArrowInvalid where the footer cannot be made out or is not true, and as the storage.
    """
    with storage.open(uri) as file:
        footer, size = read_footer(file), file.seek(0, os.SEEK_END)
        ends = accumulate(group.rows for group in footer.groups)
        part = next((part for part, end in enumerate(ends) if place[0] < end), None)
        chunk = [] if part is None else group_range(footer, size, part, place[1])
        return stage_ranges(storage, Part(uri, file, size, [*chunk, footer_range(footer, size)]), staging)


def group_range(footer: Footer, size: int, part: int, column: str = "") -> list[Range]:
    """The bytes of a row group, or of one column of it; none where it has no such column.

    Raises pa.ArrowInvalid where they would lie behind the end of the file.
    """
    chunks = [chunk for chunk in footer.groups[part].chunks if not column or chunk.column == column]
    if not chunks:
        return []
    start, end = min(chunk.start for chunk in chunks), max(chunk.end for chunk in chunks)
    if end > size:
        raise pa.ArrowInvalid(f"expected a row group inside {size} bytes, found one of bytes {start} to {end}")
    return [(start, end)]


def footer_range(footer: Footer, size: int) -> Range:
    return size - footer.size - 8, size  # its length and the magic follow in eight bytes


class Part(NamedTuple):
    """Some bytes of a file. `file` is open on it and holds its end already, where it was asked for the footer."""

    uri: str
    file: BinaryIO
    size: int
    ranges: list[Range]


def stage_ranges(storage: Storage, part: Part, staging: str) -> str:
    """A sparse file with the part's bytes where the whole has them."""
    path = copy_path(part.uri, staging)
    os.makedirs(staging, exist_ok=True)
    try:
        with open(path, "xb") as target:
            target.truncate(part.size)
            for start, end in part.ranges:
                target.seek(start)
                target.writelines(_bytes(storage, part, start, end))
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(path)
        raise
    return path


def _bytes(storage: Storage, part: Part, start: int, end: int) -> Iterator[bytes]:
    if end == part.size and len(part.ranges) > 1:
        part.file.seek(start)
        yield part.file.read()
    else:
        yield from storage.stream(part.uri, start, end)


@contextmanager
def _told_by_its_reader() -> Iterator[None]:
    """Lets pass what makes a Parquet file unreadable: it is copied whole then, and its reader says what is wrong."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Broken:
        pass
