"""Matching: the same groups as a dictionary would make, whatever the units, batches and buckets."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.fingerprints import digest
from transforms.matching import (
    Candidate,
    Met,
    PackedUnit,
    count_witnesses,
    expand_answers,
    match_in_memory,
    pack_unit,
    resolve_bucket,
)
from transforms.records import Sample, with_measures

POOLS = st.lists(st.lists(st.lists(st.sampled_from("abcde"), max_size=3).map("".join), max_size=6), max_size=5)
"""Units of rows; the letters of a row are the keys under which it wants to meet others."""


class Letters:
    """Answers every row with what it met: by which of its letters, and how."""

    name = "letters"
    counts_witnesses = True

    def candidates(self, sample):
        return [
            Candidate(digest(letter.encode()), [sample.key, sample.position], number, digest(sample.key.encode()))
            for number, letter in enumerate(sample.key)
        ]

    def better(self, one, other):
        return max(one, other)

    def answer(self, met, piece):
        return [piece, *met]

    def apply(self, sample, answers):
        return with_measures(sample, met=len(answers))


def rows_of(unit: int, keys: list[str]) -> list[Sample]:
    return [Sample(key, f"{unit}.tar", 0, position) for position, key in enumerate(keys)]


def packed_pool(pool: list[list[str]], matcher, buckets: int) -> list[PackedUnit]:
    return [pack_unit(unit, rows_of(unit, keys), matcher, buckets) for unit, keys in enumerate(pool)]


def gather(parts: Iterable[tuple[int, bytes]]) -> dict[int, list[bytes]]:
    found = defaultdict(list)
    for bucket, packed in parts:
        found[bucket].append(packed)
    return found


def resolve(pool: list[list[str]], buckets: int, order: list[int], matcher) -> dict:
    """Answers by place, through packing and counting, with batches in the given order of units."""
    packed = packed_pool(pool, matcher, buckets)
    by_witness = gather(part for unit in order for part in packed[unit].witnesses)
    counts = [part for batches in by_witness.values() for part in count_witnesses(batches, buckets)]
    by_key = gather([*counts, *(part for unit in order for part in packed[unit].rows)])
    by_unit = gather(part for batches in by_key.values() for part in resolve_bucket(batches, matcher))
    return {
        (unit, position): sorted(plain(answers))
        for unit, batches in by_unit.items()
        for position, answers in expand_answers(batches, packed[unit].followers, matcher).items()
    }


def resolve_by_dict(pool: list[list[str]]) -> dict:
    groups = defaultdict(list)
    for unit, keys in enumerate(pool):
        for position, key in enumerate(keys):
            for number, letter in enumerate(key):
                groups[letter].append(((unit, position), number, key))
    found = defaultdict(list)
    for members in groups.values():
        best = max([key, position] for (_, position), _, key in members)
        different = len({key for _, _, key in members})
        for rank, (place, number, _) in enumerate(members):
            if len(members) > 1:
                found[place].append([number, *Met(len(members), rank, different, best)])
    return {place: sorted(plain(answers)) for place, answers in found.items()}


def plain(value):
    return msgspec.json.decode(msgspec.json.encode(value))


@given(POOLS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_groups_are_those_of_a_dictionary(pool, buckets, random):
    order = list(range(len(pool)))
    random.shuffle(order)
    assert resolve(pool, buckets, order, Letters()) == resolve_by_dict(pool)


@given(POOLS, st.integers(1, 9))
def test_every_key_of_a_unit_is_packed_once(pool, buckets):
    for keys, packed in zip(pool, packed_pool(pool, Letters(), buckets), strict=True):
        assert [bucket for bucket, _ in packed.rows] == sorted({bucket for bucket, _ in packed.rows})
        digests = b"".join(msgspec.msgpack.decode(batch)[2] for _, batch in packed.rows)
        found = sorted(digests[start : start + 16] for start in range(0, len(digests), 16))
        assert found == sorted(digest(letter.encode()) for letter in set("".join(keys)))


@pytest.mark.parametrize(("low", "high"), [(0, 7), (7, 0), (2**63, 1)])
def test_keys_that_differ_in_one_half_do_not_meet(low, high):
    keys = [bytes(16), low.to_bytes(8, "little") + high.to_bytes(8, "little")]

    class Halves(Letters):
        def candidates(self, sample):
            return [Candidate(keys[sample.position])]

    packed = pack_unit(0, rows_of(0, ["x", "y"]), Halves(), 1)
    assert list(resolve_bucket([batch for _, batch in packed.rows], Halves())) == []


def test_no_batch_has_no_answer():
    assert list(resolve_bucket([], Letters())) == []
    assert list(count_witnesses([], 3)) == []


def test_a_hot_key_lies_in_a_bucket_once_for_each_unit():
    units, rows, buckets = 4, 1000, 16

    class OneKey(Letters):
        def candidates(self, sample):
            return [Candidate(bytes(16), None, 0, digest(sample.key.encode()))]

    packed = packed_pool([[f"{unit}-{row}" for row in range(rows)] for unit in range(units)], OneKey(), buckets)
    by_witness = gather(part for unit in packed for part in unit.witnesses)
    assert len(by_witness) == buckets
    assert max(sum(map(len, batches)) for batches in by_witness.values()) < 2 * 32 * units * rows / buckets
    counts = [part for batches in by_witness.values() for part in count_witnesses(batches, buckets)]
    (batches,) = gather([*counts, *(part for unit in packed for part in unit.rows)]).values()
    assert sum(map(len, batches)) < 100 * (units + buckets)
    told = [msgspec.msgpack.decode(answers) for _, answers in resolve_bucket(batches, OneKey())]
    assert told == [[[0, units * rows, unit * rows, units * rows, None]] for unit in range(units)]


@given(POOLS)
def test_matching_in_memory_decides_the_same(pool):
    samples = [row for unit, keys in enumerate(pool) for row in rows_of(unit, keys)]
    units = [unit for unit, keys in enumerate(pool) for _ in keys]
    found = match_in_memory(samples, Letters(), units)
    expected = resolve_by_dict(pool)
    assert [row.key for row in found] == [row.key for row in samples]
    assert [row.measures.get("met", 0) for row in found] == [
        len(expected.get((unit, row.position), [])) for unit, row in zip(units, samples, strict=True)
    ]
