"""Counts over a vocabulary as bytes: one dense vector, packed sparse where that is shorter, and added up; and as a
table of entries for the report and the data card.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from transforms.storage import join
from transforms.vocabulary import Vocabulary, VocabularyError, make_vocabulary, parse_parquet

Counts = NDArray[np.int64]
DENSE_SHARE = 0.2
"""From this share of entries other than zero on a vector is packed dense."""

CAPTIONS = ("captions", "unmatched", "kept")
"""What a table counts beside entries: captions asked about, those that name none, those that stay."""


def table_uri(output: str) -> str:
    """Where a run writes its table of counts before it is finished."""
    return join(output, "work", "concept_counts", "counts.parquet")


def pack_counts(counts: Counts) -> bytes:
    """Length, ids and values; ids empty where the values are of all entries."""
    ids = np.flatnonzero(counts)
    if len(ids) >= DENSE_SHARE * len(counts):
        return msgspec.msgpack.encode((len(counts), b"", counts.astype("<i8").tobytes()))
    return msgspec.msgpack.encode((len(counts), ids.astype("<i4").tobytes(), counts[ids].astype("<i8").tobytes()))


def unpack_counts(packed: bytes) -> Counts:
    """Raises msgspec.DecodeError for bytes that `pack_counts` did not write."""
    length, ids, values = msgspec.msgpack.decode(packed, type=tuple[int, bytes, bytes])
    counts = np.zeros(length, np.int64)
    _add(counts, ids, values)
    return counts


def add_counts(total: Any, more: Any) -> Any:
    """The sum of two vectors, each dense, packed, or empty bytes for nothing; `total` is added to in place if dense."""
    if isinstance(more, bytes) and not more:
        return total
    if isinstance(total, bytes):
        total = unpack_counts(total) if total else None
    if isinstance(more, bytes):
        length, ids, values = msgspec.msgpack.decode(more, type=tuple[int, bytes, bytes])
        total = np.zeros(length, np.int64) if total is None else total
        if len(total) != length:
            raise ValueError(f"expected counts of {len(total)} entries, found {length}")
        _add(total, ids, values)
        return total
    return more.copy() if total is None else np.add(total, more, out=total)


def _add(counts: Counts, ids: bytes, values: bytes) -> None:
    if ids or not values:
        counts[np.frombuffer(ids, "<i4")] += np.frombuffer(values, "<i8")
    else:
        counts += np.frombuffer(values, "<i8")


class ConceptTable(NamedTuple):
    """What `counts_table` wrote. `before` and `after` are by entry, in the vocabulary's order."""

    vocabulary: Vocabulary
    before: Counts
    after: Counts
    settings: dict[str, str]


def counts_table(vocabulary: Vocabulary, before: Counts, after: Counts, settings: dict[str, str]) -> bytes:
    """Parquet of the whole vocabulary in its order, each entry with its count over the pool and over what stays.

    Itself a vocabulary file of the same sha256, so that a finished run is decided again wherever the first one went.
    """
    rows = vocabulary.rows
    columns = {
        "entry": pa.array([row.entry for row in rows], pa.string()),
        "weight": pa.array([row.weight for row in rows], pa.float64()),
        "source": pa.array([row.source for row in rows], pa.string()),
        "kind": pa.array([row.kind for row in rows], pa.string()),
        "count": pa.array(before),
        "kept": pa.array(after),
    }
    file = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata(settings)
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def parse_table(data: bytes, place: str) -> ConceptTable:
    """Raises VocabularyError where `counts_table` did not write `data`."""
    vocabulary = make_vocabulary(parse_parquet(data, place), place)
    try:
        table = pq.read_table(io.BytesIO(data), columns=["count", "kept"], use_threads=False)
        before, after = (np.asarray(table.column(name), np.int64) for name in ("count", "kept"))
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise VocabularyError(f"{place}: expected columns count and kept, found {error!s:.200}") from error
    settings = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    return ConceptTable(vocabulary, before, after, settings)
