"""Matching: bringing rows of the whole pool together that share a key, in packed batches instead of one by one.

A unit first combines its own rows: of a key it packs one entry, however many of its rows carry it. A bucket of the key
space is then resolved with one sort. Counting a key's different witnesses is spread over all buckets by key and
witness, so that a caption under a tenth of the pool lies in no bucket whole. What a bucket holds of a hot key is
therefore an entry a unit and a number a bucket, never its rows.
A `Matcher` is pure: the same object decides under Beam, in `what-if` and in tests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from transforms.records import Sample

DIGEST = 16
UNITS_PER_BUCKET, MAX_BUCKETS = 16, 16_384
"""Fewer buckets than units, else a unit's rows are packed one by one; at ten billion rows a bucket takes 150 MB."""
_PIECE_BITS = 16
"""A slot is a row's position and, in these low bits, which of its pieces offered the key."""


class Candidate(NamedTuple):
    """A key (16-byte digest) under which a row wants to meet others."""

    digest: bytes
    payload: Any = None
    """What the choice among the rows of a key needs of this one, in msgpack's types."""
    piece: int = 0
    witness: bytes = b""
    """16 bytes whose different values are counted under the key, where the matcher counts any."""


class Met(NamedTuple):
    """What a row learns of the rows that share its key."""

    rows: int
    rank: int
    """Of this row among them in the pool's order, from 0."""
    witnesses: int
    best: Any
    """The payload that `better` prefers to all others."""


class Matcher(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def counts_witnesses(self) -> bool: ...

    def candidates(self, sample: Sample) -> Iterable[Candidate]: ...

    def better(self, one: Any, other: Any) -> Any:
        """One of two payloads, the same whatever the order they are compared in; not asked where they are None."""

    def answer(self, met: Met, piece: int) -> Any | None:
        """What a row of a key with two rows or more is told; None where it need not know."""

    def apply(self, sample: Sample, answers: list[Any]) -> Sample:
        """The row with its answers."""


class Packed(msgspec.Struct, frozen=True, array_like=True, tag="rows"):
    """One unit's keys in one bucket, each once: its first slot, its rows, and their best payload."""

    unit: int
    digests: bytes
    slots: bytes
    rows: bytes
    payloads: bytes = b""
    """Msgpack of a list; empty where the matcher has none."""


class Counted(msgspec.Struct, frozen=True, array_like=True, tag="counted"):
    """How many different witnesses of a key one bucket of witnesses saw."""

    digests: bytes
    counts: bytes


class PackedUnit(NamedTuple):
    """`rows` and `witnesses` as (bucket, packed), and the unit's rows that are not the first of their key in it."""

    rows: list[tuple[int, bytes]]
    witnesses: list[tuple[int, bytes]]
    followers: bytes


class _Entry(msgspec.Struct, gc=False):
    digest: bytes
    slot: int
    rows: int
    payload: Any


def bucket_count(units: int) -> int:
    """Into how many buckets a pool's keys are cut."""
    return max(8, min(MAX_BUCKETS, units // UNITS_PER_BUCKET))


def bucket_of(digest: bytes, buckets: int) -> int:
    """The bucket in which the rows of a key meet."""
    return int.from_bytes(digest[:4], "little") % buckets


def pack_unit(unit: int, samples: Iterable[Sample], matcher: Matcher, buckets: int) -> PackedUnit:
    """What one unit's rows give to a match."""
    entries: dict[bytes, _Entry] = {}
    followers: dict[int, list[int]] = defaultdict(list)
    witnesses: set[tuple[bytes, bytes]] = set()
    for sample in samples:
        for digest, payload, piece, witness in matcher.candidates(sample):
            slot = sample.position << _PIECE_BITS | piece
            if witness:
                witnesses.add((digest, witness))
            entry = entries.get(digest)
            if entry is None:
                entries[digest] = _Entry(digest, slot, 1, payload)
            else:
                entry.rows += 1
                entry.payload = None if payload is None else matcher.better(entry.payload, payload)
                followers[entry.slot].append(slot)
    packed = msgspec.msgpack.encode(list(followers.items())) if followers else b""
    return PackedUnit(_pack_entries(unit, entries, buckets), _pack_witnesses(witnesses, buckets), packed)


def _pack_entries(unit: int, entries: dict[bytes, _Entry], buckets: int) -> list[tuple[int, bytes]]:
    waiting: dict[int, list[_Entry]] = defaultdict(list)
    for digest, entry in entries.items():
        waiting[bucket_of(digest, buckets)].append(entry)
    return [(bucket, _pack(unit, found)) for bucket, found in sorted(waiting.items())]


def _pack(unit: int, entries: list[_Entry]) -> bytes:
    payloads = [entry.payload for entry in entries]
    packed = Packed(
        unit,
        b"".join([entry.digest for entry in entries]),
        np.array([entry.slot for entry in entries], np.int64).tobytes(),
        np.array([entry.rows for entry in entries], np.uint32).tobytes(),
        msgspec.msgpack.encode(payloads) if payloads[0] is not None else b"",
    )
    return msgspec.msgpack.encode(packed)


def _pack_witnesses(witnesses: set[tuple[bytes, bytes]], buckets: int) -> list[tuple[int, bytes]]:
    waiting: dict[int, list[bytes]] = defaultdict(list)
    for digest, witness in witnesses:
        # Of both: a key with many witnesses must not lie in one bucket.
        salt = int.from_bytes(digest[:4], "little") ^ int.from_bytes(witness[:4], "little")
        waiting[salt % buckets].append(digest + witness)
    return [(bucket, b"".join(sorted(found))) for bucket, found in sorted(waiting.items())]


def count_witnesses(batches: Iterable[bytes], buckets: int) -> Iterator[tuple[int, bytes]]:
    """(bucket of keys, counts) from the packed witnesses of one bucket, each pair of key and witness counted once."""
    pairs = np.frombuffer(b"".join(batches), dtype=[(name, "<u8") for name in ("high", "low", "first", "second")])
    columns = [pairs[name] for name in ("second", "first", "low", "high")]
    ranked = pairs[np.lexsort(columns)]
    different = ranked[_starts(ranked)]
    keys = different[["high", "low"]]
    starts = _starts(keys)
    counts = np.diff(np.append(starts, len(keys))).astype(np.uint32)
    keys = keys[starts]
    targets = (keys["high"] & np.uint64(0xFFFFFFFF)) % np.uint64(buckets)
    order = np.argsort(targets, kind="stable")
    for part in np.split(order, _starts(targets[order])[1:]) if len(order) else []:
        digests = np.stack([keys["high"][part], keys["low"][part]], axis=1).tobytes()
        yield int(targets[part[0]]), msgspec.msgpack.encode(Counted(digests, counts[part].tobytes()))


def resolve_bucket(batches: Iterable[bytes], matcher: Matcher) -> Iterator[tuple[int, bytes]]:
    """(unit, answers) of one bucket's keys that two rows or more share, whatever the order of `batches`.

    The answers are msgpack of [slot, rows, rank, witnesses, best] for the unit's first row of each key.
    """
    decoded = [msgspec.msgpack.decode(batch, type=Packed | Counted) for batch in batches]
    packed = sorted((one for one in decoded if isinstance(one, Packed)), key=lambda one: one.unit)
    counted = [one for one in decoded if isinstance(one, Counted)]
    if not packed:
        return
    keys = _rank_keys(packed, counted)
    best = _best_payloads(packed, keys, matcher)
    ends = np.cumsum([len(one.slots) // 8 for one in packed])
    for one, start, end in zip(packed, [0, *ends.tolist()], ends.tolist(), strict=False):
        told = np.flatnonzero(keys.rows[keys.of[start:end]] > 1)
        if len(told):
            groups = keys.of[start:end][told]
            columns = (
                np.frombuffer(one.slots, np.int64)[told],
                keys.rows[groups],
                keys.before[start:end][told],
                keys.witnesses[groups],
            )
            lists = [column.tolist() for column in columns]
            answers = list(zip(*lists, [best.get(group) for group in groups.tolist()], strict=True))
            yield one.unit, msgspec.msgpack.encode(sorted(answers, key=_first))


class _Keys(NamedTuple):
    """`of` maps each entry of a bucket, in the order of its units, to its key's number."""

    of: np.ndarray[Any, Any]
    before: np.ndarray[Any, Any]
    """By entry: rows of its key in earlier units."""
    rows: np.ndarray[Any, Any]
    witnesses: np.ndarray[Any, Any]


def _rank_keys(packed: Sequence[Packed], counted: Sequence[Counted]) -> _Keys:
    joined = b"".join([one.digests for one in packed] + [one.digests for one in counted])
    digests = np.frombuffer(joined, dtype=[("high", "<u8"), ("low", "<u8")])
    rows = np.zeros(len(digests), np.int64)
    witnesses = np.zeros(len(digests), np.int64)
    found = np.frombuffer(b"".join([one.rows for one in packed]), np.uint32)
    rows[: len(found)] = found
    witnesses[len(found) :] = np.frombuffer(b"".join([one.counts for one in counted]), np.uint32)
    # Stable: within a key entries stay in the order of their units, and counts of witnesses come last.
    order = np.lexsort((digests["low"], digests["high"]))
    starts = _starts(digests[order])
    sizes = np.diff(np.append(starts, len(order)))
    of, before = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    of[order] = np.repeat(np.arange(len(starts)), sizes)
    running = np.cumsum(rows[order]) - rows[order]
    before[order] = running - np.repeat(running[starts], sizes)
    return _Keys(of, before, np.add.reduceat(rows[order], starts), np.add.reduceat(witnesses[order], starts))


def _best_payloads(packed: Sequence[Packed], keys: _Keys, matcher: Matcher) -> dict[int, Any]:
    """By number of a shared key; the payloads of one batch at a time are decoded."""
    best: dict[int, Any] = {}
    start = 0
    for one in packed:
        groups = keys.of[start : start + len(one.slots) // 8]
        start += len(groups)
        told = np.flatnonzero(keys.rows[groups] > 1).tolist() if one.payloads else []
        payloads = msgspec.msgpack.decode(one.payloads) if told else []
        for index in told:
            group, payload = int(groups[index]), payloads[index]
            best[group] = matcher.better(best[group], payload) if group in best else payload
    return best


def _starts(ranked: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where a sorted array's runs of equal values begin."""
    if not len(ranked):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))


def _first(answer: tuple[Any, ...]) -> Any:
    return answer[0]


def expand_answers(packed: Iterable[bytes], followers: bytes, matcher: Matcher) -> dict[int, list[Any]]:
    """A unit's answers by position, from what its buckets said of the first row of each key."""
    after: dict[int, list[int]] = dict(msgspec.msgpack.decode(followers)) if followers else {}
    found: dict[int, list[Any]] = {}
    for batch in sorted(packed):
        for slot, rows, before, witnesses, best in msgspec.msgpack.decode(batch):
            for rank, one in enumerate((slot, *after.get(slot, ())), start=before):
                answer = matcher.answer(Met(rows, rank, witnesses, best), one & (1 << _PIECE_BITS) - 1)
                if answer is not None:
                    found.setdefault(one >> _PIECE_BITS, []).append(answer)
    return found


Beside = Callable[[list[bytes]], list[bytes]]
"""Adds to the packed rows what a verb would send to their bucket from elsewhere."""


def answer_units(
    packed: Mapping[int, PackedUnit], matcher: Matcher, beside: Beside = list
) -> dict[int, dict[int, list[Any]]]:
    """Answers by unit and position, of units packed for one bucket."""
    batches = [batch for one in packed.values() for _, batch in one.rows]
    if matcher.counts_witnesses:
        witnesses = [batch for one in packed.values() for _, batch in one.witnesses]
        batches += [batch for _, batch in count_witnesses(witnesses, 1)]
    told = resolve_bucket(beside(batches), matcher)
    return {unit: expand_answers([b], packed[unit].followers, matcher) for unit, b in told if unit in packed}


def match_in_memory(
    samples: Sequence[Sample], matcher: Matcher, units: Sequence[int], beside: Beside = list
) -> list[Sample]:
    """The same decision on rows at hand, `units[i]` being the unit of `samples[i]`: for what-if and for tests."""
    by_unit: dict[int, list[Sample]] = defaultdict(list)
    for unit, sample in zip(units, samples, strict=True):
        by_unit[unit].append(sample)
    told = answer_units({unit: pack_unit(unit, rows, matcher, 1) for unit, rows in by_unit.items()}, matcher, beside)
    answers = [told.get(unit, {}).get(s.position) for unit, s in zip(units, samples, strict=True)]
    return [matcher.apply(s, a) if a else s for s, a in zip(samples, answers, strict=True)]
