"""Concept balance on the page: how many captions stay, the head and the tail before and after, weighted entries."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.charts import bar_svg
from pipelines.concept_summary import Band, EntryCount, Summary
from pipelines.rank_chart import rank_svg
from pipelines.report_pages.markup import count, esc, foreign, number, section, share, table

LEAD = (
    "An entry of the vocabulary that more than t captions name lets each of them pass with t over its count: the head"
    " comes down, the tail stays whole. A caption stays where any of its entries lets it pass."
)
ENTRY_SHOWN = 60


def concepts(found: Summary) -> str:
    if not found.captions:
        return section("concepts", "Concepts", LEAD, '<p class="note">No caption came this far.</p>')
    if not found.named:
        return section("concepts", "Concepts", LEAD, _numbers(found))
    tables = [_bands("Captions that name it", "Head and tail", found.bands)]
    tables += [_bands("Kind", "Kinds of entries", found.kinds)] if found.kinds else []
    parts = [_curve(found), f'<div class="stack">{"".join(tables)}</div>', _head(found), _weighted(found)]
    return section("concepts", "Concepts", LEAD, _numbers(found) + f'<div class="concepts">{"".join(parts)}</div>')


def _numbers(found: Summary) -> str:
    drawn = found.captions - found.unmatched - found.kept
    cells = [
        ("captions", "", found.captions, f"t {number(found.t)}"),
        ("name no entry", "dropped", found.unmatched, f"{share(found.unmatched, found.captions)} of captions"),
        ("not drawn", "dropped", drawn, f"{share(drawn, found.captions)} of captions"),
        ("stay", "kept", found.kept, f"{share(found.kept, found.captions)} of captions"),
    ]
    big = "".join(
        f'<div class="{tone}"><dt>{name}</dt><dd><b>{count(value)}</b><span>{told}</span></dd></div>'
        for name, tone, value, told in cells
    )
    bar = bar_svg(
        [(found.kept / found.captions, "kept"), ((found.captions - found.kept) / found.captions, "dropped")],
        f"{found.kept:,} of {found.captions:,} captions stay",
    )
    return f'<dl class="big">{big}</dl>{bar}'


def _curve(found: Summary) -> str:
    above = "entry is" if found.above == 1 else "entries are"
    facts = (
        f"{count(found.named)} of {count(found.entries)} entries are named by a caption · {count(found.above)} {above}"
        " above t · entries keep the rank they had before"
    )
    return (
        '<figure class="card"><figcaption><h3>Captions of each entry</h3></figcaption>'
        f'{rank_svg(found.curve, found.t)}<p class="facts">{facts}</p></figure>'
    )


def _bands(head: str, title: str, bands: Sequence[Band]) -> str:
    rows = [
        [esc(b.label.replace("_", " ")), count(b.entries), count(b.before), count(b.after), _stay(b.before, b.after)]
        for b in bands
    ]
    columns = [head, "Entries", "Before", "After", "Stays"]
    return f'<div class="card"><h3>{title}</h3>{table(columns, rows, frozenset({1, 2, 3}))}</div>'


def _head(found: Summary) -> str:
    return f'<div class="card"><h3>The head, entry by entry</h3>{_entries(found.head, weights=False)}</div>'


def _weighted(found: Summary) -> str:
    if not found.weighted:
        return ""
    told = "A weight above 1 boosts an entry, a large one protects it; an entry of weight 0 keeps nothing."
    body = f'<p class="meaning">{told}</p>{_entries(found.weighted, weights=True)}'
    return f'<div class="card"><h3>Weighted entries, the most frequent</h3>{body}</div>'


def _entries(entries: Sequence[EntryCount], *, weights: bool) -> str:
    rows = []
    for one in entries:
        kind = f" <small>{esc(one.kind.replace('_', ' '))}</small>" if one.kind else ""
        cells = [foreign(one.entry, ENTRY_SHOWN) + kind, *([number(one.weight)] if weights else [])]
        rows.append([*cells, count(one.before), count(one.after), _stay(one.before, one.after)])
    columns = ["Entry", *(["Weight"] if weights else []), "Before", "After", "Stays"]
    return table(columns, rows, frozenset(range(1, len(columns) - 1)))


def _stay(before: int, after: int) -> str:
    part = after / before if before else 0.0
    return (
        f'<span class="stays">{bar_svg([(part, "kept"), (1 - part, "rest")], f"{after:,} of {before:,} stay")}'
        f"<small>{share(after, before)}</small></span>"
    )
