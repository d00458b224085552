"""Matching: the same groups as a dictionary would make, whatever the units, batches and buckets."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.fingerprints import digest
from transforms.matching import match_in_memory, pack_candidates, resolve_bucket
from transforms.records import Sample, with_measures

POOLS = st.lists(st.lists(st.lists(st.sampled_from("abcde"), max_size=3).map("".join), max_size=6), max_size=5)
"""Units of rows; the letters of a row are the keys under which it wants to meet others."""


class Letters:
    """Answers every member with its group: the letter, and who was there with which payload."""

    name = "letters"

    def candidates(self, sample):
        return [(digest(letter.encode()), [letter, number]) for number, letter in enumerate(sample.key)]

    def resolve(self, members):
        return [(place, [place, payload, [list(m) for m in members]]) for place, payload in members]

    def apply(self, sample, answers):
        return with_measures(sample, met=len(answers))


def rows_of(unit: int, keys: list[str]) -> list[Sample]:
    return [Sample(key, f"{unit}.tar", 0, position) for position, key in enumerate(keys)]


def resolve(pool: list[list[str]], buckets: int, order: Iterable[int]) -> dict:
    """Answers by place, through packing, with batches in the given order of units."""
    by_bucket = defaultdict(list)
    for unit in order:
        for bucket, packed in pack_candidates(unit, rows_of(unit, pool[unit]), Letters(), buckets):
            by_bucket[bucket].append(packed)
    found = defaultdict(list)
    for batches in by_bucket.values():
        for unit, answers in resolve_bucket(batches, Letters()).items():
            for position, given_answers in answers.items():
                found[unit, position] += given_answers
    return {place: sorted(plain(answers)) for place, answers in found.items()}


def resolve_by_dict(pool: list[list[str]]) -> dict:
    groups = defaultdict(list)
    for unit, keys in enumerate(pool):
        for position, key in enumerate(keys):
            for number, letter in enumerate(key):
                groups[letter].append(((unit, position), [letter, number]))
    found = defaultdict(list)
    for members in groups.values():
        if len(members) > 1:
            for place, answer in Letters().resolve(members):
                found[place].append(answer)
    return {place: sorted(plain(answers)) for place, answers in found.items()}


def plain(value):
    return msgspec.json.decode(msgspec.json.encode(value))


@given(POOLS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_groups_are_those_of_a_dictionary(pool, buckets, random):
    order = list(range(len(pool)))
    random.shuffle(order)
    assert resolve(pool, buckets, order) == resolve_by_dict(pool)


@given(POOLS, st.integers(1, 9))
def test_every_candidate_is_packed_once_into_its_own_bucket(pool, buckets):
    for unit, keys in enumerate(pool):
        found = list(pack_candidates(unit, rows_of(unit, keys), Letters(), buckets))
        assert [bucket for bucket, _ in found] == sorted({bucket for bucket, _ in found})
        payloads = [p for _, packed in found for p in msgspec.msgpack.decode(packed)[3]]
        assert sorted(payload[0] for payload in payloads) == sorted("".join(keys))


def test_members_come_ordered_by_place():
    answers = resolve([["a"], ["a", "a"]], 1, [1, 0])
    assert [member[0] for member in answers[0, 0][0][2]] == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(("low", "high"), [(0, 7), (7, 0), (2**63, 1)])
def test_keys_that_differ_in_one_half_do_not_meet(low, high):
    keys = [bytes(16), low.to_bytes(8, "little") + high.to_bytes(8, "little")]

    class Halves(Letters):
        def candidates(self, sample):
            return [(keys[sample.position], None)]

    batches = [packed for _, packed in pack_candidates(0, rows_of(0, ["x", "y"]), Halves(), 1)]
    assert resolve_bucket(batches, Halves()) == {}


def test_no_batch_has_no_answer():
    assert resolve_bucket([], Letters()) == {}


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
