"""Counts over a vocabulary as bytes: one dense vector, packed sparse where that is shorter, and added up; and as a
table of entries for the report and the data card.
"""

from __future__ import annotations

import io
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from transforms.vocabulary import Vocabulary

Counts = NDArray[np.int64]
DENSE_SHARE = 0.2
"""From this share of entries other than zero on a vector is packed dense."""


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


def counts_table(vocabulary: Vocabulary, before: Counts, after: Counts, settings: dict[str, str]) -> bytes:
    """Parquet of every entry that a caption names: its count over the pool and over what stays, the largest first."""
    named = np.flatnonzero(before)
    order = named[np.argsort(-before[named], kind="stable")]
    rows = [vocabulary.rows[i] for i in order.tolist()]
    columns = {
        "entry": pa.array([row.entry for row in rows], pa.string()),
        "kind": pa.array([row.kind for row in rows], pa.string()),
        "source": pa.array([row.source for row in rows], pa.string()),
        "weight": pa.array([row.weight for row in rows], pa.float64()),
        "count": pa.array(before[order]),
        "kept": pa.array(after[order]),
    }
    file = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata(settings)
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()
