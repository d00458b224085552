"""Mixtures: exact shares a round, shares that are true at any time, and each source gone through epoch by epoch."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.data.errors import DataError
from train.data.mixture import BLOCK, ROUND, Mixture, Share, shares_by_repeats, shares_by_weight

SHARES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 900)), min_size=1, max_size=4)


def mixture(*sizes: tuple[int, int], seed: int = 1, run: int = 1) -> Mixture:
    return Mixture([Share(f"s{i}", samples, draws) for i, (samples, draws) in enumerate(sizes)], seed, run)


@settings(max_examples=40)
@given(SHARES, st.integers(0, 99), st.integers(0, 3))
def test_a_round_draws_each_source_as_often_as_it_says(sizes, seed, number):
    made = mixture(*sizes, seed=seed)
    found = made.locate(np.arange(number * made.round, (number + 1) * made.round))
    assert Counter(found.source.tolist()) == {i: draws for i, (_, draws) in enumerate(sizes)}


@settings(max_examples=40)
@given(SHARES, st.integers(0, 99))
def test_a_source_is_gone_through_epoch_by_epoch(sizes, seed):
    made = mixture(*sizes, seed=seed)
    found = made.locate(np.arange(3 * made.round))
    for number, (samples, draws) in enumerate(sizes):
        here = found.source == number
        assert found.position[here].tolist() == [place % samples for place in range(3 * draws)]
        rows = found.row[here]
        for start in range(0, 3 * draws - samples + 1, samples):
            assert sorted(rows[start : start + samples].tolist()) == list(range(samples))


@given(SHARES, st.lists(st.integers(0, 10**9), max_size=30))
def test_draws_can_be_asked_in_any_order(sizes, draws):
    made, draws = mixture(*sizes), np.array(draws, np.int64)
    found = np.stack(made.locate(draws))
    one_by_one = [np.concatenate(made.locate(draws[i : i + 1])) for i in range(len(draws))]
    assert found.T.tolist() == [one.tolist() for one in one_by_one]


def test_shares_are_true_throughout_a_round():
    made = mixture((10**6, 700_000), (10**6, 250_000), (10**6, 50_000))
    source = made.locate(np.arange(40 * BLOCK)).source
    for end in range(BLOCK, len(source) + 1, BLOCK):
        for number, share in enumerate((0.7, 0.25, 0.05)):
            assert abs((source[:end] == number).sum() - share * end) < 2


def test_no_rank_gets_another_mixture():
    """Two sources in equal parts, two ranks: a pattern of period two would give each rank one source."""
    source = mixture((10**6, 1 << 19), (10**6, 1 << 19)).locate(np.arange(20_000)).source
    assert abs(source[::2].mean() - 0.5) < 0.02 and abs(source[1::2].mean() - 0.5) < 0.02
    windows = source[: 312 * 64].reshape(-1, 64).mean(axis=1)
    assert windows.min() > 0.1 and windows.max() < 0.9  # nor for a while


def test_weights_are_shares_of_the_draws():
    shares = shares_by_weight(["a", "b", "rare"], [10, 10**9, 5], [3, 1, 1e-9])
    assert [share.draws for share in shares] == [ROUND * 3 // 4, ROUND // 4, 1]


def test_repeats_are_times_an_epoch():
    shares = shares_by_repeats(["a", "b", "c"], [10, 7, 3], [1, 2, 0.5])
    assert [share.draws for share in shares] == [10, 14, 2]


def test_half_a_source_an_epoch_is_the_whole_in_two():
    made = Mixture(shares_by_repeats(["a", "b"], [10, 4], [0.5, 1]), 3)
    found = made.locate(np.arange(2 * made.round))
    assert sorted(found.row[found.source == 0].tolist()) == list(range(10))


def test_seeds_give_other_orders():
    rows = [mixture((500, 500), seed=seed).locate(np.arange(500)).row.tolist() for seed in (1, 2)]
    assert rows[0] != rows[1] and sorted(rows[0]) == sorted(rows[1])


def test_runs_are_drawn_one_after_the_other():
    rows = mixture((100, 100), run=10).locate(np.arange(100)).row
    assert 8 <= (np.diff(rows) != 1).sum() <= 11


@pytest.mark.parametrize("share", [Share("x", 0, 1), Share("x", 5, 0)])
def test_nothing_cannot_be_drawn(share):
    with pytest.raises(DataError, match="^x: expected samples and draws, found"):
        Mixture([share], 0)
