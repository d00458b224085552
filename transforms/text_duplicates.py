"""Documents of nearly the same text, and which one stays.

Signatures (transforms/minhash.py) are cut into bands; documents meet where a band is equal, and those that meet are
compared by their whole signatures. They are taken in order of preference: one whose estimated similarity with one that
is kept already is at least `min_similarity` is a copy of the kept one most like it. So, as for near pictures
(transforms/stars.py), no chain joins unlike documents, no two that stay and meet are alike, and the answer depends on
texts, sizes and keys alone.
What travels: a signature once to its row's bucket, 24 bytes a band to the bands' buckets, and, of documents that met
another one, the signature once more to the one place where all is decided.
Left out on purpose: passages that documents share; translations; exact duplicates of pages by address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from configs.schema.sft import PromptDuplicateRules
from configs.schema.web_rules import SimilarityRules, TextDuplicateRules
from transforms.fingerprints import digest
from transforms.matching import DIGEST, Candidate, Met, Packed, bucket_of
from transforms.minhash import (
    VALUE_BYTES,
    Values,
    Wide,
    estimate_similarity,
    hash_bands,
    read_signatures,
    shingle_hashes,
    signature,
)
from transforms.records import Drop, Picture, Sample, with_measures
from transforms.web_texts import document_text

DUPLICATE_MEASURES = {
    "text_copies": "documents around the one that stays, itself with them",
    "text_duplicate_of": "key of the one that stays",
    "text_similarity": "estimated Jaccard similarity with it",
}
STAR = 2
"""Parts of a payload that speaks for all rows of a signature: how many, and (key of who stays, similarity). A row's own
has three: weight, key, signature."""
REPRESENTATIVES = 32
"""Documents of a group that stay with which further ones are compared, the most preferred. Only of a group with more,
whose band is a phrase of many unlike documents, a like pair may be missed, and it meets in other bands as well: in five
of 32 at a similarity of 0.8. Without it 40,000 documents under one band would be 800 million comparisons."""
STARS = -1
"""In place of a unit: who answers for signatures that met others."""
_WORD_BITS, _PICTURE_BITS = 32, 20

Told = tuple[int, str, float]
"""Documents around the one that stays, its key, and its similarity with this one."""


class Signatures(msgspec.Struct, frozen=True, array_like=True, tag="signatures"):
    """Different signatures: what the choice needs of the best row of each, and how many rows it has."""

    values: bytes
    weights: list[int]
    rows: list[int]
    keys: list[str]


class Banded(msgspec.Struct, frozen=True, array_like=True, tag="banded"):
    """Hashes of bands, 8 bytes, and at their side the digests of the signatures they come from."""

    hashes: bytes
    digests: bytes


class Groups(msgspec.Struct, frozen=True, array_like=True, tag="groups"):
    """Digests of signatures that share a band: groups one after the other, and their sizes (uint32)."""

    digests: bytes
    sizes: bytes


class TextDuplicates:
    """Documents that are still alive meet under their signature and those near it."""

    name = "text_duplicates"
    counts_witnesses = False

    def __init__(self, rules: TextDuplicateRules | PromptDuplicateRules) -> None:
        self.rules: SimilarityRules = rules
        self.keeps_longest = rules.keep == "longest"
        self.size = rules.bands * rules.rows

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        if not sample.alive:
            return []
        seen = self.signature(sample)
        return [Candidate(digest(seen), (self.weight(sample), sample.key, seen))] if seen else []

    def shingles(self, sample: Sample) -> Wide:
        """Of the text that is compared."""
        return shingle_hashes(document_text(sample), self.rules.words, self.rules.characters)

    def signature(self, sample: Sample) -> bytes:
        """Of all texts; empty for a document without any."""
        return signature(self.shingles(sample), self.size)

    def better(self, one: Sequence[Any], other: Sequence[Any]) -> Sequence[Any]:
        """A star speaks for all rows of a signature; else the heavier row, then the smaller key."""
        return min(one, other, key=lambda told: (len(told) != STAR, -told[0], told[1]))

    def answer(self, met: Met, piece: int) -> Told:
        if len(met.best) == STAR:
            return met.best[0], *met.best[1]
        return met.rows, met.best[1], 1.0

    def apply(self, sample: Sample, answers: list[Told]) -> Sample:
        copies, kept, similarity = answers[0]
        return with_measures(sample, text_copies=copies, text_duplicate_of=kept, text_similarity=similarity)

    def with_stars(self, batches: list[bytes]) -> list[bytes]:
        """Packed rows of one bucket, and beside them what signatures that met others are told; for rows at hand."""
        signatures = collapse_rows(batches, self)
        groups = [meet_in_bucket([part]) for _, part in spread_bands(signatures, self.rules, 1)]
        return [*batches, *[told for _, told in choose_stars(groups, [signatures], self.rules, 1)]]

    def weight(self, sample: Sample) -> int:
        """Of two that are alike the heavier one stays."""
        shown = sum(isinstance(p, Picture) and p.drop is None and p.failure is None for p in sample.pieces)
        words = min(int(sample.measures.get("text_words", len(document_text(sample)))), (1 << _WORD_BITS) - 1)
        shown = min(shown, (1 << _PICTURE_BITS) - 1)
        return words << _PICTURE_BITS | shown if self.keeps_longest else shown << _WORD_BITS | words


def check_text_duplicate(sample: Sample, rules: TextDuplicateRules) -> Drop | None:
    """Drop every document but the one that stays, whose key is in `text_duplicate_of`."""
    kept = sample.measures.get("text_duplicate_of", sample.key)
    if not rules.enabled or kept == sample.key:
        return None
    return Drop("document_duplicate", float(sample.measures["text_similarity"]), rules.min_similarity, str(kept))


def collapse_rows(batches: Iterable[bytes], matcher: TextDuplicates) -> Signatures:
    """The different signatures of one bucket's packed rows."""
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
    weights, keys = [best[seen][0] for seen in order], [best[seen][1] for seen in order]
    return Signatures(b"".join(order), weights, [rows[seen] for seen in order], keys)


def spread_bands(signatures: Signatures, rules: SimilarityRules, buckets: int) -> Iterator[tuple[int, bytes]]:
    """(band bucket, Banded): each signature once for each band, beside all that have the same values there."""
    values = read_signatures(signatures.values, rules.bands * rules.rows)
    numbers = np.frombuffer(b"".join(_digests(signatures.values, values.shape[1])), np.uint64).reshape(-1, 2)
    parts: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
    for hashes in hash_bands(values, rules.bands, rules.rows).T:
        targets = hashes % np.uint64(buckets)
        for target in np.unique(targets).tolist():
            here = targets == target
            parts[target].append((hashes[here], numbers[here]))
    for target, found in sorted(parts.items()):
        banded = Banded(*(np.concatenate([part[side] for part in found]).tobytes() for side in (0, 1)))
        yield target, msgspec.msgpack.encode(banded)


def meet_in_bucket(batches: Iterable[bytes]) -> Groups:
    """The signatures of one band bucket that share a band with another, in groups."""
    parts = [msgspec.msgpack.decode(batch, type=Banded) for batch in batches]
    hashes = np.frombuffer(b"".join([part.hashes for part in parts]), np.uint64)
    ids = np.frombuffer(b"".join([part.digests for part in parts]), np.uint64).reshape(-1, 2)
    order = np.lexsort((ids[:, 1], ids[:, 0], hashes))
    hashes, ids = hashes[order], ids[order]
    _, starts, sizes = np.unique(hashes, return_index=True, return_counts=True)
    shared = sizes > 1
    which = np.repeat(shared, sizes)
    return Groups(ids[which].tobytes(), sizes[shared].astype(np.uint32).tobytes())


def ask_signatures(groups: Groups, buckets: int) -> Iterator[tuple[int, bytes]]:
    """(bucket of rows, digests) of all that met: what `wanted_signatures` is asked there."""
    asked: dict[int, list[bytes]] = defaultdict(list)
    for seen in sorted({groups.digests[at : at + DIGEST] for at in range(0, len(groups.digests), DIGEST)}):
        asked[bucket_of(seen, buckets)].append(seen)
    for bucket, found in sorted(asked.items()):
        yield bucket, b"".join(found)


def wanted_signatures(signatures: Signatures, asked: Iterable[bytes], size: int) -> Signatures:
    """Of one bucket's signatures those whose digests were asked for."""
    wanted = {digests[at : at + DIGEST] for digests in asked for at in range(0, len(digests), DIGEST)}
    here = [index for index, seen in enumerate(_digests(signatures.values, size)) if seen in wanted]
    width = size * VALUE_BYTES
    return Signatures(
        b"".join([signatures.values[index * width : (index + 1) * width] for index in here]),
        [signatures.weights[index] for index in here],
        [signatures.rows[index] for index in here],
        [signatures.keys[index] for index in here],
    )


def choose_stars(
    groups: Iterable[Groups], signatures: Iterable[Signatures], rules: SimilarityRules, buckets: int
) -> Iterator[tuple[int, bytes]]:
    """(bucket of rows, what the rows of its signatures are told) for each that is like one that stays, and that one.

    The signatures of all documents that met another are held at once, half a kilobyte each at 256 values.
    """
    pool = _join(list(signatures))
    values = read_signatures(pool.values, rules.bands * rules.rows)
    keys = _digests(pool.values, values.shape[1])
    star, similarity = _greedy_stars(pool, values, _groups_of(list(groups), keys), rules.min_similarity)
    copies = np.bincount(star, weights=np.array(pool.rows, np.int64), minlength=len(star)).astype(np.int64)
    around = np.bincount(star, minlength=len(star))
    answers: dict[int, list[tuple[bytes, list[Any]]]] = defaultdict(list)
    for one in np.flatnonzero(around[star] > 1).tolist():
        middle = int(star[one])
        told = [int(copies[middle]), [pool.keys[middle], similarity[one]]]
        answers[bucket_of(keys[one], buckets)].append((keys[one], told))
    for bucket, found in sorted(answers.items()):
        yield bucket, _pack_stars(found)


def _greedy_stars(
    pool: Signatures, values: Values, groups: Memberships, least: float
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[float]]:
    """For each signature the one it is a copy of, or its own, and their similarity.

    One after the other in order of preference, each compared with those that stay and meet it, REPRESENTATIVES of a
    group at most: a family of a million copies costs a million comparisons, and so does a million of unlike documents
    under one band.
    """
    star, similarity = np.arange(len(values)), [1.0] * len(values)
    order = sorted(range(len(values)), key=lambda one: (-pool.weights[one], pool.keys[one]))
    kept: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(order):
        met = groups.numbers[groups.starts[one] : groups.starts[one + 1]].tolist()
        # In order of preference, so that of equally like ones the most preferred is taken.
        others = [order[other] for other in sorted({other for group in met for other in kept.get(group, ())})]
        if others:
            alike = estimate_similarity(values[one], values[others])
            nearest = int(alike.argmax())
            if alike[nearest] >= least:
                star[one], similarity[one] = others[nearest], float(alike[nearest])
                continue
        for group in met:
            if len(kept[group]) < REPRESENTATIVES:
                kept[group].append(place)
    return star, similarity


class Memberships(NamedTuple):
    """Numbers of the groups of each signature: those of signature i are `numbers[starts[i] : starts[i + 1]]`."""

    starts: np.ndarray[Any, np.dtype[np.int64]]
    numbers: np.ndarray[Any, np.dtype[np.uint32]]


def _groups_of(parts: list[Groups], keys: list[bytes]) -> Memberships:
    place = {seen: index for index, seen in enumerate(keys)}
    joined = b"".join([part.digests for part in parts])
    found = np.fromiter((place[joined[at : at + DIGEST]] for at in range(0, len(joined), DIGEST)), np.uint32)
    sizes = np.concatenate([np.empty(0, np.uint32), *[np.frombuffer(part.sizes, np.uint32) for part in parts]])
    numbers = np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes)
    counts = np.bincount(found, minlength=len(keys))
    return Memberships(np.concatenate([[0], np.cumsum(counts)]), numbers[np.argsort(found, kind="stable")])


def _join(parts: list[Signatures]) -> Signatures:
    return Signatures(
        b"".join([part.values for part in parts]),
        [weight for part in parts for weight in part.weights],
        [rows for part in parts for rows in part.rows],
        [key for part in parts for key in part.keys],
    )


def _digests(values: bytes, size: int) -> list[bytes]:
    width = size * VALUE_BYTES
    return [digest(values[at : at + width]) for at in range(0, len(values), width)]


def _pack_stars(answers: list[tuple[bytes, list[Any]]]) -> bytes:
    count = len(answers)
    slots, ones = np.zeros(count, np.int64).tobytes(), np.ones(count, np.uint32).tobytes()
    payloads = msgspec.msgpack.encode([answer for _, answer in answers])
    return msgspec.msgpack.encode(Packed(STARS, b"".join(key for key, _ in answers), slots, ones, payloads))
