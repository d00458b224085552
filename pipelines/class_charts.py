"""Charts of a classifier as inline SVG, in the look of pipelines/charts.py: precision over recall, and calibration.

Left out on purpose: the numbers (transforms/class_scores.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.charts import FONT, INK, LEFT, RIGHT, WIDTH, Series, footer, xml
from transforms.class_scores import Bin, Curve

TOP, TALL = 10.0, 250.0
BOTTOM = TOP + TALL
POINTS = 300
"""Points of a curve at most: a curve of a million thresholds would be a page of its own."""


def precision_recall_svg(curve: Curve, label: str, mark: tuple[float, float, float] | None) -> str:
    """The curve of one class; `mark` is (threshold, precision, recall) of the point that is told."""
    line = _thinned(curve)
    steps = "".join(f"L{_x(recall):.1f} {_y(precision):.1f}" for precision, recall in line)
    start = f"M{_x(0):.1f} {_y(line[0][0] if line else 0):.1f}"
    end = f"L{_x(line[-1][1] if line else 0):.1f} {BOTTOM:g}L{_x(0):.1f} {BOTTOM:g}z"
    drawn = (
        f'<path d="{start}{steps}{end}" style="fill:{INK["kept"]};fill-opacity:.14"/>'
        f'<path d="{start}{steps}" style="fill:none;stroke:{INK["kept"]};stroke-width:2;stroke-linejoin:round"/>'
    )
    if mark is not None:
        threshold, precision, recall = mark
        told = f"at {threshold:.2f} and above: precision {precision:.3f}, recall {recall:.3f}"
        drawn += (
            f'<circle cx="{_x(recall):.1f}" cy="{_y(precision):.1f}" r="5.5" style="fill:{INK["dropped"]}'
            f';stroke:var(--card, #fff);stroke-width:2"><title>{xml(told)}</title></circle>'
        )
    return _frame(f"Precision over recall of {label}", drawn, "recall; precision upwards", ())


def calibration_svg(bins: Sequence[Bin], label: str) -> str:
    """How often guesses of a confidence are right, as bars; the dashed line is where both agree."""
    return _frame(
        label,
        "".join(_bars(bins))
        + f'<path d="M{_x(0):g} {_y(0):g}L{_x(1):g} {_y(1):g}" style="stroke:{INK["text"]};stroke-width:1.3'
        f';stroke-dasharray:5 4;fill:none"/>',
        "confidence of the guess",
        [Series("right", (), "kept"), Series("too sure", (), "dropped")],
    )


def _bars(bins: Sequence[Bin]) -> Iterator[str]:
    for one in bins:
        left, right = _x(one.low) + 1, _x(one.high) - 1
        told = f"{one.pictures:,} pictures: {one.confidence:.3f} sure, {one.accuracy:.3f} right"
        high = max(_y(0) - _y(one.accuracy), 1.5)
        yield (
            f'<g><title>{xml(told)}</title><rect x="{left:.1f}" y="{BOTTOM - high:.1f}" width="{right - left:.1f}"'
            f' height="{high:.1f}" style="fill:{INK["kept"]};fill-opacity:.6"/>'
        )
        if one.confidence > one.accuracy:
            gap = _y(one.accuracy) - _y(one.confidence)
            yield (
                f'<rect x="{left:.1f}" y="{_y(one.confidence):.1f}" width="{right - left:.1f}" height="{gap:.1f}"'
                f' style="fill:{INK["dropped"]};fill-opacity:.35"/>'
            )
        yield (
            f'<path d="M{left:.1f} {_y(one.confidence):.1f}H{right:.1f}" style="stroke:{INK["text"]}'
            f';stroke-width:1.6"/></g>'
        )


def _frame(title: str, drawn: str, x_label: str, legend: Sequence[Series]) -> str:
    head = f'<svg class="chart" viewBox="0 0 {WIDTH:g} {BOTTOM + 50:g}" role="img" style="{FONT}">'
    return (
        f"{head}<title>{xml(title)}</title>{''.join(_grid())}{drawn}{footer(BOTTOM + 44, x_label, list(legend))}</svg>"
    )


def _grid() -> Iterator[str]:
    for step in range(6):
        value = step / 5
        x, y, ink = _x(value), _y(value), INK["axis"] if step == 0 else INK["grid"]
        yield f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" style="stroke:{ink}"/>'
        yield f'<path d="M{x:.1f} {BOTTOM:g}v4" style="stroke:{INK["axis"]}"/>'
        for at, down, anchor in ((LEFT - 7, y + 4, "end"), (x, BOTTOM + 17, "middle")):
            yield (
                f'<text x="{at:.1f}" y="{down:.1f}" text-anchor="{anchor}" style="fill:{INK["muted"]}">{value:g}</text>'
            )


def _thinned(curve: Curve) -> list[tuple[float, float]]:
    """(precision, recall) of up to POINTS thresholds, the first and the last among them."""
    size = len(curve.thresholds)
    chosen = np.unique(np.linspace(0, size - 1, min(size, POINTS)).round().astype(np.int64)) if size else ()
    return [(float(curve.precision[row]), float(curve.recall[row])) for row in chosen]


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return BOTTOM - value * TALL
