"""Which sample each draw of a mixture is: sources by their shares, each in a new order every epoch, nothing held.

The draws are endless and numbered. A round is `sum of draws` long; in it a source is drawn exactly as often as it says.
Shares stay true throughout: a round is cut into blocks, block by block each source is given its draws to within one
(stick-breaking: the first gets its part of the draws so far, the others share the rest), and inside a block the sources
are shuffled. A source's own draws follow each other, so that it is gone through epoch by epoch whatever its share.
Left out on purpose: who draws what (train/data/course.py), and files (train/data/sources.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from train.data.errors import DataError
from train.data.order import mix, order_key, permute_runs
from train.data.records import Array

BLOCK = 1024
ROUND = 1 << 20
"""Draws of a round where shares are given: they are true to one in a million."""


class Share(NamedTuple):
    """A source of `samples` samples that is drawn `draws` times a round."""

    name: str
    samples: int
    draws: int


class Drawn(NamedTuple):
    """Of each draw: the source, its position in the source's epoch order, and the sample's number in the source."""

    source: Array
    position: Array
    row: Array


def shares_by_weight(names: Sequence[str], samples: Sequence[int], weights: Sequence[float]) -> list[Share]:
    """Draws proportional to the weights; each source at least once a round."""
    total = sum(weights)
    return [
        Share(name, count, max(1, round(ROUND * weight / total)))
        for name, count, weight in zip(names, samples, weights, strict=True)
    ]


def shares_by_repeats(names: Sequence[str], samples: Sequence[int], repeats: Sequence[float]) -> list[Share]:
    """A round is an epoch of all sources in which each sample of one comes `repeats` times (a half: every other)."""
    return [
        Share(name, count, max(1, round(count * times)))
        for name, count, times in zip(names, samples, repeats, strict=True)
    ]


class Mixture:
    """`run` samples that lie side by side are drawn one after the other: 1 on disks, more where a request is dear."""

    def __init__(self, shares: Sequence[Share], seed: int, run: int = 1) -> None:
        for share in shares:
            if share.samples < 1 or share.draws < 1:
                raise DataError(f"{share.name}: expected samples and draws, found {share.samples} and {share.draws}")
        self.shares, self.seed, self.run = tuple(shares), seed, run
        self.round = sum(share.draws for share in shares)
        self._block = lru_cache(8)(self._make_block)

    def locate(self, draws: Array) -> Drawn:
        """Of draws (n,) int64, in any order."""
        found = Drawn(*(np.empty(len(draws), np.int64) for _ in range(3)))
        rounds, offsets = np.divmod(np.asarray(draws, np.int64), self.round)
        place = np.empty(len(draws), np.int64)
        blocks = np.stack([rounds, offsets // BLOCK])
        for number, block in np.unique(blocks, axis=1).T.tolist():
            here = np.flatnonzero((blocks[0] == number) & (blocks[1] == block))
            sources, places = self._block(number, block)
            found.source[here] = sources[offsets[here] % BLOCK]
            place[here] = places[offsets[here] % BLOCK]
        for source in np.unique(found.source).tolist():
            self._locate_source(source, found, place)
        return found

    def _locate_source(self, source: int, found: Drawn, place: Array) -> None:
        share, here = self.shares[source], np.flatnonzero(found.source == source)
        epochs, position = np.divmod(place[here], share.samples)
        found.position[here] = position
        for epoch in np.unique(epochs).tolist():
            now = epochs == epoch
            key = order_key(self.seed, share.name, epoch)
            found.row[here[now]] = permute_runs(position[now], share.samples, self.run, key)

    def _make_block(self, number: int, block: int) -> tuple[Array, Array]:
        """(source, place in the source's endless order) of each draw of a block."""
        start, end = block * BLOCK, min((block + 1) * BLOCK, self.round)
        before, behind = self._given(start), self._given(end)
        sources = np.repeat(np.arange(len(self.shares)), [b - a for a, b in zip(before, behind, strict=True)])
        chance = mix(np.arange(end - start, dtype=np.uint64), order_key(self.seed, "block", number, block))
        sources = sources[np.argsort(chance, kind="stable")]
        places = np.empty(end - start, np.int64)
        for source, share in enumerate(self.shares):
            here = np.flatnonzero(sources == source)
            places[here] = number * share.draws + before[source] + np.arange(len(here))
        return sources, places

    def _given(self, draws: int) -> list[int]:
        """How many of a round's first `draws` each source has."""
        left, rest, given = draws, self.round, []
        for share in self.shares:
            given.append(left * share.draws // rest)
            left, rest = left - given[-1], rest - share.draws
        return given
