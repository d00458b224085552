"""For every rule the samples on both sides of its limit, nearest first: where a threshold is judged by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.report_pages.markup import count, esc, foreign, number, section, share
from pipelines.report_pages.overview import SIGNS, condition
from pipelines.report_pages.thumbnails import Thumbnails
from pipelines.report_queries import Row
from pipelines.report_spec import RuleSpec, is_enabled
from transforms.shards import Manifest

LINE = 36
"""Characters above which a caption may not fit three lines and so can be opened."""


def rules(examples: Sequence[tuple[RuleSpec, list[Row], list[Row]]], manifest: Manifest, thumbnails: Thumbnails) -> str:
    """`examples` holds (rule, its nearest dropped rows, the nearest kept rows) in rule order."""
    blocks = [_rule(rule, (dropped, kept), manifest, thumbnails) for rule, dropped, kept in examples]
    lead = (
        "The samples nearest to each limit, dropped and kept: where they look alike, the limit is where it should be."
    )
    return section("rules", "At the threshold", lead, "".join(blocks))


def card(row: Row, thumbnails: Thumbnails, verdict: str = "") -> str:
    """Picture, verdict (HTML), caption, key."""
    told = f'<p class="verdict">{verdict}</p>' if verdict else ""
    return (
        f'<article class="sample {esc(row.fate)}"><div class="picture">{thumbnails.image(row)}</div>{told}'
        f'{text_block(row.text, row.text_length)}<p class="key" title="{esc(row.key)}"><code>{esc(row.key)}</code></p>'
        "</article>"
    )


def text_block(text: str | None, length: int | None) -> str:
    """A text in three lines that opens to all of it, or to as much as the page holds."""
    if text is None or length is None:
        return '<p class="caption none">no text</p>'
    if not text.strip():
        return f'<p class="caption none">empty text ({count(length)} characters)</p>'
    whole = foreign(text, len(text))
    if length <= LINE:
        return f'<p class="caption">{whole}</p>'
    more = f"<small>first {count(len(text))} of {count(length)} characters</small>" if length > len(text) else ""
    short = esc(text[:200])
    return f'<details class="caption"><summary title="{short}">{whole}</summary>{more}</details>'


def _rule(rule: RuleSpec, rows: tuple[list[Row], list[Row]], manifest: Manifest, thumbnails: Thumbnails) -> str:
    lost, read = manifest.counts["dropped"].get(rule.rule, 0), manifest.counts["read"]
    off = not is_enabled(rule, manifest.config)
    tally = "off in this run" if off else f"{count(lost)} dropped · {share(lost, read)}" if lost else "dropped nothing"
    head = (
        f"<summary><h3><code>{esc(rule.rule)}</code></h3>"
        f'<span class="condition">{condition(rule, manifest.config)}</span>'
        f'<span class="tally{"" if lost else " zero"}">{tally}</span></summary>'
    )
    sides = (_side("Dropped", rows[0], rule, thumbnails), _side("Kept", rows[1], rule, thumbnails))
    meaning = f'<p class="meaning">{esc(rule.meaning)}</p>' if rule.meaning else ""
    opened = " open" if lost else ""
    body = f'{meaning}<div class="sides">{"".join(sides)}</div>'
    return f'<details class="rule card" id="rule-{esc(rule.rule)}"{opened}>{head}{body}</details>'


def _side(title: str, rows: Sequence[Row], rule: RuleSpec, thumbnails: Thumbnails) -> str:
    cards = "".join(card(row, thumbnails, _verdict(row, rule)) for row in rows)
    body = (
        f'<div class="grid">{cards}</div>'
        if rows
        else f'<p class="note">No {title.lower()} sample has this measure.</p>'
    )
    return f'<div class="side {title.lower()}"><h4>{title}, nearest first</h4>{body}</div>'


def _verdict(row: Row, rule: RuleSpec) -> str:
    """`199 < 200` of a dropped row, the measure of a kept one, and what the numbers cannot say."""
    shown = f"<b>{number(row.value)}</b>" if row.value is not None else ""
    if row.fate == "dropped" and row.limit is not None and (rule.limit_key or rule.limit is not None):
        shown += f" {SIGNS[rule.side]} {number(row.limit)}"
    return shown + (f" <small>{foreign(row.detail, 60)}</small>" if row.detail else "")


def links(rules_: Sequence[RuleSpec], counts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(anchor, label) of the rules that dropped something, for the table of contents."""
    return [(f"rule-{rule.rule}", rule.rule) for rule in rules_ if counts["dropped"].get(rule.rule)]
