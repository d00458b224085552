"""The order: a permutation for any number of places, another one for another key, and no table behind it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.order import mix, order_key, permute, permute_runs

KEYS = st.integers(0, 2**64 - 1)


@given(st.integers(1, 3000), KEYS)
def test_every_place_is_taken_once(count, key):
    assert sorted(permute(np.arange(count), count, key).tolist()) == list(range(count))


@given(st.integers(1, 10**12), KEYS, st.lists(st.integers(0, 10**12), max_size=20))
def test_a_place_alone_is_the_place_among_others(count, key, places):
    places = np.array([place % count for place in places], np.int64)
    together = permute(places, count, key)
    assert together.tolist() == [int(permute(np.array([place]), count, key)[0]) for place in places]
    assert ((together >= 0) & (together < count)).all()


@given(st.integers(1, 400), st.integers(1, 50), KEYS)
def test_runs_stay_together(count, run, key):
    found = permute_runs(np.arange(count), count, run, key)
    assert sorted(found.tolist()) == list(range(count))
    run = max(1, min(run, count // 8))
    breaks = np.flatnonzero(np.diff(found) != 1)
    assert len(breaks) <= count // run + 1  # one between each two runs, and one where the order begins
    assert set((found[breaks + 1] % run).tolist()) <= {0}


def test_the_order_is_the_same_everywhere():
    assert permute(np.arange(10), 10, order_key(7, "captions", 0)).tolist() == [2, 9, 7, 5, 6, 4, 0, 1, 8, 3]
    assert mix(np.arange(2, dtype=np.uint64), 1).tolist() == [6238072747940578789, 15839785061582574730]


def test_a_small_source_has_an_order_too():
    orders = {tuple(permute_runs(np.arange(20), 20, 64, key).tolist()) for key in range(30)}
    assert len(orders) == 30


def test_what_fills_no_run_is_not_always_last():
    ends = {int(np.flatnonzero(permute_runs(np.arange(103), 103, 10, key) == 102)[0]) for key in range(40)}
    assert len(ends) > 20


def test_epochs_and_sources_have_orders_of_their_own():
    orders = [permute(np.arange(1000), 1000, order_key(1, name, epoch)) for name in "ab" for epoch in (0, 1)]
    same = [(one == other).sum() for i, one in enumerate(orders) for other in orders[:i]]
    assert max(same) < 10


@pytest.mark.parametrize("count", [1000, 4097])
def test_the_order_looks_like_chance(count):
    """Where the first tenth goes, over 200 keys: each tenth of the places gets a tenth, to within five deviations."""
    keys = [order_key(number) for number in range(200)]
    ends = np.concatenate([permute(np.arange(count // 10), count, key) for key in keys])
    share = np.histogram(ends, 10, (0, count))[0] / len(ends)
    assert abs(share - 0.1).max() < 5 * (0.1 * 0.9 / len(ends)) ** 0.5
    steps = np.concatenate([np.diff(permute(np.arange(count), count, key)) for key in keys[:20]])
    assert (abs(steps) == 1).mean() < 3 * 2 / count + 1e-3
