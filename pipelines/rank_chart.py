"""Counts by rank, before and after, as inline SVG on two logarithmic axes; in the look of pipelines/charts.py."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pipelines.chart_scales import scaled
from pipelines.charts import FONT, INK, LEFT, RIGHT, WIDTH, Series, footer, format_short, xml
from pipelines.concept_summary import Point

TOP, TALL = 14.0, 270.0
BOTTOM = TOP + TALL


class _Axes:
    def __init__(self, points: Sequence[Point], t: float) -> None:
        self.last = max(point.last for point in points) + 1.0
        self.peak = max([t, *(point.before for point in points)]) * 1.15

    def x(self, rank: float) -> float:
        return LEFT + scaled(rank - 1, True) / scaled(self.last - 1, True) * (WIDTH - LEFT - RIGHT)

    def y(self, count: float) -> float:
        return BOTTOM - scaled(count, True) / scaled(self.peak, True) * TALL


def rank_svg(points: Sequence[Point], t: float) -> str:
    """Areas of the counts before and after, each rank at its place before, under a line at t. `points` not empty."""
    axes = _Axes(points, t)
    told = f"Captions that name an entry, by its rank, before and after; t is {t:g}"
    legend = [Series("before", (), "plain"), Series("after", (), "kept")]
    head = f'<svg class="chart" viewBox="0 0 {WIDTH:g} {BOTTOM + 50:g}" role="img" style="{FONT}">'
    return (
        f"{head}<title>{xml(told)}</title>"
        + "".join(_grid(axes))
        + _area(axes, [point.before for point in points], points, "plain")
        + _area(axes, [point.after for point in points], points, "kept")
        + _limit(axes, t)
        + "".join(_hover(axes, points))
        + footer(BOTTOM + 44, "rank of the entry (log)", legend)
        + "</svg>"
    )


def _area(axes: _Axes, counts: Sequence[float], points: Sequence[Point], tone: str) -> str:
    steps = []
    for count, point in zip(counts, points, strict=True):
        steps.append(f"V{axes.y(count):.1f}H{axes.x(point.last + 1):.1f}")
    line = f"M{LEFT:g} {axes.y(counts[0]):.1f}" + "".join(steps)
    ink = INK[tone]
    return (
        f'<path d="M{LEFT:g} {BOTTOM:g}{"".join(steps)}V{BOTTOM:g}z" style="fill:{ink};fill-opacity:.22"/>'
        f'<path d="{line}" style="fill:none;stroke:{ink};stroke-width:1.8"/>'
    )


def _limit(axes: _Axes, t: float) -> str:
    y, ink = axes.y(t), INK["dropped"]
    return (
        f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" style="stroke:{ink};stroke-width:1.3;stroke-dasharray:5 4"/>'
        f'<text x="{LEFT + 6:g}" y="{y - 6:.1f}" style="fill:{ink};font-weight:600">t {format_short(t)}</text>'
    )


def _hover(axes: _Axes, points: Sequence[Point]) -> Iterator[str]:
    for point in points:
        left, right = axes.x(point.first), axes.x(point.last + 1)
        ranks = f"rank {point.first:,}" if point.first == point.last else f"ranks {point.first:,} to {point.last:,}"
        told = f"{ranks} ({point.entry}): {format_short(point.before)} before, {format_short(point.after)} after"
        yield (
            f'<rect x="{left:.1f}" y="{TOP:g}" width="{right - left:.1f}" height="{TALL:g}" fill="none"'
            f' pointer-events="all"><title>{xml(told)}</title></rect>'
        )


def _grid(axes: _Axes) -> Iterator[str]:
    for power in range(math.floor(math.log10(axes.peak)) + 1):
        y = axes.y(10.0**power)
        yield f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" style="stroke:{INK["grid"]}"/>'
        yield _label(LEFT - 7, y + 4, format_short(10.0**power), "end")
    yield f'<path d="M{LEFT:g} {BOTTOM:g}H{WIDTH - RIGHT:g}" style="stroke:{INK["axis"]}"/>'
    for power in range(math.floor(math.log10(axes.last)) + 1):
        x = axes.x(10.0**power)
        yield f'<path d="M{x:.1f} {BOTTOM:g}v4" style="stroke:{INK["axis"]}"/>'
        yield _label(x, BOTTOM + 17, format_short(10.0**power), "middle")


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="fill:{INK["muted"]}">{text}</text>'
