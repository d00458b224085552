"""Near duplicates: the same picture resized, recompressed or retouched, and which one stays.

Rows are taken in order of preference. One whose perceptual hash is within `max_distance` bits of a row already kept,
and whose look differs from its by at most `max_difference`, is a near copy and goes: a copy of the kept row most like
it among those preferred to it. So a chain of small changes never joins unlike pictures: who goes is near the one named
as kept, and no two that stay are near each other. The answer depends on hashes, looks, sizes, captions and keys
alone, never on the order rows are met in; connected components, which would join chains, are not needed.
Rows of one hash and look meet as they do for any Matcher; different ones meet in bands of the hash that they share.
Left out on purpose: rows of several pictures, copies that only embeddings can see (mirrored, heavily cropped).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from configs.schema.caption import NearDuplicateRules
from transforms.fingerprints import digest
from transforms.hamming import Numbers, differing_bits
from transforms.ledger import chosen_caption
from transforms.matching import Candidate, Met, Packed, bucket_of
from transforms.near_pairs import Hashes, Near, Pool, Within, join_hashes, like_pairs, near_hashes
from transforms.perceptual_hash import HASH_BYTES, LOOK_BYTES, look_difference
from transforms.records import Drop, Sample, pictures, with_measures
from transforms.stars import greedy_stars

STAR = 4
"""Parts of a payload that speaks for all rows of a key; a row's own has three: weight, key, what was seen."""
STARS = -1
"""In place of a unit: who answers for hashes that are near others."""
NEAR_MEASURES = ("near_copies", "near_duplicate_of", "near_distance", "near_difference")
_AREA_BITS, _LENGTH_BITS = 39, 24
_SHARE_STEPS = 10_000


Told = tuple[int, str, int, float]
"""Rows around the one that stays, its key, bits and share between it and this row."""


class NearDuplicates:
    """Rows that are still alive meet under their picture's perceptual hash and those near it."""

    name = "near_duplicates"
    counts_witnesses = False

    def __init__(self, rules: NearDuplicateRules) -> None:
        self._rules = rules
        self.within = Within(rules.max_distance, rules.max_difference)

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        found = pictures(sample)
        if not sample.alive or len(found) != 1 or not found[0].likeness:
            return []
        seen = found[0].likeness + found[0].look.ljust(LOOK_BYTES, b"\0")
        return [Candidate(digest(seen), (self._weight(sample), sample.key, seen))]

    def better(self, one: Sequence[Any], other: Sequence[Any]) -> Sequence[Any]:
        """A star speaks for all rows of a hash and look; else the heavier row, then the smaller key."""
        return min(one, other, key=lambda told: (len(told) != STAR, -told[0], told[1]))

    def answer(self, met: Met, piece: int) -> Told:
        copies, kept, distance, difference = met.best if len(met.best) == STAR else (met.rows, met.best[1], 0, 0.0)
        return copies, kept, distance, difference

    def apply(self, sample: Sample, answers: list[Told]) -> Sample:
        copies, kept, distance, difference = answers[0]
        return with_measures(
            sample, near_copies=copies, near_duplicate_of=kept, near_distance=distance, near_difference=difference
        )

    def with_stars(self, batches: list[bytes]) -> list[bytes]:
        """Packed rows of one bucket, and beside them what the hashes near each other are told; for rows at hand."""
        pool = join_hashes([collapse_rows(batches, self)])
        near = near_hashes(pool, like_pairs(pool, self.within))
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


def collapse_rows(batches: Iterable[bytes], matcher: NearDuplicates) -> Hashes:
    """The different hashes and looks of one bucket's packed rows."""
    best: dict[bytes, Sequence[Any]] = {}
    rows: dict[bytes, int] = {}
    for batch in batches:
        packed = msgspec.msgpack.decode(batch, type=Packed)
        counts = np.frombuffer(packed.rows, np.uint32).tolist()
        for count, payload in zip(counts, msgspec.msgpack.decode(packed.payloads), strict=True):
            seen = payload[2]
            rows[seen] = rows.get(seen, 0) + count
            best[seen] = matcher.better(best[seen], payload) if seen in best else payload
    order = sorted(best)
    codes = np.frombuffer(b"".join([seen[:HASH_BYTES] for seen in order]), ">u8").astype(np.uint64)
    looks = b"".join([seen[HASH_BYTES:] for seen in order])
    weights = np.array([best[seen][0] for seen in order], np.int64)
    counted = np.array([rows[seen] for seen in order], np.int64)
    return Hashes(codes.tobytes(), looks, weights.tobytes(), counted.tobytes(), [best[seen][1] for seen in order])


def choose_stars(parts: Iterable[Near], buckets: int) -> Iterator[tuple[int, bytes]]:
    """(bucket of rows, what the rows of its hashes are told) for every hash that is near one that stays, and that one.

    All near pairs of the pool are held at once, some tens of bytes each.
    """
    pool, left, right = _join_near(list(parts))
    star = _greedy_stars(pool, left, right)
    copies = np.bincount(star, weights=pool.rows, minlength=len(star)).astype(np.int64).tolist()
    told = np.flatnonzero(np.bincount(star, minlength=len(star))[star] > 1)
    distances = differing_bits(pool.codes[told], pool.codes[star[told]]).tolist()
    differences = look_difference(pool.looks[told], pool.looks[star[told]]).tolist()
    answers: dict[int, list[tuple[bytes, list[Any]]]] = defaultdict(list)
    for one, middle, *apart in zip(told.tolist(), star[told].tolist(), distances, differences, strict=True):
        key = digest(_seen(pool, one))
        answers[bucket_of(key, buckets)].append((key, [copies[middle], pool.keys[middle], *apart]))
    for bucket, found in sorted(answers.items()):
        yield bucket, _pack_stars(found)


def _seen(pool: Pool, index: int) -> bytes:
    look: bytes = pool.looks[index].tobytes()
    return int(pool.codes[index]).to_bytes(HASH_BYTES, "big") + look


def _pack_stars(answers: list[tuple[bytes, list[Any]]]) -> bytes:
    count = len(answers)
    slots, ones = np.zeros(count, np.int64).tobytes(), np.ones(count, np.uint32).tobytes()
    payloads = msgspec.msgpack.encode([answer for _, answer in answers])
    return msgspec.msgpack.encode(Packed(STARS, b"".join(key for key, _ in answers), slots, ones, payloads))


def _join_near(parts: list[Near]) -> tuple[Pool, Numbers, Numbers]:
    """One pool of all hashes, each once, and the pairs as indices into it."""
    pool = join_hashes([part.hashes for part in parts])
    seen = np.concatenate([pool.codes[:, None].view(np.uint8), pool.looks], axis=1)
    whole = np.ascontiguousarray(seen).view(np.dtype((np.void, seen.shape[1])))[:, 0]
    _, first, numbers = np.unique(whole, return_index=True, return_inverse=True)
    left, right, start = [], [], 0
    for part in parts:
        here = numbers[start : start + len(part.hashes.keys)]
        left.append(here[np.frombuffer(part.left, np.uint32)])
        right.append(here[np.frombuffer(part.right, np.uint32)])
        start += len(here)
    keys = [pool.keys[index] for index in first.tolist()]
    one = Pool(pool.codes[first], pool.looks[first], pool.weights[first], pool.rows[first], keys)
    return one, np.concatenate(left), np.concatenate(right)


def _greedy_stars(pool: Pool, left: Numbers, right: Numbers) -> Numbers:
    """For each hash the index of the one it is a copy of, or its own."""
    order = sorted(range(len(pool.codes)), key=lambda v: (-int(pool.weights[v]), pool.keys[v]))
    differences = look_difference(pool.looks[left], pool.looks[right])
    apart = np.round(differences * _SHARE_STEPS).astype(np.int64) << 7 | differing_bits(
        pool.codes[left], pool.codes[right]
    )
    return greedy_stars(np.array(order, np.int64), (left, right), apart)
