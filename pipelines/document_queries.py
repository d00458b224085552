"""What the report asks of documents: a few whole ones, with all their pieces."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from pipelines.report_queries import MIXED, fetch_all
from transforms.records import Sample, decode_sample


def whole_documents(connection: duckdb.DuckDBPyConnection, count: int, lost_first: bool = True) -> list[Sample]:
    """Kept documents from all over the pool; with `lost_first` those first of which pictures went."""
    order = f"pictures_kept < pictures DESC, {MIXED}" if lost_first else MIXED
    query = f"SELECT \"key\" FROM ledger WHERE fate = 'kept' ORDER BY {order} LIMIT ?"
    keys = [key for (key,) in fetch_all(connection, query, [count])]
    return _whole(connection, keys)


def dropped_documents(connection: duckdb.DuckDBPyConnection, rules: Sequence[str], each: int) -> list[Sample]:
    """Up to `each` from all over the pool of those that each rule dropped, in the order of the rules."""
    query = f"SELECT \"key\" FROM ledger WHERE fate = 'dropped' AND rule = ? ORDER BY {MIXED} LIMIT ?"
    return _whole(connection, [key for rule in rules for (key,) in fetch_all(connection, query, [rule, each])])


def _whole(connection: duckdb.DuckDBPyConnection, keys: list[str]) -> list[Sample]:
    found = fetch_all(connection, 'SELECT "key", record FROM records WHERE list_contains($1, "key")', [keys])
    by_key = {key: decode_sample(record) for key, record in found}
    return [by_key[key] for key in keys]
