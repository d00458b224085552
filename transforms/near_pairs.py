"""Near pairs: packed hashes with their looks, the bands in which they meet, and which of them are near.

Left out on purpose: the search inside a bucket (transforms/hamming.py), who stays (transforms/near_duplicates.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from transforms.hamming import Band, Codes, Numbers, multiply_out, pairs_within
from transforms.perceptual_hash import LOOK_BYTES, Looks, look_difference


class Hashes(msgspec.Struct, frozen=True, array_like=True):
    """Different hashes and looks: what the choice needs of the best row of each, and how many rows it has."""

    codes: bytes
    looks: bytes
    weights: bytes
    rows: bytes
    keys: list[str]


class Near(msgspec.Struct, frozen=True, array_like=True):
    """Hashes with their looks and which of them are near: pairs of indices."""

    hashes: Hashes
    left: bytes
    right: bytes


class Pool(NamedTuple):
    """Hashes as arrays; `looks` has a row of LOOK_BYTES for each."""

    codes: Codes
    looks: Looks
    weights: Numbers
    rows: Numbers
    keys: list[str]

    def part(self, which: Numbers) -> Hashes:
        keys = [self.keys[index] for index in which.tolist()]
        arrays = [array[which].tobytes() for array in (self.codes, self.looks, self.weights, self.rows)]
        return Hashes(arrays[0], arrays[1], arrays[2], arrays[3], keys)


class Within(NamedTuple):
    """How far apart two pictures may be: bits of the hash, and the share of the look."""

    distance: int
    difference: float


def exact_bands(distance: int, buckets: int) -> list[Band]:
    """Bands one more than the bits that may differ: a pair within `distance` has one of them in common.

    Where they would not have two buckets each, one band of no bits: a small pool's hashes meet in one place, once.
    """
    if buckets < 2 * (distance + 1):
        return [Band(0, 0, 0)]
    edges = [64 * index // (distance + 1) for index in range(distance + 2)]
    return [Band(start, end - start, 0) for start, end in zip(edges[:-1], edges[1:], strict=True)]


def _share(buckets: int, bands: list[Band]) -> int:
    """Buckets of each band: no more than it has values, and one for all where it has no bits."""
    return min(buckets // len(bands), 1 << bands[0].width)


def join_hashes(parts: Iterable[Hashes]) -> Pool:
    parts = list(parts)
    codes = np.frombuffer(b"".join([part.codes for part in parts]), np.uint64)
    looks = np.frombuffer(b"".join([part.looks for part in parts]), np.uint8).reshape(-1, LOOK_BYTES)
    weights, rows = (
        np.frombuffer(b"".join(data), np.int64)
        for data in ([part.weights for part in parts], [part.rows for part in parts])
    )
    return Pool(codes, looks, weights, rows, [key for part in parts for key in part.keys])


def spread_hashes(hashes: Hashes, distance: int, buckets: int) -> Iterator[tuple[int, bytes]]:
    """(band bucket, hashes): each hash once for each band, beside all that have the same bits there."""
    pool, bands = join_hashes([hashes]), exact_bands(distance, buckets)
    share = _share(buckets, bands)
    for number, band in enumerate(bands):
        targets = (band.of(pool.codes) % np.uint64(share)).astype(np.int64)
        for target in np.unique(targets).tolist():
            packed = msgspec.msgpack.encode(pool.part(np.flatnonzero(targets == target)))
            yield number * share + target, packed


def near_in_bucket(bucket: int, batches: Iterable[bytes], within: Within, buckets: int) -> Near:
    """The pairs of one band bucket that no earlier band has found."""
    pool = join_hashes(msgspec.msgpack.decode(batch, type=Hashes) for batch in batches)
    bands = exact_bands(within.distance, buckets)
    number = bucket // _share(buckets, bands)

    def first_here() -> Iterator[tuple[Numbers, Numbers]]:
        for i, j in like_pairs(pool, within):
            differing = pool.codes[i] ^ pool.codes[j]
            new = bands[number].of(differing) == 0
            for band in bands[:number]:
                new &= band.of(differing) != 0
            yield i[new], j[new]

    return near_hashes(pool, first_here())


def like_pairs(pool: Pool, within: Within) -> Iterator[tuple[Numbers, Numbers]]:
    """All pairs of `pool` that are near in hash and look, in chunks."""
    codes, of = np.unique(pool.codes, return_inverse=True)
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(len(codes) + 1))
    some = np.flatnonzero(np.diff(starts) > 1)
    for left, right in itertools.chain([(some, some)], pairs_within(codes, within.distance)):
        for i, j in multiply_out((starts[left], starts[left + 1]), (starts[right], starts[right + 1])):
            one, other = order[i], order[j]
            like = look_difference(pool.looks[one], pool.looks[other]) <= within.difference
            yield one[like], other[like]


def near_hashes(pool: Pool, pairs: Iterable[tuple[Numbers, Numbers]]) -> Near:
    """Only the hashes that are near another."""
    found = [np.stack(chunk) for chunk in pairs]
    ends = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
    which, numbers = np.unique(ends, return_inverse=True)
    left, right = numbers.reshape(2, -1).astype(np.uint32)
    return Near(pool.part(which), left.tobytes(), right.tobytes())
