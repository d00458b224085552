"""Matching: bringing rows of the whole pool together that share a key, in packed batches instead of one by one.

Each unit packs, for every bucket of the key space, the digests, places and payloads of its candidates; a bucket is
then resolved with one sort. That costs some tens of bytes and under a microsecond a row where an element each would
cost ten times as much, and memory of one bucket however large the pool.
A `Matcher` is pure: the same object decides under Beam, in `what-if` and in tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from transforms.records import Sample

Place = tuple[int, int]
"""(unit index, position): a row's order in the pool."""
Member = tuple[Place, Any]
"""A row of a group and the payload it offered."""
DIGEST = 16


class Matcher(Protocol):
    @property
    def name(self) -> str: ...

    def candidates(self, sample: Sample) -> Iterable[tuple[bytes, Any]]:
        """Keys (16-byte digests) under which the row wants to meet others, with what the decision needs of it."""

    def resolve(self, members: Sequence[Member]) -> Iterable[tuple[Place, Any]]:
        """Answers for the members of a group of two or more, which come ordered by place."""

    def apply(self, sample: Sample, answers: list[Any]) -> Sample:
        """The row with its answers."""


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Candidates of one unit in one bucket."""

    unit: int
    digests: bytes
    positions: bytes
    payloads: msgspec.Raw


def pack_candidates(
    unit: int, samples: Iterable[Sample], matcher: Matcher, buckets: int
) -> Iterator[tuple[int, bytes]]:
    """(bucket, packed candidates) of one unit's rows."""
    waiting: dict[int, list[tuple[bytes, int, Any]]] = defaultdict(list)
    for sample in samples:
        for digest, payload in matcher.candidates(sample):
            waiting[int.from_bytes(digest[:4], "little") % buckets].append((digest, sample.position, payload))
    for bucket in sorted(waiting):
        digests, positions, payloads = zip(*waiting[bucket], strict=True)
        packed = Packed(
            unit,
            b"".join(digests),
            np.array(positions, np.int64).tobytes(),
            msgspec.Raw(msgspec.msgpack.encode(payloads)),
        )
        yield bucket, msgspec.msgpack.encode(packed)


def resolve_bucket(batches: Iterable[bytes], matcher: Matcher) -> dict[int, dict[int, list[Any]]]:
    """Answers of one bucket by unit and position, whatever the order of `batches`."""
    unpacked = sorted((msgspec.msgpack.decode(b, type=Packed) for b in batches), key=lambda batch: batch.unit)
    found: dict[int, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for members in _groups(unpacked):
        for (unit, position), answer in matcher.resolve(members):
            found[unit][position].append(answer)
    return {unit: dict(answers) for unit, answers in found.items()}


def match_in_memory(samples: Sequence[Sample], matcher: Matcher, units: Sequence[int]) -> list[Sample]:
    """The same decision on rows at hand, `units[i]` being the unit of `samples[i]`: for what-if and for tests."""
    by_unit: dict[int, list[Sample]] = defaultdict(list)
    for unit, sample in zip(units, samples, strict=True):
        by_unit[unit].append(sample)
    batches = [packed for unit, rows in by_unit.items() for _, packed in pack_candidates(unit, rows, matcher, 1)]
    found = resolve_bucket(batches, matcher)
    answers = [found.get(unit, {}).get(s.position) for unit, s in zip(units, samples, strict=True)]
    return [matcher.apply(s, a) if a else s for s, a in zip(samples, answers, strict=True)]


def _groups(batches: list[Packed]) -> Iterator[list[Member]]:
    """Members of each key that two or more rows share, each group ordered by place."""
    digests = np.frombuffer(b"".join(b.digests for b in batches), dtype=[("high", "<u8"), ("low", "<u8")])
    order = np.lexsort((digests["low"], digests["high"]))
    ranked = digests[order]
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1]))) if len(ranked) else np.empty(0, int)
    sizes = np.diff(np.append(starts, len(ranked)))
    rows = _Rows(batches)
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        yield [rows[index] for index in order[start : start + size].tolist()]


class _Rows:
    """Looks up the n-th candidate of all batches, decoding a batch's payloads only when one of them is asked for."""

    def __init__(self, batches: list[Packed]) -> None:
        self._batches = batches
        self._positions = [np.frombuffer(batch.positions, np.int64) for batch in batches]
        self._ends = np.cumsum([len(positions) for positions in self._positions])
        self._payloads: dict[int, list[Any]] = {}

    def __getitem__(self, index: int) -> Member:
        batch = int(np.searchsorted(self._ends, index, side="right"))
        row = index - (int(self._ends[batch - 1]) if batch else 0)
        if batch not in self._payloads:
            self._payloads[batch] = msgspec.msgpack.decode(self._batches[batch].payloads)
        return (self._batches[batch].unit, int(self._positions[batch][row])), self._payloads[batch][row]
