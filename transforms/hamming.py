"""Hamming neighbours: all pairs of 64-bit codes within a few bits of each other, exactly, without comparing all pairs.

Codes are cut into three bands. Where two differ in at most d bits, some band differs in at most its radius, the radii
adding up to d - 2 (the pigeonhole principle; Norouzi et al. 2012, arXiv 1307.2982, with radii as in Qin et al. 2018).
So each code is looked up in a table of each band under its own value and the few near it. A band value that very many
codes carry is not multiplied out: its codes are cut into bands again by the bits that are left.
Left out on purpose: equal codes (the caller keeps one of them), clusters (transforms/near_duplicates.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

MAX_DISTANCE = 8
CHUNK = 1 << 20
"""Pairs looked at in one go: some 40 MB."""
DENSE = 1 << 22
"""Pairs that are compared one by one sooner than through tables."""
HOT = 1 << 24
"""Pairs of two band values above which their codes are cut into bands again."""
NARROW = 15
"""Bits below which cutting again brings nothing."""

Codes = np.ndarray[Any, np.dtype[np.uint64]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Found = tuple[Numbers, Numbers]


class Band(NamedTuple):
    """Bits [shift, shift + width) of a code, and how many of them a pair may differ in to be found here."""

    shift: int
    width: int
    radius: int

    def of(self, codes: Codes) -> Codes:
        return codes >> np.uint64(self.shift) & np.uint64((1 << self.width) - 1)

    def without(self, codes: Codes) -> Codes:
        """The codes' other bits, closed up."""
        low = codes & np.uint64((1 << self.shift) - 1)
        high = codes >> np.uint64(self.shift + self.width) if self.shift + self.width < 64 else np.zeros_like(codes)
        return high << np.uint64(self.shift) | low


class Table(NamedTuple):
    """Codes in the order of a band's values: those of value v are `order[starts[v]:starts[v + 1]]`."""

    order: Numbers
    starts: Numbers


def pairs_within(codes: Codes, distance: int) -> Iterator[Found]:
    """Indices (i, j) of all pairs of `codes` (uint64, all different) that differ in at most `distance` bits, in chunks.

    Each pair comes once, in no order. Raises ValueError for a distance outside 0..8.
    """
    if not 0 <= distance <= MAX_DISTANCE:
        raise ValueError(f"expected a distance of 0 to {MAX_DISTANCE} bits, found {distance}")
    yield from _search(codes, codes, 64, distance)


def pairs_between(left: Codes, right: Codes, distance: int) -> Iterator[Found]:
    """Indices (i, j) of all pairs `left[i]`, `right[j]` that differ in at most `distance` bits, as `pairs_within`."""
    yield from _search(left, right, 64, distance)


def multiply_out(left: Found, right: Found) -> Iterator[Found]:
    """Every number of a range of `left` with every one of the range of `right` at its side, in chunks.

    Ranges are (starts, ends). Of a range with itself each pair once, no number with itself.
    """
    counts = left[1] - left[0]
    which = np.repeat(np.arange(len(counts)), counts)
    one = _ranges(left[0], counts)
    same = (left[0] == right[0])[which]
    starts, ends = np.where(same, one + 1, right[0][which]), right[1][which]
    for part in _parts(ends - starts):
        yield np.repeat(one[part], (ends - starts)[part]), _ranges(starts[part], (ends - starts)[part])


def differing_bits(left: Codes, right: Codes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    counts: np.ndarray[Any, np.dtype[np.uint8]] = np.bitwise_count(left ^ right)
    return counts


def cut_bands(width: int, distance: int) -> list[Band]:
    """Three bands whose radii are as small as they may be: any pair within `distance` is within one of them."""
    spare = max(distance - 2, 0)
    radii = [spare // 3 + (index < spare % 3) for index in range(3)]
    edges = [0, width // 3, 2 * width // 3, width]
    # The smallest radius goes to the widest band, the last one.
    return [Band(start, end - start, radius) for start, end, radius in zip(edges[:-1], edges[1:], radii, strict=True)]


def _search(left: Codes, right: Codes, width: int, distance: int) -> Iterator[Found]:
    """Pairs of the `width` low bits; of one array with itself each pair once."""
    if len(left) * len(right) <= DENSE or width <= NARROW:
        yield from _compare_all(left, right, distance)
        return
    bands = cut_bands(width, distance)
    for number, band in enumerate(bands):
        for i, j in _search_band(left, right, band, (width, distance)):
            new = _unseen(left[i], right[j], bands[:number])
            yield i[new], j[new]


def _unseen(left: Codes, right: Codes, earlier: list[Band]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which pairs no earlier band has found."""
    new = np.ones(len(left), bool)
    for band in earlier:
        new &= differing_bits(band.of(left), band.of(right)) > band.radius
    return new


def _search_band(left: Codes, right: Codes, band: Band, within: tuple[int, int]) -> Iterator[Found]:
    same = left is right
    one = _table(left, band)
    other = one if same else _table(right, band)
    sizes, others = np.diff(one.starts), np.diff(other.starts)
    filled = np.flatnonzero(sizes)
    for mask in _masks(band):
        # Of one array with itself a pair would come from both sides.
        values = filled[filled & mask & -mask == 0] if same and mask else filled
        hot = sizes[values] * others[values ^ mask] > HOT
        yield from _search_cold(left, right, (one, other), (values[~hot], mask, within[1]))
        for value in values[hot].tolist():
            yield from _search_hot(
                (left, right), (_members(one, value), _members(other, value ^ mask)), band, (within, mask)
            )


def _search_cold(
    left: Codes, right: Codes, tables: tuple[Table, Table], what: tuple[Numbers, int, int]
) -> Iterator[Found]:
    """Codes of `values` against those of values that differ from theirs by `mask`."""
    one, other = tables
    values, mask, distance = what
    sizes = one.starts[values + 1] - one.starts[values]
    places = _ranges(one.starts[values], sizes)
    targets = np.repeat(values ^ mask, sizes)
    ends = other.starts[targets + 1]
    starts = places + 1 if left is right and not mask else other.starts[targets]
    some = ends > starts
    places, starts, counts = places[some], starts[some], (ends - starts)[some]
    for part in _parts(counts):
        i = one.order[np.repeat(places[part], counts[part])]
        j = other.order[_ranges(starts[part], counts[part])]
        near = differing_bits(left[i], right[j]) <= distance
        yield i[near], j[near]


def _search_hot(
    codes: tuple[Codes, Codes], members: tuple[Numbers, Numbers], band: Band, what: tuple[tuple[int, int], int]
) -> Iterator[Found]:
    """Two band values with too many codes to multiply out: the same question of the bits that are left."""
    (width, distance), mask = what
    left = band.without(codes[0][members[0]])
    right = left if codes[0] is codes[1] and not mask else band.without(codes[1][members[1]])
    for i, j in _search(left, right, width - band.width, distance - mask.bit_count()):
        yield members[0][i], members[1][j]


def _compare_all(left: Codes, right: Codes, distance: int) -> Iterator[Found]:
    same, step = left is right, max(1, CHUNK // max(len(right), 1))
    for start in range(0, len(left), step):
        after = start + 1 if same else 0
        i, j = np.nonzero(differing_bits(left[start : start + step, None], right[None, after:]) <= distance)
        i, j = i + start, j + after
        once = i < j if same else slice(None)
        yield i[once], j[once]


def _masks(band: Band) -> list[int]:
    """All ways to differ in at most `radius` bits."""
    return [
        sum(1 << bit for bit in bits) for r in range(band.radius + 1) for bits in combinations(range(band.width), r)
    ]


def _table(codes: Codes, band: Band) -> Table:
    values = band.of(codes).astype(np.int64)
    starts = np.zeros((1 << band.width) + 1, np.int64)
    np.cumsum(np.bincount(values, minlength=1 << band.width), out=starts[1:])
    return Table(np.argsort(values, kind="stable"), starts)


def _members(table: Table, value: int) -> Numbers:
    return table.order[table.starts[value] : table.starts[value + 1]]


def _ranges(starts: Numbers, counts: Numbers) -> Numbers:
    """start, start + 1, … of each range, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)


def _parts(counts: Numbers) -> Iterator[slice]:
    """Runs of items whose counts add up to about CHUNK."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + CHUNK, side="right")))
        yield slice(start, end)
        start = end
