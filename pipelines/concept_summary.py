"""What people are shown of a vocabulary's counts: the head entry by entry, the tail in bands, the curve by rank.

Numbers only; pages and cards are pipelines/report_pages/concepts.py and pipelines/concept_card.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.concept_counts import ConceptTable, Counts

HEAD, WEIGHTED = 20, 18
"""Entries that are named one by one: the most frequent, and those of a weight other than 1."""
POINTS_PER_DECADE = 14
"""Of the curve; where there are fewer ranks each is a point."""


class EntryCount(NamedTuple):
    entry: str
    kind: str
    weight: float
    before: int
    after: int


class Band(NamedTuple):
    """Entries that `low` to `high` captions name, or those of one kind, and how many captions name them together."""

    label: str
    entries: int
    before: int
    after: int


class Point(NamedTuple):
    """Ranks `first` to `last`, by count before; counts are means over them, `entry` the first one."""

    first: int
    last: int
    before: float
    after: float
    entry: str


class Summary(NamedTuple):
    t: float
    entries: int
    named: int
    captions: int
    unmatched: int
    kept: int
    head: list[EntryCount]
    weighted: list[EntryCount]
    bands: list[Band]
    kinds: list[Band]
    curve: list[Point]

    @property
    def above(self) -> int:
        """Entries whose count is above t."""
        return sum(band.entries for band in self.bands if band.label.startswith("over"))


def summarise(table: ConceptTable) -> Summary:
    rows, order = table.vocabulary.rows, ranked(table.before)
    told = {name: int(table.settings[name]) for name in ("captions", "unmatched", "kept")}

    def entry(i: int) -> EntryCount:
        return EntryCount(rows[i].entry, rows[i].kind, rows[i].weight, int(table.before[i]), int(table.after[i]))

    weights = table.vocabulary.weights
    weighted = [int(i) for i in order if weights[i] != 1][:WEIGHTED]
    t = float(table.settings["t"])
    return Summary(
        t,
        len(rows),
        len(order),
        **told,
        head=[entry(int(i)) for i in order[:HEAD]],
        weighted=[entry(i) for i in weighted],
        bands=list(bands(table.before, table.after, t)),
        kinds=list(kinds(table)),
        curve=list(curve(table, order)),
    )


def ranked(before: Counts) -> NDArray[np.int64]:
    """Ids of entries that any caption names, the most frequent first."""
    named = np.flatnonzero(before)
    return named[np.argsort(-before[named], kind="stable")]


def bands(before: Counts, after: Counts, t: float) -> Iterator[Band]:
    """The tail by powers of ten up to t, then the head by multiples of t."""
    edges = [0.0, *(10.0**k for k in range(12) if 10.0**k < t), t, 10 * t, 100 * t, np.inf]
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (before > low) & (before <= high)
        if inside.any():
            yield Band(_range(low, high, t), int(inside.sum()), int(before[inside].sum()), int(after[inside].sum()))


def _range(low: float, high: float, t: float) -> str:
    if low >= t:
        return f"over {_times(low / t)}t" if high == np.inf else f"over {_times(low / t)}t to {_times(high / t)}t"
    first, last = int(low) + 1, int(high)
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _times(factor: float) -> str:
    return "" if factor == 1 else f"{factor:g} "


def kinds(table: ConceptTable) -> Iterator[Band]:
    """Nothing where the vocabulary has no kinds."""
    found = np.array([row.kind for row in table.vocabulary.rows])
    for kind in sorted(set(found.tolist()) - {""}):
        inside = (found == kind) & (table.before > 0)
        yield Band(kind, int(inside.sum()), int(table.before[inside].sum()), int(table.after[inside].sum()))


def curve(table: ConceptTable, order: NDArray[np.int64]) -> Iterator[Point]:
    steps = max(1, int(np.ceil(np.log10(max(len(order), 1)) * POINTS_PER_DECADE)))
    edges = np.unique(np.round(np.logspace(0, np.log10(len(order) + 1), steps + 1)).astype(np.int64))
    for first, end in zip(edges.tolist(), edges[1:].tolist(), strict=False):
        ids = order[first - 1 : end - 1]
        means = (float(table.before[ids].mean()), float(table.after[ids].mean()))
        yield Point(first, end - 1, *means, table.vocabulary.entries[int(ids[0])])
