"""Packs of a loader: a kill loses and repeats no document, the same world goes on pack by pack, long ones by rule."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.toy_set import document, tokens_of, write_set
from train.data.corrupt import CorruptPolicy
from train.data.decoding import Workers
from train.data.errors import DataError
from train.data.loader import Loader, LoaderRules, OpenMixture, SourceSpec, open_mixture
from train.data.packed import PackLoader, PackRules
from train.data.records import RawSample, TokenSample
from train.data.state import Place, combine_states
from train.pack import cut_sample

RULES = PackRules(capacity=40, window=6)
WORKERS = [Workers(0), Workers(2, chunk=2, ahead=6), Workers(3, chunk=1, ahead=3)]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> OpenMixture:
    folder = tmp_path_factory.mktemp("sets")
    names = {"a": 31, "b": 12}
    return open_mixture(
        [SourceSpec(name, str(write_set(folder / name, count, prefix=name))) for name, count in names.items()], 1
    )


KEYS = {*(f"a{i}" for i in range(31)), *(f"b{i}" for i in range(12))}


def packed(
    mixed: OpenMixture, place: Place, rules: PackRules = RULES, workers: Workers = WORKERS[0], transform=tokens_of
):
    return PackLoader(Loader(mixed, transform, place, LoaderRules(workers, rounds=1)), rules)


def take(packs: PackLoader, count: int = 10_000) -> list[list[tuple[str, int]]]:
    found, items = [], iter(packs)
    while len(found) < count and (one := next(items, None)) is not None:
        found.append([(sample.key, int(sample.input_ids[0])) for sample in one])
    packs.loader.close()
    return found


KILLS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(WORKERS), st.lists(st.integers(0, 6), min_size=4)), max_size=4
)
"""Of each job its world, workers, and how many packs each rank took before the kill."""


def seen_over(mixed, kills, rules, transform) -> list[tuple[str, int]]:
    state, seen = None, []
    for world, workers, counts in [*kills, (1, WORKERS[0], [10_000])]:
        states = []
        for rank in range(world):
            packs = packed(mixed, Place(rank, world), rules, workers, transform)
            if state:
                packs.load_state_dict(state)
            seen += [one for pack in take(packs, counts[rank]) for one in pack]
            states.append(packs.state_dict())
        state = json.loads(json.dumps(combine_states(states)))
    return seen


@settings(max_examples=60)
@given(KILLS)
def test_killed_anywhere_and_resumed_at_any_world_each_document_is_packed_once(mixed, kills):
    assert sorted(seen_over(mixed, kills, RULES, tokens_of)) == sorted((key, 0) for key in KEYS)


@settings(max_examples=40)
@given(KILLS)
def test_pieces_of_samples_that_were_cut_are_packed_once(mixed, kills):
    """Of each piece, the first token says which it is: samples have up to 40 tokens, packs 25."""
    rules = PackRules(capacity=25, window=4, too_long="cut", borders=(11, 23))
    whole = take(packed(mixed, Place(), rules))
    seen = seen_over(mixed, kills, rules, tokens_of)
    assert sorted(seen) == sorted(one for pack in whole for one in pack)
    assert len(seen) > len({key for key, _ in seen})


def cut_by_the_transform(sample) -> list[TokenSample]:
    """As train/chat cuts: documents of one key, each within the pack."""
    whole = tokens_of(sample)
    return cut_sample(whole, 25, (11, 23)) or [whole]


@settings(max_examples=20)
@given(KILLS)
def test_what_a_transform_has_cut_is_packed_once(mixed, kills):
    rules = PackRules(capacity=25, window=4)
    whole = [one for pack in take(packed(mixed, Place(), rules, transform=cut_by_the_transform)) for one in pack]
    assert len(whole) > len({key for key, _ in whole})
    assert sorted(seen_over(mixed, kills, rules, cut_by_the_transform)) == sorted(whole)


def test_a_list_with_one_too_long_or_none_is_dropped(mixed):
    for transform in (lambda sample: [], lambda sample: [tokens_of(sample), document("a", "x", 99)]):
        packs = packed(mixed, Place(), transform=transform)
        assert take(packs) == [] and packs.dropped == {"a": 31, "b": 12}


@pytest.mark.parametrize("world", [1, 3])
@pytest.mark.parametrize("stop", [0, 1, 4, 7])
def test_the_same_world_goes_on_pack_by_pack(mixed, world, stop):
    for rank in range(world):
        whole = take(packed(mixed, Place(rank, world)))
        first = packed(mixed, Place(rank, world))
        begun = take(first, stop)
        second = packed(mixed, Place(rank, world))
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert begun + take(second) == whole


def test_the_state_of_a_pack_is_what_comes_behind_it(mixed):
    """Also where one sample gave several packs: the state in between gives the rest of them first."""
    rules = PackRules(capacity=12, window=1, too_long="cut", borders=tuple(range(40)))
    whole = take(packed(mixed, Place(), rules))
    for stop in range(0, len(whole), 5):
        first, second = packed(mixed, Place(), rules), packed(mixed, Place(), rules)
        begun = take(first, stop)
        second.load_state_dict(first.state_dict())
        assert begun + take(second) == whole


def test_samples_too_long_are_dropped_and_counted(mixed):
    packs = packed(mixed, Place(), PackRules(capacity=20, window=4))
    found = {key for pack in take(packs) for key, _ in pack}
    long = {key for key in KEYS if len(tokens_of_key(key).input_ids) > 20}
    assert found == KEYS - long and packs.dropped.total() == len(long)
    assert packs.dropped == Counter(key[0] for key in long)


def tokens_of_key(key: str):
    return tokens_of(RawSample("s", key, 0, {}))


def test_packs_without_end_that_nothing_fits_stop(mixed):
    rules = LoaderRules(corrupt=CorruptPolicy(most_in_a_row=50))
    loader = Loader(mixed, lambda sample: document(sample.source, sample.key, 7), rules=rules)
    with pytest.raises(DataError, match="documents of at most 1 tokens, found none in 50 samples in a row; the last: "):
        next(iter(PackLoader(loader, PackRules(capacity=1, window=4, too_long="drop"))))


def test_one_source_may_be_cut_and_another_not(mixed):
    rules = PackRules(capacity=20, window=4, cut_sources=frozenset("a"), borders=tuple(range(40)))
    packs = packed(mixed, Place(), rules)
    found = {key for pack in take(packs) for key, _ in pack}
    assert {key for key in KEYS if key[0] == "a"} <= found
    assert set(packs.dropped) == {"b"}


def test_the_counts_of_what_was_dropped_add_up_over_worlds(mixed):
    rules = PackRules(capacity=20, window=4)
    whole = packed(mixed, Place(), rules)
    take(whole)
    first = [packed(mixed, Place(rank, 2), rules) for rank in range(2)]
    for packs in first:
        take(packs, 3)
    after = [packed(mixed, Place(rank, 3), rules) for rank in range(3)]
    for packs in after:
        packs.load_state_dict(combine_states([one.state_dict() for one in first]))
        take(packs)
    assert sum((packs.dropped for packs in after), Counter()) == whole.dropped


def test_documents_that_waited_are_not_counted_twice(mixed):
    first = [packed(mixed, Place(rank, 2)) for rank in range(2)]
    for packs in first:
        take(packs, 3)
        assert packs.state_dict()["ranks"][str(packs.loader.place.rank)]["waiting"]
    after = [packed(mixed, Place(rank, 3)) for rank in range(3)]
    for packs in after:
        packs.load_state_dict(combine_states([one.state_dict() for one in first]))
        take(packs)
    counts = [packs.loader.counts.sources for packs in after]
    assert {name: sum(one[name].given for one in counts) for name in "ab"} == {"a": 31, "b": 12}


def test_a_document_that_comes_out_otherwise_is_refused(mixed):
    first = packed(mixed, Place())
    take(first, 3)
    other = packed(mixed, Place(), transform=lambda sample: document(sample.source, sample.key, 7))
    with pytest.raises(DataError, match=r"draw \d+: expected \d+ tokens in piece 0 of 1, found pieces of \[7\]"):
        other.load_state_dict(first.state_dict())


def test_pieces_that_come_out_otherwise_are_refused(mixed):
    """After a change of world, where what waited is read again as any other sample."""
    rules = PackRules(capacity=25, window=30, too_long="cut", borders=(11, 23))
    first = packed(mixed, Place(), rules)
    take(first, 2)
    other = packed(mixed, Place(0, 2), PackRules(capacity=40, window=4))
    other.load_state_dict(first.state_dict())
    with pytest.raises(DataError, match=r"draw \d+: expected 2 pieces, found 1: another tokenizer"):
        take(other)


def test_efficiency_is_tokens_over_places(mixed):
    packs = packed(mixed, Place())
    taken = take(packs)
    tokens = sum(len(tokens_of_key(key).input_ids) for pack in taken for key, _ in pack)
    assert packs.efficiency == tokens / (len(taken) * 40)


def test_the_state_is_small(mixed):
    packs = packed(mixed, Place(), PackRules(capacity=40, window=20))
    take(packs, 2)
    assert len(json.dumps(packs.state_dict())) < 2000
    assert np.isfinite(packs.efficiency)
