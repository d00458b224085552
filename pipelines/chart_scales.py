"""Where the bars of a chart begin and end: edges, counts between them, and the scale of an axis.

Left out on purpose: drawing (pipelines/charts.py).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Side = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Cut:
    """A threshold: values below a `min`, or above a `max`, are dropped."""

    value: float
    label: str
    side: Side
    rule: str = ""
    """The rule it belongs to, where a chart tells its own drops from those of others."""


def choose_edges(
    low: float, high: float, *, cuts: Sequence[Cut] = (), whole: bool = False, log_x: bool = False, bins: int = 40
) -> list[float]:
    """About `bins + 1` rising edges that span `low`, `high` and every cut, with the first cut exactly on an edge.

    `whole` puts the edges between whole numbers; `log_x` spaces them evenly in log10(1 + x) and expects low >= 0.
    """
    low, high = min([low, *(cut.value for cut in cuts)]), max([high, *(cut.value for cut in cuts)])
    if whole:
        low, high = math.floor(low) - 0.5, math.ceil(high) + 0.5
    start, end = scaled(low, log_x), scaled(high, log_x)
    if end == start:  # One value: a narrow bar with room beside it, not one that fills the chart.
        end = start + max(abs(start), 1.0)
    step = nice_step((end - start) / bins, whole and not log_x)
    anchor = scaled(cut_at(cuts[0], whole), log_x) if cuts else start
    first = anchor - step * math.ceil(round((anchor - start) / step, 6))
    count = max(1, math.ceil(round((end - first) / step, 6)))
    if any(cut.side == "max" and scaled(cut_at(cut, whole), log_x) >= first + step * (count - 1) for cut in cuts):
        count += 1  # Room to tint what a maximum at the very end would drop.
    edges = [unscaled(first + step * i, log_x) for i in range(count + 1)]
    if whole and log_x:  # Below 10 a log bin is narrower than one: snapped to the gaps between whole numbers.
        edges = sorted({math.floor(edge) + 0.5 for edge in edges} | {math.floor(low) + 0.5, math.ceil(high) - 0.5})
    return [round(edge, 9) for edge in edges]


def bin_counts(values: Iterable[float], edges: Sequence[float], *, right_closed: bool = False) -> list[int]:
    """How many values each bin holds: [a, b), or (a, b] where `right_closed`. Values outside join the outermost bin."""
    counts = [0] * (len(edges) - 1)
    find = bisect_left if right_closed else bisect_right
    for value in values:
        counts[min(max(find(edges, value) - 1, 0), len(counts) - 1)] += 1
    return counts


def nice_step(rough: float, whole: bool = False) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `rough`."""
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * level for level in (1, 2, 2.5, 5, 10) if power * level >= rough * (1 - 1e-9))
    return max(1.0, math.ceil(step)) if whole else step


def cut_at(cut: Cut, whole: bool) -> float:
    if not whole:
        return cut.value
    return math.ceil(cut.value) - 0.5 if cut.side == "min" else math.floor(cut.value) + 0.5


def scaled(value: float, log_x: bool) -> float:
    return math.log10(1 + max(value, -0.9)) if log_x else value  # 1 + x: zero needs a place too.


def unscaled(position: float, log_x: bool) -> float:
    return 10.0**position - 1 if log_x else position
