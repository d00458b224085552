"""Refined texts beside their originals: the verdict by rule, what it cost, and pairs with their facts marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.charts import bar_svg
from pipelines.recaption_queries import Refined
from pipelines.report_pages.markup import count, esc, foreign, number, section, share, table
from pipelines.report_pages.overview import condition
from pipelines.report_pages.thumbnails import Thumbnails
from pipelines.report_spec import RuleSpec
from recaption.facts import Fact, added_facts, find_facts, lost_facts
from transforms.shards import Manifest

LEAD = (
    "A captioner rewrote each kept caption; a rule that turns its text away leaves the original. Facts (names, places, "
    'numbers, dates, quotes) are marked: <mark class="same">in both</mark> <mark class="gone">lost</mark> '
    '<mark class="new">added</mark>'
)


def recaptions(
    manifest: Manifest,
    rules: Sequence[RuleSpec],
    cards: tuple[list[Refined], list[Refined]],
    captioners: Sequence[tuple[str, str, int]],
    thumbnails: Thumbnails,
) -> str:
    """`cards` are accepted and turned-away texts; `captioners` (model, prompt, rows) as they answered."""
    sums = manifest.counts["recaption"]
    pairs = "".join(
        f'<div class="pairs {name}"><h3>{title}</h3><div class="pair-grid">'
        f"{''.join(pair_card(one, thumbnails) for one in found)}</div></div>"
        for name, title, found in zip(("kept", "dropped"), ("Accepted", "Turned away"), cards, strict=True)
        if found
    )
    body = _numbers(sums) + _verdicts(sums, rules, manifest.config) + _captioners(captioners, sums) + pairs
    return section("recaptions", "Refined captions", LEAD, body)


def _numbers(sums: Mapping[str, Any]) -> str:
    asked = sums["asked"]
    turned = sum(sums["turned_away"].values())
    cells = (
        ("asked", "asked", asked, "kept rows"),
        ("kept", "accepted", sums["accepted"], f"{share(sums['accepted'], asked)} of asked"),
        ("dropped", "turned away", turned, f"{share(turned, asked)} of asked"),
        ("mixed", "become the text", sums["text"], f"{share(sums['text'], asked)} of asked"),
    )
    inner = "".join(
        f'<div class="{kind}"><dt>{name}</dt><dd><b>{count(value)}</b><span>{told}</span></dd></div>'
        for kind, name, value, told in cells
    )
    return f'<dl class="big">{inner}</dl>'


def _verdicts(sums: Mapping[str, Any], rules: Sequence[RuleSpec], config: Mapping[str, Any]) -> str:
    asked, turned = sums["asked"], sums["turned_away"]
    shown = [rule for rule in rules if turned.get(rule.rule)]
    rows = [
        [
            f"<code>{esc(rule.rule)}</code><br><small>{esc(rule.meaning)}</small>",
            f'<span class="condition">{condition(rule, config)}</span>',
            bar_svg([(turned[rule.rule] / (asked or 1), "dropped")], f"{turned[rule.rule]:,} of {asked:,}"),
            count(turned[rule.rule]),
            share(turned[rule.rule], asked),
        ]
        for rule in shown
    ]
    return table(["Turned away by", "Where", "", "Texts", "Of asked"], rows, frozenset({3, 4})) if rows else ""


def _captioners(captioners: Sequence[tuple[str, str, int]], sums: Mapping[str, Any]) -> str:
    who = ", ".join(
        f"{foreign(model or 'a captioner without a name', 80)} by <code>{esc(prompt)}</code> ({count(rows)})"
        for model, prompt, rows in captioners
    )
    paid = f", cost {number(sums['cost'])}" if sums["cost"] else ""
    tokens = f"{count(sums['tokens_in'])} tokens read, {count(sums['tokens_out'])} written{paid}."
    return f'<p class="note">{who or "Nobody answered"}. {tokens}</p>'


def pair_card(one: Refined, thumbnails: Thumbnails) -> str:
    """Picture, verdict, scores, and both texts with their facts marked."""
    state = "dropped" if one.rule else "kept"
    original = one.row.text or ""
    before, after = find_facts(original), find_facts(one.text)
    lost = lost_facts([before], after)
    same = [fact for fact in before.facts if fact not in lost]
    added = added_facts([before], after)
    known = [fact for fact in after.facts if before.has(fact)]
    texts = _text("Original", marked(original, [("gone", lost), ("same", same)]), one.row.text_length, original)
    if one.text or not one.rule:
        texts += _text("Refined", marked(one.text, [("new", added), ("same", known)]), one.length, one.text)
    return (
        f'<article class="pair card {state}"><div class="picture">{thumbnails.image(one.row)}</div>'
        f'<div class="told"><p class="verdict">{_verdict(one)}</p>{_scores(one)}{texts}'
        f'<p class="key"><code>{esc(one.row.key)}</code></p></div></article>'
    )


def _verdict(one: Refined) -> str:
    if not one.rule:
        return f"<b>accepted</b>{' · is the text' if one.text_from == 'recaption' else ' · the original is the text'}"
    return f"<b><code>{esc(one.rule)}</code></b>" + (f" {foreign(one.detail, 160)}" if one.detail else "")


def _scores(one: Refined) -> str:
    if one.before is None or one.after is None:
        return ""
    change = round(one.after - one.before, 4)
    kind, sign = ("fell", "−") if change < 0 else ("rose", "+") if change else ("same", "±")
    return (
        f'<p class="scores">CLIP {one.before:.4f} → {one.after:.4f} '
        f'<span class="{kind}">{sign}{abs(change):.4f}</span></p>'
    )


def _text(title: str, html: str, length: int | None, shown: str) -> str:
    more = (
        f" <small>first {count(len(shown))} of {count(length or 0)} characters</small>"
        if (length or 0) > len(shown)
        else ""
    )
    return f'<h4>{title}{more}</h4><p class="words">{html or "<i>empty</i>"}</p>'


def marked(text: str, kinds: Iterable[tuple[str, Sequence[Fact]]]) -> str:
    """The text as HTML with each fact's first occurrence marked; what overlaps an earlier mark stays plain."""
    spans: list[tuple[int, int, str]] = []
    for kind, facts in kinds:
        for fact in sorted(facts, key=lambda fact: -len(fact.text)):
            start = text.find(fact.text) if fact.text else -1
            end = start + len(fact.text)
            if start >= 0 and all(end <= first or start >= last for first, last, _ in spans):
                spans.append((start, end, kind))
    parts, at = [], 0
    for start, end, kind in sorted(spans):
        parts += [esc(text[at:start]), f'<mark class="{kind}">{esc(text[start:end])}</mark>']
        at = end
    inner = "".join(parts) + esc(text[at:])
    return f'<bdi dir="auto">{inner}</bdi>' if inner else ""
