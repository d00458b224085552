"""What the report asks of a ledger about refined texts: some accepted, and some of each rule that turned one away."""

from __future__ import annotations

from typing import NamedTuple

import duckdb

from pipelines.report_queries import TEXT_SHOWN, Row, mixed_rows

ROWS = "fate = 'kept' AND recaption IS NOT NULL"
COLUMNS = (
    f"left(recaption, {TEXT_SHOWN}), length(recaption), recaption_rule, recaption_value, recaption_limit, "
    "recaption_detail, recaption_clip_before, recaption_clip_score, text_from, recaption_tokens_out"
)


class Refined(NamedTuple):
    """One row with its refined text; `row.text` is the original."""

    row: Row
    text: str
    length: int
    rule: str | None
    value: float | None
    limit: float | None
    detail: str | None
    before: float | None
    after: float | None
    text_from: str | None
    tokens: int | None


def accepted(connection: duckdb.DuckDBPyConnection, count: int) -> list[Refined]:
    """Texts that no rule turned away, from all over the pool; those that say something else than the original, else
    any."""
    where = f"{ROWS} AND recaption_rule IS NULL"
    found = mixed_rows(connection, f"{where} AND recaption <> caption", COLUMNS, count)
    return [Refined(*one) for one in found or mixed_rows(connection, where, COLUMNS, count)]


def turned_away(connection: duckdb.DuckDBPyConnection, rules: list[str], each: int) -> list[Refined]:
    """Up to `each` texts of every rule, in the order of the rules."""
    where = f"{ROWS} AND recaption_rule = '{{}}'"
    found = (mixed_rows(connection, where.format(rule), COLUMNS, each) for rule in rules)
    return [Refined(*one) for some in found for one in some]


def answered_by(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    """(model, prompt, rows), the most frequent first."""
    query = f"SELECT recaption_model, recaption_prompt, count(*) FROM ledger WHERE {ROWS} AND recaption_error IS NULL "
    return connection.execute(query + "GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT 8").fetchall()
