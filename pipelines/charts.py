"""Charts as inline SVG: pure functions from numbers to text, for the report and for calibration.

Colours are CSS variables with a fallback each, so that one chart serves a light page, a dark page and no page at all.
Left out on purpose: scripts, ids (a page holds many charts), and binning in SQL (pipelines/report_queries.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from pipelines.chart_scales import Cut, bin_counts, choose_edges, cut_at, nice_step, scaled

__all__ = ["Cut", "Series", "Tone", "bar_svg", "bin_counts", "choose_edges", "format_short", "histogram_svg"]

Tone = Literal["kept", "dropped", "failed", "plain"]

INK = {
    "kept": "var(--kept, #0f766e)",
    "dropped": "var(--dropped, #c2570c)",
    "failed": "var(--failed, #9f1239)",
    "plain": "var(--plain, #64748b)",
    "rest": "var(--track, #94a3b833)",
    "tint": "var(--tint, #c2570c14)",
    "axis": "var(--line-strong, #94a3b8)",
    "grid": "var(--line, #94a3b840)",
    "text": "var(--text, #1f2937)",
    "muted": "var(--muted, #64748b)",
}

# 440 units wide: on a 360 px phone the scale is 0.75 and 13-unit text still reads as 10 px.
WIDTH, LEFT, RIGHT, PLOT, ROW = 440.0, 46.0, 10.0, 132.0, 17.0
FONT = "font:13px ui-sans-serif,system-ui,sans-serif;font-variant-numeric:tabular-nums"
LONGEST_LABEL = 52
LOG_LEVELS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Series:
    """One set of bars: `counts[i]` lies between `edges[i]` and `edges[i + 1]` of its histogram."""

    label: str
    counts: Sequence[int]
    tone: Tone = "plain"


def histogram_svg(
    series: Sequence[Series],
    *,
    edges: Sequence[float],
    cuts: Sequence[Cut] = (),
    x_label: str,
    log_x: bool = False,
    whole: bool = False,
    layout: Literal["stack", "overlay"] = "overlay",
    as_share: bool = False,
) -> str:
    """Bars over a common axis, each cut as a labelled line with the side that it drops tinted.

    Two series lie over each other, or on each other where `layout` is "stack"; `as_share` draws each series as shares
    of its own total, for sets of different sizes. Raises ValueError where a series does not fit the edges.
    """
    _check_counts(series, edges)
    axis = _Axis(edges, log_x, ROW * len(cuts) + 8, whole)
    bars, peak = _all_bars(axis, series, layout, as_share)
    return (
        _open_svg(axis, f"Histogram of {x_label}" + "".join(f"; {cut.label}" for cut in cuts))
        + "".join(_tint(axis, cut, whole) for cut in cuts)
        + _y_axis(axis, peak, as_share)
        + bars
        + _hover(axis, series)
        + "".join(_cut_line(axis, cut, row, whole) for row, cut in enumerate(cuts))
        + _x_axis(axis)
        + footer(_height(axis) - 6, x_label, series)
        + "</svg>"
    )


def _height(axis: _Axis) -> float:
    return axis.top + PLOT + 50


def _open_svg(axis: _Axis, summary: str) -> str:
    head = f'<svg class="chart" viewBox="0 0 {WIDTH:g} {_height(axis):g}" role="img" style="{FONT}">'
    return f"{head}<title>{xml(summary)}</title>"


def _check_counts(series: Sequence[Series], edges: Sequence[float]) -> None:
    for one in series:
        if len(one.counts) != len(edges) - 1:
            raise ValueError(f"series {one.label!r}: expected {len(edges) - 1} counts, found {len(one.counts)}")


def _all_bars(
    axis: _Axis, series: Sequence[Series], layout: Literal["stack", "overlay"], as_share: bool
) -> tuple[str, float]:
    """The bars of every series, and the height of the tallest."""
    heights = [[n / (sum(s.counts) or 1) if as_share else float(n) for n in s.counts] for s in series]
    peak = max((sum(bars) if layout == "stack" else max(bars) for bars in zip(*heights, strict=True)), default=0.0) or 1
    floor = [0.0] * max((len(tall) for tall in heights), default=0)
    paths = []
    for one, tall in zip(series, heights, strict=True):
        paths.append(_bars_path(axis, tall, floor, (peak, one.tone, layout)))
        floor = [a + b for a, b in zip(floor, tall, strict=True)] if layout == "stack" else floor
    return "".join(paths), peak


def bar_svg(parts: Sequence[tuple[float, Tone | Literal["rest"]]], label: str) -> str:
    """A flat bar of shares (each 0..1, in order from the left) that takes the width and height of its box."""
    pieces, at = [], 0.0
    for share, tone in parts:
        if share > 0:  # A trace of three thousandths stays visible: one drop in a million is still a drop.
            x, wide = min(at, 0.997) * 1000, max(share, 0.003) * 1000
            pieces.append(f'<rect x="{x:.1f}" width="{wide:.1f}" height="10" style="fill:{INK[tone]}"/>')
        at += share
    head = f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"><title>{xml(label)}</title>'
    return head + "".join(pieces) + "</svg>"


def format_short(value: float) -> str:
    """A number for an axis: 0.3, 42, 1.5k, 20M."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"


@dataclass(frozen=True)
class _Axis:
    edges: Sequence[float]
    log_x: bool
    top: float
    whole: bool

    def x(self, value: float) -> float:
        low, high = scaled(self.edges[0], self.log_x), scaled(self.edges[-1], self.log_x)
        share = (scaled(value, self.log_x) - low) / ((high - low) or 1.0)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    @property
    def bottom(self) -> float:
        return self.top + PLOT


def _bars_path(axis: _Axis, tall: Sequence[float], floor: Sequence[float], style: tuple[float, Tone, str]) -> str:
    peak, tone, layout = style
    path = []
    for i, value in enumerate(tall):
        if value:
            left, right = axis.x(axis.edges[i]), axis.x(axis.edges[i + 1])
            gap = 0.8 if right - left > 4 else 0.0
            high = max(value / peak * PLOT, 1.5)  # One row among millions must not vanish.
            base = axis.bottom - floor[i] / peak * PLOT
            path.append(f"M{left:.1f} {base:.1f}V{base - high:.1f}H{right - gap:.1f}V{base:.1f}z")
    opacity = "" if layout == "stack" else ";fill-opacity:.6"
    return f'<path d="{"".join(path)}" style="fill:{INK[tone]}{opacity}"/>'


def _hover(axis: _Axis, series: Sequence[Series]) -> str:
    boxes = []
    for i in range(len(axis.edges) - 1):
        if any(one.counts[i] for one in series):
            left, right = axis.x(axis.edges[i]), axis.x(axis.edges[i + 1])
            told = ", ".join(f"{one.label} {one.counts[i]:,}" for one in series)
            span = f"{format_short(axis.edges[i])} to {format_short(axis.edges[i + 1])}"
            boxes.append(
                f'<rect x="{left:.1f}" y="{axis.top:g}" width="{right - left:.1f}" height="{PLOT:g}" fill="none"'
                f' pointer-events="all"><title>{xml(f"{span}: {told}")}</title></rect>'
            )
    return "".join(boxes)


def _tint(axis: _Axis, cut: Cut, whole: bool) -> str:
    at = axis.x(cut_at(cut, whole))
    left, right = (LEFT, at) if cut.side == "min" else (at, WIDTH - RIGHT)
    return (
        f'<rect x="{left:.1f}" y="{axis.top:g}" width="{max(right - left, 0):.1f}" height="{PLOT:g}"'
        f' style="fill:{INK["tint"]}"/>'
    )


def _cut_line(axis: _Axis, cut: Cut, row: int, whole: bool) -> str:
    at, base = axis.x(cut_at(cut, whole)), ROW * (row + 1) - 5
    anchor, shift = ("end", -5) if at > WIDTH * 0.5 else ("start", 5)
    label = cut.label if len(cut.label) <= LONGEST_LABEL else cut.label[: LONGEST_LABEL - 1] + "…"
    return (
        f'<path d="M{at:.1f} {base - 10:g}V{axis.bottom:g}" style="stroke:{INK["dropped"]};stroke-width:1.5"/>'
        f'<text x="{at + shift:.1f}" y="{base:g}" text-anchor="{anchor}" style="fill:{INK["dropped"]};font-weight:600">'
        f"{xml(label)}</text>"
    )


def _y_axis(axis: _Axis, peak: float, as_share: bool) -> str:
    step = nice_step(peak / 3)
    step = step if as_share else max(1.0, step)
    lines = []
    for i in range(int(peak / step + 1e-9) + 1):
        y = axis.bottom - step * i / peak * PLOT
        text = f"{step * i:.0%}" if as_share else format_short(step * i)
        lines.append(
            f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" style="stroke:{INK["grid"]}"/>'
            f'<text x="{LEFT - 7:g}" y="{y + 4:.1f}" text-anchor="end" style="fill:{INK["muted"]}">{text}</text>'
        )
    return "".join(lines)


def _x_axis(axis: _Axis) -> str:
    marks, last = [], -math.inf
    for tick in _ticks(axis):
        x, text = axis.x(tick), format_short(tick)
        half = len(text) * 3.6
        if x - half < last + 8 or x + half > WIDTH:
            continue
        last = x + half
        marks.append(
            f'<path d="M{x:.1f} {axis.bottom:g}v4" style="stroke:{INK["axis"]}"/>'
            f'<text x="{x:.1f}" y="{axis.bottom + 17:g}" text-anchor="middle" style="fill:{INK["muted"]}">{text}</text>'
        )
    line = f'<path d="M{LEFT:g} {axis.bottom:g}H{WIDTH - RIGHT:g}" style="stroke:{INK["axis"]}"/>'
    return line + "".join(marks)


def footer(y: float, x_label: str, series: Sequence[Series]) -> str:
    """The label on the left, the legend on the right; a label that would run into it is cut."""
    x = WIDTH - RIGHT
    room = int((x - LEFT - sum(len(one.label) * 6.8 + 26 for one in series)) / 6.8)
    told = x_label if len(x_label) <= room else x_label[: max(room - 1, 0)] + "…"
    parts = [f'<text x="{LEFT:g}" y="{y:g}" style="fill:{INK["text"]}">{xml(told)}</text>']
    for one in reversed(series):
        x -= len(one.label) * 6.8
        parts.append(f'<text x="{x:.0f}" y="{y:g}" style="fill:{INK["muted"]}">{xml(one.label)}</text>')
        parts.append(f'<rect x="{x - 14:.0f}" y="{y - 9:g}" width="9" height="9" rx="2" style="fill:{INK[one.tone]}"/>')
        x -= 26
    return "".join(parts)


def _ticks(axis: _Axis) -> list[float]:
    low, high = axis.edges[0], axis.edges[-1]
    if axis.log_x:
        decades = range(max(1, math.ceil(math.log10(1 + high))) + 1)
        levels = LOG_LEVELS if len(decades) < 4 else LOG_LEVELS[:1]
        found = [0.0] + [level * 10.0**k for k in decades for level in levels]
    else:
        step = nice_step((high - low) / 6, axis.whole)
        found = [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return [tick for tick in found if low <= tick <= high]


def xml(text: str) -> str:
    """Escaped for SVG; a control character, which XML cannot hold, as its picture from the block U+2400."""
    return escape("".join(chr(0x2400 + ord(c)) if ord(c) < 32 else c for c in text))
