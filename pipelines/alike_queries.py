"""What the report asks of a ledger about pictures that are alike: groups around the one that stays, and their sizes."""

from __future__ import annotations

from typing import NamedTuple

import duckdb

from pipelines.report_queries import Row, fetch_all, rows_where, sql_name, sql_text
from pipelines.report_spec import Likeness


class Alike(NamedTuple):
    """A group around the row that stays; of each copy `value` is how far it lies from it, the most doubtful first."""

    key: str
    copies: int
    kept: list[Row]
    others: list[Row]


def alike_groups(
    connection: duckdb.DuckDBPyConnection, likeness: Likeness, count: int, copies: int
) -> list[list[Alike]]:
    """The largest groups, then the most doubtful of the others."""
    kept, apart = sql_name(likeness.kept), sql_name(likeness.apart)
    worst, down = ("max", "DESC") if likeness.doubtful == "high" else ("min", "ASC")
    copied = f'{kept} IS NOT NULL AND {kept} <> "key"'
    grouped = f"SELECT {kept}, count(*), {worst}({apart}) FROM ledger WHERE {copied} GROUP BY 1"
    largest = fetch_all(connection, f"{grouped} ORDER BY 2 DESC, 1 LIMIT {int(count)}")
    listed = ", ".join(sql_text(key) for key, *_ in largest) or "''"
    rest = f"SELECT * FROM ({grouped}) AS found(kept, copies, worst) WHERE kept NOT IN ({listed})"
    doubtful = fetch_all(connection, f"{rest} ORDER BY worst {down}, kept LIMIT {int(count)}")
    return [
        [
            Alike(
                key,
                rows,
                rows_where(connection, "NULL", f"key = {sql_text(key)}", "1", 1),
                rows_where(connection, apart, f"{kept} = {sql_text(key)} AND {copied}", f"{apart} {down}", copies),
            )
            for key, rows, _ in found
        ]
        for found in (largest, doubtful)
    ]


def alike_sizes(connection: duckdb.DuckDBPyConnection, likeness: Likeness) -> list[tuple[int, int]]:
    """(rows of a group with the one that stays, groups of that size)."""
    kept = sql_name(likeness.kept)
    sizes = f'SELECT count(*) + 1 AS size FROM ledger WHERE {kept} IS NOT NULL AND {kept} <> "key" GROUP BY {kept}'
    return fetch_all(connection, f"SELECT size, count(*) FROM ({sizes}) GROUP BY 1 ORDER BY 1")
