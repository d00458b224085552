"""Groups of pictures that are alike: strips, the kept one framed, how far each copy lies; how large groups are."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.alike_queries import Alike
from pipelines.charts import bar_svg
from pipelines.report_pages.markup import count, esc, foreign, number, section
from pipelines.report_pages.thumbnails import Thumbnails
from pipelines.report_queries import Row
from pipelines.report_spec import Likeness
from transforms.ledger import Measure

SIZES = 12
"""Sizes of groups that get a bar of their own; the last one stands for all above."""


def alike(
    likeness: Likeness,
    measure: Measure,
    groups: Sequence[Sequence[Alike]],
    sizes: Sequence[tuple[int, int]],
    thumbnails: Thumbnails,
) -> str:
    """`groups` are the largest and the most doubtful ones."""
    titles = ("Largest groups", "Most doubtful groups")
    blocks = [
        f'<h3>{title}</h3><div class="strips">{"".join(_strip(one, measure, thumbnails) for one in found)}</div>'
        for title, found in zip(titles, groups, strict=True)
        if found
    ]
    return section(likeness.anchor, likeness.title, esc(likeness.lead), _sizes(sizes) + "".join(blocks))


def _strip(group: Alike, measure: Measure, thumbnails: Thumbnails) -> str:
    kept = "".join(_figure(row, thumbnails, _stays(row)) for row in group.kept)
    others = "".join(_figure(row, thumbnails, _apart(row, measure)) for row in group.others)
    more = group.copies - len(group.others)
    rest = f'<p class="more">and {count(more)} more</p>' if more > 0 else ""
    return f'<div class="strip card">{kept}<div class="others">{others}{rest}</div></div>'


def _figure(row: Row, thumbnails: Thumbnails, told: str) -> str:
    title = esc(f"{row.key}: {(row.text or '')[:200]}")
    kind = ' class="star"' if told.startswith("<b>stays") else ""
    key = f"<code>{foreign(row.key, 24)}</code>"
    return f'<figure{kind} title="{title}">{thumbnails.image(row)}<figcaption>{told}{key}</figcaption></figure>'


def _stays(row: Row) -> str:
    return "<b>stays</b>" if row.fate == "kept" else f"<b>stays</b><small>then {esc(row.rule or row.fate)}</small>"


def _apart(row: Row, measure: Measure) -> str:
    return (
        f"<span><b>{number(row.value)}</b> <small>{esc(measure.unit)}</small></span>" if row.value is not None else ""
    )


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    """A bar for each size of group."""
    shown = [(size, groups) for size, groups in sizes if size < SIZES]
    above = sum(groups for size, groups in sizes if size >= SIZES)
    named = [(f"{size} pictures", groups) for size, groups in shown]
    named += [(f"{SIZES} and more", above)] if above else []
    most = max(groups for _, groups in named)
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{bar_svg([(groups / most, 'dropped')], f'{groups:,} groups')}</dd>"
        f'<dd class="num">{count(groups)}</dd></div>'
        for name, groups in named
    )
    return f'<div class="card sizes"><h3>Groups by size</h3><dl>{rows}</dl></div>'
