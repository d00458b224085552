"""Packing: documents side by side in rows of a fixed number of tokens, none of them split.

Windowed best-fit-decreasing: of the `window` documents that wait, a pack takes the oldest, then again and again the
longest that fits. The oldest first, so that none waits for more than `window` packs, however awkward its length. Which
documents share a pack depends on nothing but the lengths in the order in which they came.
Left out on purpose: where documents come from and how a pack is resumed (train/data/packed.py), attention between
documents (train/attention.py reads `bounds`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from train.data.records import NOT_TRAINED, Array, Pack, TokenSample

Item = TypeVar("Item")
PATCH = 1176
"""Values of a patch: 14 x 14 pixels of 3 colours, twice (temporal patches of 2 frames)."""


class Packer(Generic[Item]):
    """`put` documents in the order they come; `take` gives one pack once `window` documents wait."""

    def __init__(self, capacity: int, window: int = 256) -> None:
        if capacity < 1 or window < 1:
            raise ValueError(f"packer: expected a capacity and a window of at least 1, found {capacity} and {window}")
        self.capacity, self.window = capacity, window
        self._waiting: dict[int, tuple[int, Item]] = {}
        """(length, item) by number, the oldest first."""
        self._sorted: list[tuple[int, int]] = []
        """(length, -number): of equal lengths the oldest is found first."""
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def is_full(self) -> bool:
        return len(self._waiting) >= self.window

    def waiting(self) -> list[Item]:
        """What is in no pack yet, the oldest first; put in this order into a new packer, it gives the same packs."""
        return [item for _, item in self._waiting.values()]

    def put(self, length: int, item: Item) -> None:
        """Raises ValueError where the document fits no pack."""
        if not 0 < length <= self.capacity:
            raise ValueError(f"packer: expected a document of 1..{self.capacity} tokens, found {length}")
        self._waiting[self._number] = (length, item)
        insort(self._sorted, (length, -self._number))
        self._number += 1

    def take(self) -> list[Item]:
        """The documents of the next pack. Raises IndexError where none waits."""
        if not self._waiting:
            raise IndexError("packer: expected documents, found none")
        oldest = next(iter(self._waiting))
        room, taken = self.capacity, list[Item]()
        place = bisect_left(self._sorted, (self._waiting[oldest][0], -oldest))
        while place >= 0:
            length, number = self._sorted.pop(place)
            taken.append(self._waiting.pop(-number)[1])
            room -= length
            place = bisect_right(self._sorted, (room, 1)) - 1
        return taken


class Padding(NamedTuple):
    """How a pack is filled: up to `capacity` tokens, with `token`."""

    capacity: int
    token: int


Positions = Callable[[Array, Array], Array]
"""(4, L) of a document's kinds (L,) and grids (P, 3): train.positions.document_positions."""


def build_pack(documents: Sequence[TokenSample], padding: Padding, positions: Positions) -> Pack:
    """Raises ValueError where the documents have more tokens than a pack."""
    lengths = [len(one.input_ids) for one in documents]
    rest = padding.capacity - sum(lengths)
    if rest < 0:
        raise ValueError(f"pack: expected at most {padding.capacity} tokens, found {sum(lengths)}")
    labels, weights = zip(*map(shift, documents), strict=True)
    filled = [*lengths, rest] if rest else lengths
    places = [positions(one.kinds, one.grids) for one in documents]
    return Pack(
        input_ids=np.concatenate([*(one.input_ids for one in documents), np.full(rest, padding.token)], dtype=np.int32),
        labels=np.concatenate([*labels, np.full(rest, NOT_TRAINED)], dtype=np.int32),
        weights=np.concatenate([*weights, np.zeros(rest)], dtype=np.float32),
        positions=np.concatenate([*places, np.tile(np.arange(rest), (4, 1))], axis=1, dtype=np.int32),
        bounds=np.cumsum([0, *filled], dtype=np.int32),
        grids=np.concatenate([np.empty((0, 3), np.int32), *(one.grids for one in documents)], dtype=np.int32),
        patches=_patches(documents),
        sources=tuple(one.source for one in documents),
        keys=tuple(one.key for one in documents),
    )


def shift(sample: TokenSample) -> tuple[Array, Array]:
    """(labels, weights) of a document: at each token the one that follows and its weight, at the last none."""
    weights = np.append(sample.weights[1:], 0).astype(np.float32)
    labels = np.append(sample.input_ids[1:], NOT_TRAINED).astype(np.int32)
    return np.where(weights > 0, labels, NOT_TRAINED), weights


def _patches(documents: Sequence[TokenSample]) -> Array:
    found = [patches for one in documents for patches in one.patches]
    return np.concatenate(found) if found else np.empty((0, PATCH), np.float32)


def cut_sample(sample: TokenSample, capacity: int, borders: Sequence[int]) -> list[TokenSample] | None:
    """Pieces of at most `capacity` tokens, each as long as it can be; None where no border allows it.

    A piece ends behind a text token that is one of `borders` (ends of paragraphs), so never inside a picture.
    """
    ends = np.flatnonzero(np.isin(sample.input_ids, borders) & (sample.kinds == 0)) + 1
    ends = np.append(ends, len(sample.input_ids))
    pieces, start = [], 0
    while start < len(sample.input_ids):
        fitting = ends[(ends > start) & (ends <= start + capacity)]
        if not len(fitting):
            return None
        pieces.append((start, int(fitting[-1])))
        start = int(fitting[-1])
    return list(_pieces(sample, pieces))


def _pieces(sample: TokenSample, bounds: Sequence[tuple[int, int]]) -> Iterator[TokenSample]:
    # A picture belongs to the piece that holds its tokens: sizes as the merge of 2 x 2 patches leaves them.
    sizes = np.cumsum([0, *(sample.grids.astype(np.int64).prod(axis=1) // 4)])
    seen = np.cumsum(np.append(0, sample.kinds != 0))
    for start, end in bounds:
        first, behind = (int(np.searchsorted(sizes, seen[place])) for place in (start, end))
        weights = sample.weights[start:end].copy()
        weights[0] = 0
        yield TokenSample(
            sample.source,
            sample.key,
            sample.input_ids[start:end],
            weights,
            sample.grids[first:behind],
            sample.patches[first:behind],
            sample.kinds[start:end],
        )
