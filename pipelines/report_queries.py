"""What the report asks of a ledger, as SQL over OUT/ledger/*.parquet: aggregates and a few rows, never all rows.

Left out on purpose: HTML (pipelines/report_pages/) and re-deciding a run (pipelines/ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb

from pipelines.chart_scales import Cut, choose_edges
from transforms.concept_balance import NEVER
from transforms.ledger import Measure
from transforms.storage import Storage

TEXT_SHOWN = 1000
"""Characters of a text that reach the page; it says how many there were."""
THREADS = 2

# Ties at a threshold are common (a share of 0.0, a side of 199): mixed by position, so that eight neighbours of one
# file do not stand for all of them. Plain arithmetic: the same order in every version of the engine.
MIXED = '((position % 1000003) * 2654435761 + part * 40503) % 4294967296, source, part, position, "key"'


class Row(NamedTuple):
    """What one card shows. `text` is cut to TEXT_SHOWN of its `text_length` characters."""

    key: str
    fate: str
    rule: str | None
    value: Any
    limit: float | None
    detail: str | None
    text: str | None
    text_length: int | None
    uri: str | None
    container: str | None
    start: int | None
    end: int | None
    member: str | None
    width: int | None
    height: int | None


@dataclass(frozen=True)
class Spread:
    """Where the values of one measure lie."""

    rows: int
    low: float
    high: float
    mean: float


@dataclass(frozen=True)
class Bins:
    """Counts between rising `edges`: of rows kept, dropped by a rule whose cut is drawn, and lost in any other way."""

    edges: list[float]
    kept: list[int]
    here: list[int]
    elsewhere: list[int]
    log_x: bool
    whole: bool


@contextmanager
def open_ledger(
    out_uri: str, storage: Storage, memory: str = "1GB", *, held: bool = False, files: Sequence[str] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the run's ledger as `ledger`; what goes beyond `memory` goes to disk.

    `held` reads it once, without `record`, which is most of its bytes: for many questions instead of one or two. The
    few whole rows that are asked for come from `records`.
    `files` are the ledger's, where the caller has listed them. Those that are not local are copied for as long as it is
    open. Raises ValueError where there is no ledger.
    """
    with TemporaryDirectory(prefix="beamsift-report-") as folder, duckdb.connect(":memory:") as connection:
        if files is None:
            found = storage.list(f"{out_uri.rstrip('/')}/ledger")
            files = [file.uri for file in found if file.uri.endswith(".parquet")]
        if not files:
            raise ValueError(f"{out_uri}/ledger: expected Parquet files, found none")
        connection.execute(f"SET memory_limit = {sql_text(memory)}")
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(f"SET temp_directory = {sql_text(folder)}")
        paths = ", ".join(sql_text(escape(storage.fetch(file, folder))) for file in files)
        made = "TABLE ledger AS SELECT * EXCLUDE (record)" if held else "VIEW ledger AS SELECT *"
        connection.execute(f"CREATE {made} FROM read_parquet([{paths}])")
        connection.execute(f'CREATE VIEW records AS SELECT "key", record FROM read_parquet([{paths}])')
        yield connection


def measure_spreads(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, Spread]:
    """Row count, least, greatest and mean of each numeric measure that any row has."""
    if not names:
        return {}
    asked = [f"count({c}), min({c}), max({c}), avg({c})" for c in map(_finite, names)]
    found = _one(connection, f"SELECT {', '.join(asked)} FROM ledger")
    groups = zip(names, *(found[i::4] for i in range(4)), strict=True)
    return {name: Spread(rows, low, high, mean) for name, rows, low, high, mean in groups if rows}


def measure_bins(
    connection: duckdb.DuckDBPyConnection,
    spreads: Mapping[str, Spread],
    measures: Mapping[str, Measure],
    cuts: Mapping[str, Sequence[Cut]],
) -> dict[str, Bins]:
    """A histogram of every measure in `spreads`, all in one scan."""
    if not spreads:
        return {}
    plans, asked = {}, []
    for name, spread in spreads.items():
        whole, log_x = measures[name].kind == "int64", _is_skewed(spread)
        limits = list(cuts.get(name, ()))
        edges = choose_edges(spread.low, spread.high, cuts=limits, whole=whole, log_x=log_x)
        plans[name] = (edges, log_x, whole, not limits or limits[0].side == "max")
        ours = " OR ".join(["false", *(f"rule = {sql_text(cut.rule)}" for cut in limits)])
        for where in ("fate = 'kept'", ours, f"fate <> 'kept' AND ({ours}) IS NOT TRUE"):
            asked.append(f"{_histogram(name, edges, plans[name][3])} FILTER (WHERE {where})")
    found = _one(connection, f"SELECT {', '.join(asked)} FROM ledger")
    bins = {}
    for i, (name, (edges, log_x, whole, right)) in enumerate(plans.items()):
        kept, here, elsewhere = (_in_order(counts, edges, right) for counts in found[3 * i : 3 * i + 3])
        bins[name] = Bins(edges, kept, here, elsewhere, log_x, whole)
    return bins


def nearest_dropped(connection: duckdb.DuckDBPyConnection, rule: str, count: int) -> list[Row]:
    """Rows this rule dropped, those nearest to its limit first."""
    where = f"rule = {sql_text(rule)} AND fate = 'dropped'"
    return rows_where(connection, "value", where, 'abs(value - "limit")', count)


def nearest_kept(
    connection: duckdb.DuckDBPyConnection, measure: str, kind: str, limit: float | None, count: int
) -> list[Row]:
    """Kept rows whose measure lies nearest to the limit; without one, those with the least value."""
    column = sql_name(measure)
    order = column if kind == "string" or limit is None else f"abs({column} - {float(limit)!r})"
    return rows_where(connection, column, f"fate = 'kept' AND {column} IS NOT NULL", order, count)


def failure_classes(connection: duckdb.DuckDBPyConnection, examples: int) -> list[tuple[str, int, list[Any]]]:
    """(class, rows, [(key, place, message)]) with the most frequent class first."""
    classes = fetch_all(
        connection, "SELECT error, count(*) FROM ledger WHERE fate = 'failed' GROUP BY error ORDER BY 2 DESC, 1"
    )
    query = "SELECT key, place, message FROM ledger WHERE fate = 'failed' AND error = ? "
    query += f"ORDER BY source, part, position LIMIT {int(examples)}"
    return [(name, rows, fetch_all(connection, query, [name])) for name, rows in classes]


def clusters(
    connection: duckdb.DuckDBPyConnection, measure: str, count: int, copies: int
) -> list[tuple[str, int, list[Row], list[Row]]]:
    """The largest groups of copies: (key of the kept one, copies in all, [the kept one], the first copies)."""
    column = sql_name(measure)
    copied = f'{column} IS NOT NULL AND {column} <> "key"'
    groups = fetch_all(
        connection, f"SELECT {column}, count(*) FROM ledger WHERE {copied} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {count}"
    )
    found = []
    for key, rows in groups:
        first = rows_where(connection, "NULL", f"key = {sql_text(key)}", "1", 1)
        others = rows_where(connection, "NULL", f"{column} = {sql_text(key)} AND {copied}", "1", copies)
        found.append((key, rows, first, others))
    return found


def shared_texts(connection: duckdb.DuckDBPyConnection, measure: str, count: int) -> list[Any]:
    """The texts that most pictures share: (text cut to TEXT_SHOWN, its length, pictures, rows, rows kept)."""
    column = sql_name(measure)
    return fetch_all(
        connection,
        f"SELECT left(caption, {TEXT_SHOWN}), length(caption), max({column}), count(*),"
        f" count(*) FILTER (WHERE fate = 'kept') FROM ledger WHERE {column} > 1 AND caption IS NOT NULL"
        f" GROUP BY caption ORDER BY 3 DESC, 4 DESC, caption LIMIT {int(count)}",
    )


def categories(connection: duckdb.DuckDBPyConnection, measure: str, count: int) -> list[Any]:
    """(value or None, rows, rows kept) of a string measure, the most frequent first."""
    return fetch_all(
        connection,
        f"SELECT {sql_name(measure)}, count(*), count(*) FILTER (WHERE fate = 'kept') FROM ledger"
        f" GROUP BY 1 ORDER BY 2 DESC, 1 NULLS LAST LIMIT {int(count)}",
    )


def mixed_rows(connection: duckdb.DuckDBPyConnection, where: str, more: str, count: int) -> list[list[Any]]:
    """[Row, and what `more` asks for] of rows from all over the pool."""
    found = fetch_all(
        connection, f"SELECT {_columns('NULL')}, {more} FROM ledger WHERE {where} ORDER BY {MIXED} LIMIT {int(count)}"
    )
    width = len(Row._fields)
    return [[Row(*row[:width]), *row[width:]] for row in found]


def _columns(value: str) -> str:
    """Those of a Row, with `value` as its value."""
    return (
        f'"key", fate, rule, {value}, "limit", detail, left(caption, {TEXT_SHOWN}), length(caption), uri,'
        ' container, "start", "end", member, width, height'
    )


def rows_where(connection: duckdb.DuckDBPyConnection, value: str, where: str, order: str, count: int) -> list[Row]:
    query = f"SELECT {_columns(value)} FROM ledger WHERE {where} ORDER BY {order}, {MIXED} LIMIT {int(count)}"
    return [Row(*row) for row in fetch_all(connection, query)]


def _histogram(name: str, edges: Sequence[float], right_closed: bool) -> str:
    """The engine's bins are closed on the right; mirrored values make them closed on the left."""
    sign = "" if right_closed else "-"
    bounds = edges if right_closed else [-edge for edge in reversed(edges)]
    return f"histogram({sign}({_finite(name)}), [{', '.join(f'{float(edge)!r}::DOUBLE' for edge in bounds)}])"


def _in_order(found: Mapping[float, int] | None, edges: Sequence[float], right_closed: bool) -> list[int]:
    """Counts by upper bound as counts by bin: what lies on or beyond an outermost edge joins the outermost bin."""
    bounds = list(edges) if right_closed else [-edge for edge in reversed(edges)]
    counts = [0] * (len(bounds) - 1)
    for bound, rows in (found or {}).items():
        index = next((i for i, edge in enumerate(bounds) if bound <= edge), len(bounds))
        counts[min(max(index - 1, 0), len(counts) - 1)] += rows
    return counts if right_closed else counts[::-1]


def _is_skewed(spread: Spread) -> bool:
    """Whether a few values are so far out that on a plain axis the rest would share two or three bins."""
    return spread.low >= 0 and spread.high >= 20 and spread.high - spread.low > 8 * (spread.mean - spread.low)


def _finite(name: str) -> str:
    """The number of a measure, none where it stands for infinity."""
    column = sql_name(name)
    return f"CASE WHEN isfinite({column}::DOUBLE) AND {column} <> {NEVER!r} THEN {column}::DOUBLE END"


def sql_name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def sql_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def fetch_all(connection: duckdb.DuckDBPyConnection, query: str, values: Iterable[Any] = ()) -> list[Any]:
    return connection.execute(query, list(values)).fetchall()


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchone()
