"""The loader: each sample once an epoch whatever the ranks, workers and kills, and clear refusals."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.jobs import WORKERS, all_keys, loader_of, take
from tests.train.data.toy_set import text_of
from train.data.decoding import Workers
from train.data.errors import DataError
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.state import Place, combine_states


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_an_epoch_is_every_sample_once(mixed, world):
    found = [one.item for rank in range(world) for one in take(loader_of(mixed, Place(rank, world)))]
    assert sorted(found) == sorted(all_keys())


@pytest.mark.parametrize("workers", WORKERS[1:], ids=str)
def test_workers_change_no_order(mixed, workers):
    place = Place(1, 2)
    with loader_of(mixed, place, workers) as loader:
        assert take(loader) == take(loader_of(mixed, place))


def test_worker_processes_change_no_order(mixed):
    with loader_of(mixed, Place(), Workers(2, "process", 4, 16)) as loader:
        assert take(loader) == take(loader_of(mixed, Place()))


def test_epochs_have_different_orders_of_the_same_samples(mixed):
    found = [one.item for one in take(loader_of(mixed, Place(), rounds=3))]
    epochs = [found[start : start + 31] for start in (0, 31, 62)]
    assert [set(epoch) for epoch in epochs] == [all_keys()] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_data_go_on_for_ever(mixed):
    assert Counter(one.item for one in take(loader_of(mixed, Place(), rounds=None), 310)) == dict.fromkeys(
        all_keys(), 10
    )


def test_a_sample_knows_its_source_and_its_position_in_the_epoch(mixed):
    with Loader(mixed, rules=LoaderRules(rounds=2)) as loader:
        found = [one.item for one in take(loader)]
    positions = [one.index for one in found if one.source == "b"]
    assert positions == [*range(8), *range(8)]
    assert {one.key[0] for one in found if one.source == "b"} == {"b"}


KILLS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 2), st.sampled_from(WORKERS), st.lists(st.integers(0, 12), min_size=4)),
    max_size=4,
)
"""Of each job its world, group, workers, and how many samples each rank took before the kill."""


@settings(max_examples=60)
@given(KILLS)
def test_killed_anywhere_and_resumed_at_any_world_each_sample_is_seen_once(mixed, kills):
    state, seen = None, []
    for world, group, workers, counts in [*kills, (1, 1, WORKERS[0], [99])]:
        states = []
        for rank in range(world):
            with loader_of(mixed, Place(rank, world, group), workers) as loader:
                if state:
                    loader.load_state_dict(state)
                seen += [one.item for one in take(loader, counts[rank])]
                states.append(loader.state_dict())
        state = json.loads(json.dumps(combine_states(states)))
    assert sorted(seen) == sorted(all_keys())


def test_a_resumed_rank_goes_on_as_if_nothing_had_been(mixed):
    whole = take(loader_of(mixed, Place(1, 2)))
    first = loader_of(mixed, Place(1, 2))
    begun = take(first, 5)
    second = loader_of(mixed, Place(1, 2))
    second.load_state_dict(first.state_dict())  # a rank's own state is enough in the same world
    assert begun + take(second) == whole


def test_iterating_again_goes_on(mixed):
    loader = loader_of(mixed, Place())
    assert take(loader, 4) + take(loader) == take(loader_of(mixed, Place()))


def test_runs_are_dealt_together(folder):
    """Each of two ranks gets neighbours next to each other: 23 samples in runs of 2, dealt by 6."""
    mixed = open_mixture([SourceSpec("a", str(folder / "a"))], 1, run=2)
    for rank in range(2):
        numbers = [int(one.item[1:]) for one in take(loader_of(mixed, Place(rank, 2, 6)))]
        assert (np.diff(numbers) == 1).sum() >= len(numbers) // 2 - 3


def test_the_counts_add_up_over_worlds(mixed):
    first = [loader_of(mixed, Place(rank, 2)) for rank in range(2)]
    for loader in first:
        take(loader, 6)
    state = combine_states([loader.state_dict() for loader in first])
    third = [loader_of(mixed, Place(rank, 3)) for rank in range(3)]
    for loader in third:
        loader.load_state_dict(state)
        take(loader)
    counts = [loader.counts.sources for loader in third]
    assert {name: sum(one[name].given for one in counts) for name in "ab"} == {"a": 23, "b": 8}


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "expected sources with different names, found none"),
        ([("a", "a"), ("a", "b")], "expected sources with different names, found a, a"),
        ([("a", "a", 0.0)], "source 'a': expected a weight above 0, found 0.0; leave the source out"),
        ([("a", "a", float("nan"))], "expected a weight above 0, found nan"),
        ([("a", "a", None, -1.0)], "expected a repeats above 0, found -1.0"),
        ([("a", "a", 1.0), ("b", "b")], "expected a weight for all sources or for none, found none for b"),
    ],
)
def test_mixtures_that_make_no_sense(folder, specs, message):
    specs = [SourceSpec(name, str(folder / place), *rest) for name, place, *rest in specs]
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        open_mixture(specs, 1)


def test_weights_make_the_shares(folder):
    specs = [SourceSpec("a", str(folder / "a"), 1), SourceSpec("b", str(folder / "b"), 3)]
    found = take(loader_of(open_mixture(specs, 1), Place(), rounds=None), 4096)
    assert abs(sum(one.source == "b" for one in found) - 3072) < 3


@pytest.mark.parametrize("place", [Place(1, 1), Place(-1, 2), Place(0, 1, 0)])
def test_a_rank_outside_its_world(mixed, place):
    with pytest.raises(DataError, match="expected a rank below the world's size"):
        Loader(mixed, text_of, place)
