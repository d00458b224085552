"""Near duplicates: the same picture resized, recompressed or retouched, and which one stays.

Rows are taken in order of preference; each whose perceptual hash is within `max_distance` bits of a row already kept is
a near copy of the first such row, and goes. So a chain of small changes never joins unlike pictures: who goes is near
the one that stays, and no two that stay are near each other. The answer depends on hashes, sizes, captions and keys
alone, never on the order rows are met in; connected components, which would join chains, are not needed.
Rows of one hash meet as they do for any Matcher; different hashes meet in bands that they share exactly.
Left out on purpose: rows of several pictures, copies that only embeddings can see (mirrored, heavily cropped).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from configs.schema.caption import NearDuplicateRules
from transforms.fingerprints import digest
from transforms.hamming import Band, Codes, Numbers, differing_bits, pairs_within
from transforms.ledger import chosen_caption
from transforms.matching import Candidate, Met, Packed, bucket_of
from transforms.records import Drop, Sample, pictures, with_measures

HASHED = 8
"""A key is 8 bytes that spread evenly over the buckets and 8 bytes of perceptual hash, which do not."""
STARS = -1
"""In place of a unit: who answers for hashes that are near others."""
NEAR_MEASURES = ("near_copies", "near_duplicate_of", "near_distance")
_AREA_BITS, _LENGTH_BITS = 39, 24


class Hashes(msgspec.Struct, frozen=True, array_like=True):
    """Different hashes: what the choice needs of each hash's best row, and the hash's rows."""

    codes: bytes
    weights: bytes
    rows: bytes
    keys: list[str]


class Near(msgspec.Struct, frozen=True, array_like=True):
    """Hashes and which of them are near: pairs of indices."""

    hashes: Hashes
    left: bytes
    right: bytes


class Pool(NamedTuple):
    """Hashes as arrays."""

    codes: Codes
    weights: Numbers
    rows: Numbers
    keys: list[str]

    def part(self, which: Numbers) -> Hashes:
        keys = [self.keys[index] for index in which.tolist()]
        arrays = [array[which].tobytes() for array in (self.codes, self.weights, self.rows)]
        return Hashes(arrays[0], arrays[1], arrays[2], keys)


class NearDuplicates:
    """Rows that are still alive meet under their picture's perceptual hash and those near it."""

    name = "near_duplicates"
    counts_witnesses = False

    def __init__(self, rules: NearDuplicateRules) -> None:
        self._rules = rules
        self.distance = rules.max_distance

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        found = pictures(sample)
        if not sample.alive or len(found) != 1 or not found[0].likeness:
            return []
        code = found[0].likeness
        return [Candidate(_key_of(code), (self._weight(sample), sample.key))]

    def better(self, one: Sequence[Any], other: Sequence[Any]) -> Sequence[Any]:
        """A star, which has three parts, speaks for all rows of a hash; else the heavier row, then the smaller key."""
        return min(one, other, key=lambda told: (len(told) != 3, -told[0], told[1]))

    def answer(self, met: Met, piece: int) -> tuple[int, str, int]:
        copies, kept, distance = met.best if len(met.best) == 3 else (met.rows, met.best[1], 0)
        return copies, kept, distance

    def apply(self, sample: Sample, answers: list[tuple[int, str, int]]) -> Sample:
        copies, kept, distance = answers[0]
        return with_measures(sample, near_copies=copies, near_duplicate_of=kept, near_distance=distance)

    def with_stars(self, batches: list[bytes]) -> list[bytes]:
        """Packed rows of one bucket, and beside them what the hashes near each other are told; for rows at hand."""
        pool = join_hashes([collapse_rows(batches, self)])
        near = near_hashes(pool, pairs_within(pool.codes, self.distance))
        return [*batches, *[told for _, told in choose_stars([near], 1)]]

    def _weight(self, sample: Sample) -> int:
        area = min(sum(p.width * p.height for p in pictures(sample)), (1 << _AREA_BITS) - 1)
        caption = chosen_caption(sample)
        length = min(len(caption.value) if caption else 0, (1 << _LENGTH_BITS) - 1)
        return area << _LENGTH_BITS | length if self._rules.keep == "largest" else length << _AREA_BITS | area


def check_near_duplicate(sample: Sample, rules: NearDuplicateRules) -> Drop | None:
    """Drop every near copy but the one that stays, whose key is in `near_duplicate_of`."""
    kept = sample.measures.get("near_duplicate_of", sample.key)
    if not rules.enabled or kept == sample.key:
        return None
    return Drop("image_near_duplicate", int(sample.measures["near_copies"]), 1, str(kept))


def _key_of(code: bytes) -> bytes:
    return digest(code)[:-HASHED] + code


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


def collapse_rows(batches: Iterable[bytes], matcher: NearDuplicates) -> Hashes:
    """The different hashes of one bucket's packed rows."""
    best: dict[bytes, Sequence[Any]] = {}
    rows: dict[bytes, int] = {}
    for batch in batches:
        packed = msgspec.msgpack.decode(batch, type=Packed)
        codes = [packed.digests[at : at + HASHED] for at in range(HASHED, len(packed.digests), 2 * HASHED)]
        counts = np.frombuffer(packed.rows, np.uint32).tolist()
        for code, count, payload in zip(codes, counts, msgspec.msgpack.decode(packed.payloads), strict=True):
            rows[code] = rows.get(code, 0) + count
            best[code] = matcher.better(best[code], payload) if code in best else payload
    order = sorted(best)
    weights = np.array([best[code][0] for code in order], np.int64)
    counted = np.array([rows[code] for code in order], np.int64)
    codes_native = np.frombuffer(b"".join(order), ">u8").astype(np.uint64)
    return Hashes(codes_native.tobytes(), weights.tobytes(), counted.tobytes(), [best[code][1] for code in order])


def join_hashes(parts: Iterable[Hashes]) -> Pool:
    parts = list(parts)
    codes = np.frombuffer(b"".join([part.codes for part in parts]), np.uint64)
    weights, rows = (
        np.frombuffer(b"".join(data), np.int64)
        for data in ([part.weights for part in parts], [part.rows for part in parts])
    )
    return Pool(codes, weights, rows, [key for part in parts for key in part.keys])


def spread_hashes(hashes: Hashes, distance: int, buckets: int) -> Iterator[tuple[int, bytes]]:
    """(band bucket, hashes): each hash once for each band, beside all that have the same bits there."""
    pool, bands = join_hashes([hashes]), exact_bands(distance, buckets)
    share = _share(buckets, bands)
    for number, band in enumerate(bands):
        targets = (band.of(pool.codes) % np.uint64(share)).astype(np.int64)
        for target in np.unique(targets).tolist():
            packed = msgspec.msgpack.encode(pool.part(np.flatnonzero(targets == target)))
            yield number * share + target, packed


def near_in_bucket(bucket: int, batches: Iterable[bytes], distance: int, buckets: int) -> Near:
    """The pairs of one band bucket that no earlier band has found."""
    pool = join_hashes(msgspec.msgpack.decode(batch, type=Hashes) for batch in batches)
    bands = exact_bands(distance, buckets)
    number = bucket // _share(buckets, bands)

    def first_here() -> Iterator[tuple[Numbers, Numbers]]:
        for i, j in pairs_within(pool.codes, distance):
            differing = pool.codes[i] ^ pool.codes[j]
            new = bands[number].of(differing) == 0
            for band in bands[:number]:
                new &= band.of(differing) != 0
            yield i[new], j[new]

    return near_hashes(pool, first_here())


def near_hashes(pool: Pool, pairs: Iterable[tuple[Numbers, Numbers]]) -> Near:
    """Only the hashes that are near another."""
    found = [np.stack(chunk) for chunk in pairs]
    ends = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
    which, numbers = np.unique(ends, return_inverse=True)
    left, right = numbers.reshape(2, -1).astype(np.uint32)
    return Near(pool.part(which), left.tobytes(), right.tobytes())


def choose_stars(parts: Iterable[Near], buckets: int) -> Iterator[tuple[int, bytes]]:
    """(bucket of rows, what the rows of its hashes are told) for every hash that is near one that stays, and that one.

    All near pairs of the pool are held at once, some tens of bytes each.
    """
    pool, left, right = _join_near(list(parts))
    star = _greedy_stars(pool, left, right)
    copies = np.bincount(star, weights=pool.rows, minlength=len(star)).astype(np.int64).tolist()
    told = np.flatnonzero(np.bincount(star, minlength=len(star))[star] > 1)
    distances = differing_bits(pool.codes[told], pool.codes[star[told]]).tolist()
    answers: dict[int, list[tuple[bytes, list[Any]]]] = defaultdict(list)
    for code, middle, distance in zip(pool.codes[told].tolist(), star[told].tolist(), distances, strict=True):
        key = _key_of(code.to_bytes(HASHED, "big"))
        answers[bucket_of(key, buckets)].append((key, [copies[middle], pool.keys[middle], distance]))
    for bucket, found in sorted(answers.items()):
        yield bucket, _pack_stars(found)


def _pack_stars(answers: list[tuple[bytes, list[Any]]]) -> bytes:
    count = len(answers)
    slots, ones = np.zeros(count, np.int64).tobytes(), np.ones(count, np.uint32).tobytes()
    payloads = msgspec.msgpack.encode([answer for _, answer in answers])
    return msgspec.msgpack.encode(Packed(STARS, b"".join(key for key, _ in answers), slots, ones, payloads))


def _join_near(parts: list[Near]) -> tuple[Pool, Numbers, Numbers]:
    """One pool of all hashes, each once, and the pairs as indices into it."""
    pool = join_hashes([part.hashes for part in parts])
    codes, first, numbers = np.unique(pool.codes, return_index=True, return_inverse=True)
    left, right, start = [], [], 0
    for part in parts:
        here = numbers[start : start + len(part.hashes.keys)]
        left.append(here[np.frombuffer(part.left, np.uint32)])
        right.append(here[np.frombuffer(part.right, np.uint32)])
        start += len(here)
    keys = [pool.keys[index] for index in first.tolist()]
    return Pool(codes, pool.weights[first], pool.rows[first], keys), np.concatenate(left), np.concatenate(right)


def _greedy_stars(pool: Pool, left: Numbers, right: Numbers) -> Numbers:
    """For each hash the index of the one it is a copy of, or its own: the rule of this module, word by word."""
    count = len(pool.codes)
    order = np.array(sorted(range(count), key=lambda v: (-int(pool.weights[v]), pool.keys[v])), np.int64)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    better, worse = np.minimum(place[left], place[right]), np.maximum(place[left], place[right])
    by_better = np.argsort(better, kind="stable")
    worse = worse[by_better]
    starts = np.searchsorted(better[by_better], np.arange(count + 1)).tolist()
    middle = np.full(count, -1, np.int64)
    for one in range(count):
        if middle[one] < 0:
            middle[one] = one
            near = worse[starts[one] : starts[one + 1]]
            middle[near[middle[near] < 0]] = one
    star = np.empty(count, np.int64)
    star[order] = order[middle]
    return star
