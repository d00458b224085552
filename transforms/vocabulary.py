"""Vocabulary: the entries that concept balance counts, with a weight, a source and a kind each.

A file is TSV with a header (`entry` alone or with any of weight, source, kind), Parquet with the same columns, plain
text with one entry a line, or a JSON list of entries as MetaCLIP publishes its own; the name's ending says which.
Left out on purpose: where entries come from (pipelines/vocabulary.py).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from transforms.storage import FileStat, StoreUnavailable, storage_for

MAX_ENTRIES = 20_000_000
MAX_FILE_BYTES = 4 << 30
MAX_ENTRY_CHARACTERS = 300
"""Wikipedia's titles have 255 bytes at most."""
MAX_WEIGHT = 1e9
COLUMNS = ("entry", "weight", "source", "kind")
KINDS = ("word", "phrase", "proper_noun", "number")

# C0, DEL, C1, and the two separators that editors take for line ends.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class VocabularyError(ValueError):
    """A vocabulary file that does not serve: where, what was expected and what was found."""


class Entry(NamedTuple):
    entry: str
    weight: float = 1.0
    """Its draw succeeds with min(1, weight · t / max(count, t)); 0 for an entry that keeps no caption."""
    source: str = ""
    kind: str = ""


class Vocabulary:
    """Entries in the order of the file: an entry's id is its place."""

    def __init__(self, rows: Sequence[Entry]) -> None:
        self.rows = rows
        self.entries = [row.entry for row in rows]
        self.weights: NDArray[np.float64] = np.array([row.weight for row in rows], np.float64)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def sha256(self) -> str:
        """Of `format_tsv`, whatever format the file has."""
        return hashlib.sha256(format_tsv(self.rows)).hexdigest()


def make_vocabulary(rows: Sequence[Entry], place: str = "vocabulary") -> Vocabulary:
    """Raises VocabularyError, naming the line, for the first entry that does not serve."""
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if (wrong := _complain(row)) is not None:
            raise VocabularyError(f"{place}: entry {number}: {wrong}")
        if (first := seen.setdefault(row.entry, number)) != number:
            raise VocabularyError(
                f"{place}: entry {number}: expected each entry once, found {row.entry!r} also as entry {first}"
            )
    if not rows:
        raise VocabularyError(f"{place}: expected at least one entry, found none")
    return Vocabulary(rows)


def read_vocabulary(uri: str) -> Vocabulary:
    """The vocabulary at `uri`. Raises VocabularyError for what does not serve or cannot be read."""
    with _told(uri):
        storage = storage_for(uri)
        size = storage.stat(uri).size
        if size > MAX_FILE_BYTES:
            raise VocabularyError(f"{uri}: expected at most {MAX_FILE_BYTES} bytes, found {size}")
        data = storage.read(uri, 0, size)
    ending = uri.rsplit("/", 1)[-1].rpartition(".")[2].lower()
    parse = {"tsv": parse_tsv, "parquet": parse_parquet, "json": parse_json}.get(ending, parse_lines)
    return make_vocabulary(parse(data, uri), uri)


def vocabulary_sha256(uri: str) -> str:
    """`sha256` of the vocabulary at `uri`; a file of the same size and time of change is not read again.

    Raises VocabularyError.
    """
    with _told(uri):
        return _sha256_of(storage_for(uri).stat(uri))


@contextmanager
def _told(uri: str) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable:
        raise
    except OSError as error:
        raise VocabularyError(f"{uri}: expected a vocabulary file, found none to read: {error}") from error


@lru_cache(maxsize=4)
def _sha256_of(file: FileStat) -> str:
    return read_vocabulary(file.uri).sha256


def write_vocabulary(uri: str, vocabulary: Vocabulary) -> None:
    """TSV, Parquet, plain lines or a JSON list, by the name's ending; the last two hold no weights."""
    ending = uri.rsplit("/", 1)[-1].rpartition(".")[2].lower()
    formats = {"tsv": format_tsv, "parquet": format_parquet, "json": format_json}
    storage_for(uri).write(uri, formats.get(ending, format_lines)(vocabulary.rows))


def parse_tsv(data: bytes, place: str = "vocabulary") -> list[Entry]:
    lines = _lines(data, place)
    _, header = next(lines, (1, ""))
    names = header.split("\t")
    if "entry" not in names or not set(names) <= set(COLUMNS) or len(set(names)) != len(names):
        expected = ", ".join(COLUMNS)
        raise VocabularyError(
            f"{place}: line 1: expected a header of {expected} (entry at least), found {header!r:.200}"
        )
    return [
        _row(dict(zip(names, _cells(line, len(names), f"{place}: line {number}"), strict=True)), place, number)
        for number, line in lines
    ]


def format_tsv(rows: Sequence[Entry]) -> bytes:
    lines = ["\t".join(COLUMNS), *(f"{e}\t{weight:.17g}\t{source}\t{kind}" for e, weight, source, kind in rows)]
    return ("\n".join(lines) + "\n").encode()


def parse_lines(data: bytes, place: str = "vocabulary") -> list[Entry]:
    return [Entry(line) for _, line in _lines(data, place)]


def format_lines(rows: Sequence[Entry]) -> bytes:
    return "".join(f"{row.entry}\n" for row in rows).encode()


def parse_json(data: bytes, place: str = "vocabulary") -> list[Entry]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise VocabularyError(f"{place}: expected a JSON list of entries, found {error!s:.200}") from error
    if not isinstance(found, list) or not all(isinstance(entry, str) for entry in found):
        raise VocabularyError(f"{place}: expected a JSON list of strings, found something else")
    return [Entry(entry) for entry in found]


def format_json(rows: Sequence[Entry]) -> bytes:
    return json.dumps([row.entry for row in rows], ensure_ascii=False).encode()


def parse_parquet(data: bytes, place: str = "vocabulary") -> list[Entry]:
    try:
        # One thread and no memory map: a broken file must fail the same way everywhere.
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows > MAX_ENTRIES:
            raise VocabularyError(f"{place}: expected at most {MAX_ENTRIES} entries, found {file.metadata.num_rows}")
        rows: list[dict[str, Any]] = file.read(use_threads=False).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise VocabularyError(f"{place}: expected Parquet of {', '.join(COLUMNS)}, found {error!s:.200}") from error
    return [_row(row, place, number) for number, row in enumerate(rows, 1)]


def format_parquet(rows: Sequence[Entry]) -> bytes:
    file = io.BytesIO()
    types = (pa.string(), pa.float64(), pa.string(), pa.string())
    table = pa.table({name: pa.array([row[i] for row in rows], types[i]) for i, name in enumerate(COLUMNS)})
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _lines(data: bytes, place: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, judged by their length before they are decoded."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n", MAX_ENTRIES + 1)
    if len(lines) > MAX_ENTRIES + 1:
        raise VocabularyError(f"{place}: expected at most {MAX_ENTRIES} lines, found more")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if len(line) > 8 * MAX_ENTRY_CHARACTERS:
            raise VocabularyError(f"{place}: line {number}: expected an entry, found a line of {len(line)} bytes")
        try:
            yield number, line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise VocabularyError(f"{place}: line {number}: expected UTF-8, found {error}") from error


def _cells(line: str, expected: int, place: str) -> list[str]:
    cells = line.split("\t")
    if len(cells) != expected:
        raise VocabularyError(f"{place}: expected {expected} columns, found {len(cells)}")
    return cells


def _row(cells: dict[str, Any], place: str, number: int) -> Entry:
    entry, weight = cells.get("entry"), cells.get("weight", 1.0)
    source, kind = cells.get("source") or "", cells.get("kind") or ""
    if not all(isinstance(cell, str) for cell in (entry, source, kind)):
        raise VocabularyError(
            f"{place}: entry {number}: expected text for entry, source and kind, found {cells!r:.200}"
        )
    try:
        return Entry(str(entry), float(weight), source, kind)
    except (TypeError, ValueError) as error:
        raise VocabularyError(f"{place}: entry {number}: expected a number as weight, found {weight!r:.50}") from error


def _complain(row: Entry) -> str | None:
    if not row.entry or row.entry != row.entry.strip(" "):
        return f"expected an entry without spaces around it, found {row.entry!r:.80}"
    if len(row.entry) > MAX_ENTRY_CHARACTERS:
        return f"expected at most {MAX_ENTRY_CHARACTERS} characters, found {len(row.entry)}: {row.entry[:40]!r}…"
    for text in (row.entry, row.source, row.kind):
        if _CONTROL.search(text):
            return f"expected no control characters, found {text!r:.80}"
        if not text.isascii() and _SURROGATE.search(text):
            return f"expected UTF-8, found a lone surrogate in {text!r:.80}"
    if not (math.isfinite(row.weight) and 0 <= row.weight <= MAX_WEIGHT):
        return f"expected a weight from 0 to {MAX_WEIGHT:g}, found {row.weight:g}"
    return None
