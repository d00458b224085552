"""Tables of the terminal: the funnel of a run. Everything from a pool is shown as plain text, never as markup."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.kinds import kind_named
from transforms.shards import Manifest


def show(table: Table) -> None:
    Console().print(table)


def funnel_table(manifest: Manifest) -> Table:
    """One line a rule in the order of application, then failures and what is kept."""
    counts = manifest.counts
    order = [spec.rule for spec in kind_named(manifest.pipeline).report.rules]
    table = Table(title=f"{manifest.pipeline}: {counts['kept']:,} of {counts['read']:,} kept", title_justify="left")
    table.add_column("fate")
    table.add_column("reason")
    table.add_column("samples", justify="right")
    table.add_column("share", justify="right")
    for rule in sorted(counts["dropped"], key=order.index):
        _add(table, "dropped", rule, counts["dropped"][rule], counts["read"])
    for error, count in counts["failed"].items():
        _add(table, "failed", error, count, counts["read"])
    _add(table, "kept", "", counts["kept"], counts["read"])
    return table


def _add(table: Table, fate: str, reason: str, count: int, read: int) -> None:
    share = f"{count / read:.2%}" if read else "–"
    table.add_row(Text(fate), Text(reason), f"{count:,}", share)
