"""The rest of the report: failures, duplicates, shared texts, categories, inputs, config and versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pipelines.charts import bar_svg
from pipelines.report_pages.markup import count, esc, foreign, section, share, table
from pipelines.report_pages.rules import card, text_block
from pipelines.report_pages.thumbnails import Thumbnails
from pipelines.report_queries import Row
from transforms.ledger import Measure
from transforms.shards import Manifest

INPUTS_SHOWN = 20


def failures(classes: Sequence[tuple[str, int, list[Any]]], read: int) -> str:
    lead = "Rows that could not be judged, by class, with the place of the first few."
    if not classes:
        return section(
            "failures", "Failed rows", lead, '<p class="note">None: every row could be read and decoded.</p>'
        )
    blocks = []
    for name, rows, examples in classes:
        items = "".join(
            f'<li><span class="message">{foreign(message)}</span><code class="place">{foreign(place)}</code></li>'
            for _, place, message in examples
        )
        tally = f'<span class="tally failed">{count(rows)} · {share(rows, read)}</span>'
        blocks.append(f'<div class="failure card"><h3><code>{esc(name)}</code></h3>{tally}<ul>{items}</ul></div>')
    return section("failures", "Failed rows", lead, "".join(blocks))


def duplicates(groups: Sequence[tuple[str, int, list[Row], list[Row]]], thumbnails: Thumbnails) -> str:
    lead = "The largest groups of copies: the one that stands for all of them, and the first of the others."
    if not groups:
        return section("duplicates", "Duplicates", lead, '<p class="note">No copies were found.</p>')
    blocks = []
    for key, copies, first, others in groups:
        cards = "".join(card(row, thumbnails, _role(row, key)) for row in [*first, *others])
        rest = f'<p class="note">and {count(copies - len(others))} more</p>' if copies > len(others) else ""
        head = f"<h3>{count(copies)} {'copy' if copies == 1 else 'copies'} of <code>{esc(key)}</code></h3>"
        blocks.append(f'<div class="cluster card">{head}<div class="grid">{cards}</div>{rest}</div>')
    return section("duplicates", "Duplicates", lead, f'<div class="clusters">{"".join(blocks)}</div>')


def shared_texts(texts: Sequence[Any]) -> str:
    lead = "One text over many pictures says little about any of them."
    if not texts:
        return section("shared-texts", "Shared texts", lead, '<p class="note">No text is shared by two pictures.</p>')
    rows = [
        [text_block(text, length), count(pictures), count(total), count(kept)]
        for text, length, pictures, total, kept in texts
    ]
    body = table(["Text", "Pictures", "Rows", "Kept"], rows, frozenset({1, 2, 3}))
    return section("shared-texts", "Shared texts", lead, body)


def categories(name: str, measure: Measure, values: Sequence[Any], read: int) -> str:
    rows = [
        [
            foreign(value, 60) if value else '<span class="none">not measured</span>',
            bar_svg([(kept / read, "kept"), ((total - kept) / read, "dropped")], f"{kept:,} kept of {total:,}"),
            count(total),
            share(total, read),
            share(kept, total),
        ]
        for value, total, kept in values
    ]
    body = table([esc(name), "Rows: kept, not kept", "Rows", "Of all", "Kept"], rows, frozenset({2, 3, 4}))
    return section(f"category-{name}", name.replace("_", " ").capitalize(), esc(measure.meaning), body)


def inputs(manifest: Manifest) -> str:
    listed = sorted(manifest.inputs, key=lambda one: (-one["rows"], one["uri"], one["part"]))
    rows = [
        [
            f'<code class="place">{foreign(one["uri"])}</code>',
            str(one["part"]),
            count(one["rows"]),
            count(one["kept"]),
            share(one["kept"], one["rows"]),
        ]
        for one in listed[:INPUTS_SHOWN]
    ]
    rest = f'<p class="note">and {count(len(listed) - len(rows))} more</p>' if len(listed) > len(rows) else ""
    body = table(["Input", "Part", "Rows", "Kept", "Share"], rows, frozenset({1, 2, 3, 4})) + rest
    return section("inputs", "Inputs", "What was read, the largest first.", body)


def recipe(manifest: Manifest) -> str:
    """The resolved config, one small table for each of its sections, and the versions that ran it."""
    blocks: dict[str, list[tuple[str, str]]] = {}
    for dotted, value in _flat(manifest.config):
        head, _, tail = dotted.partition(".")
        blocks.setdefault(head if tail else "", []).append((tail or head, value))
    boxes = [_box(name or "run", lines) for name, lines in blocks.items()]
    boxes.append(_box("versions", [(name, version) for name, version in manifest.versions.items()]))
    lead = f'Fingerprint <code class="place">{esc(manifest.fingerprint)}</code>'
    return section("recipe", "Recipe", lead, f'<div class="boxes">{"".join(boxes)}</div>')


def _box(name: str, lines: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<div><dt>{esc(key)}</dt><dd>{foreign(value, 300)}</dd></div>" for key, value in lines)
    return f'<div class="card box"><h3>{esc(name)}</h3><dl>{body}</dl></div>'


def _flat(config: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}{key}.")
        else:
            items = value if isinstance(value, list) and value else [value]
            yield f"{place}{key}", ", ".join(_plain(item) for item in items)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()


def _role(row: Row, kept_key: str) -> str:
    if row.key != kept_key:
        return "copy"
    return "<b>kept</b>" if row.fate == "kept" else f"<b>stands for them</b> <small>{esc(row.rule or row.fate)}</small>"
