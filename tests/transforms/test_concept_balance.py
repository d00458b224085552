"""Concept balance: the draws' distribution, the t above which a caption stays, expectations, and solving for a size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.concept_balance import (
    NEVER,
    Balance,
    draw,
    expected_kept,
    histogram,
    least_t,
    probabilities,
    salts_of,
    solve_drawn,
    solve_t,
)
from transforms.concepts import Matches


def matches_of(lists):
    ids = np.array([i for ids in lists for i in ids], np.int32)
    return Matches(ids, np.cumsum([0, *map(len, lists)]).astype(np.int64))


def grid(keys, entries, seed=0):
    k = salts_of([f"key{i}" for i in range(keys)], f"{seed}\0concepts")
    e = salts_of([f"entry {i}" for i in range(entries)], "entry")
    return draw(np.repeat(k, entries), np.tile(e, keys)).reshape(keys, entries)


def chi_square(cells):
    """Standard deviations from what uniform cells give."""
    expected, freedom = cells.sum() / cells.size, cells.size - 1
    return (((cells - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom)


def test_draws_are_uniform():
    u = grid(2000, 500)
    assert u.min() >= 0 and u.max() < 1
    assert abs(chi_square(np.bincount((u.ravel() * 1024).astype(int), minlength=1024))) < 4


def test_draws_are_independent_over_entries_and_over_keys():
    u = grid(1000, 1000)
    for one, other in [(u[:, :-1], u[:, 1:]), (u[:-1], u[1:]), (u[:, :500], u[:, 500:]), (u[:500], u[500:])]:
        pairs = (one * 32).astype(int) * 32 + (other * 32).astype(int)
        assert abs(chi_square(np.bincount(pairs.ravel(), minlength=1024))) < 4
    # A whole row or column does not lean to one side.
    for axis in (0, 1):
        spread = (u.mean(axis) - 0.5).std() * math.sqrt(12 * 1000)
        assert 0.9 < spread < 1.1


def test_draws_are_independent_over_four_corners():
    # Salts that were only xored would tie the fourth corner of a rectangle to the other three.
    u = (grid(1000, 1000) * 4).astype(int)
    corners = u[:-1, :-1] * 64 + u[1:, :-1] * 16 + u[:-1, 1:] * 4 + u[1:, 1:]
    assert abs(chi_square(np.bincount(corners.ravel(), minlength=256))) < 6


def test_draws_depend_on_seed_key_and_entry_alone():
    u = grid(3, 4)
    assert (u == grid(3, 4)).all() and (u[1] == grid(2, 4)[1]).all() and not (u == grid(3, 4, seed=1)).any()
    assert u[0, :2].tolist() == [0.08074989013932643, 0.7068119361451028]


CASES = st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 0.3, 1, 2.5, 100]), st.integers(1, 10**7))


@given(CASES, st.integers(1, 10**7))
def test_a_draw_succeeds_exactly_above_its_least_t(case, t):
    u, weight, count = case
    found = least_t(np.array([u]), np.array([weight], float), np.array([count]))[0]
    p = probabilities(np.array([count]), np.array([weight], float), t)[0]
    assert p == min(1.0, weight * t / max(count, t))
    assert math.isclose(u, p, rel_tol=1e-12) or (u < p) == (t > found)


def test_the_paper_is_a_weight_of_one():
    counts = np.array([10, 20_000, 80_000])
    assert probabilities(counts, np.ones(3), 20_000).tolist() == [1.0, 1.0, 0.25]


def test_a_caption_stays_by_its_best_entry_and_one_without_entries_never():
    names, counts = [f"entry {i}" for i in range(4)], np.array([100, 1, 50, 7])
    balance = Balance(names, np.array([1.0, 1.0, 1.0, 0.0]), counts)
    found = balance.judge(matches_of([[0, 2], [], [0, 1, 2], [3]]), ["a", "b", "c", "d"], 5)
    u = draw(np.repeat(salts_of(["a", "b", "c", "d"], "5\0concepts"), 4), np.tile(salts_of(names, "entry"), 4))
    least = u.reshape(4, 4) * counts
    assert found.least_t.tolist() == [min(least[0, 0], least[0, 2]), NEVER, min(least[2, :3]), NEVER]
    assert found.entry[1] == -1 and found.entry[3] == 3 and found.entry[0] in (0, 2)


def test_counts_and_weights_belong_to_the_entries():
    with pytest.raises(ValueError, match="expected a weight and a count for each of 2 entries, found 1 and 3"):
        Balance(["a", "b"], np.ones(1), np.ones(3, np.int64))


def drawn_pool(captions, seed=0):
    """Captions that name one to five of 300 entries each, a few of them often."""
    rng = np.random.default_rng(seed)
    lists = [sorted(set((rng.zipf(1.5, rng.integers(1, 6)) - 1) % 300)) for _ in range(captions)]
    matches = matches_of(lists)
    return matches, np.bincount(matches.ids, minlength=300), [f"key{i}" for i in range(captions)]


NAMES = [f"entry {i}" for i in range(300)]


def test_what_stays_is_what_is_expected():
    matches, counts, keys = drawn_pool(20_000)
    weights = np.where(np.arange(300) % 3 == 0, 0.5, 2.0)
    balanced = Balance(NAMES, weights, counts).judge(matches, keys, 0)
    for t in (5, 50, 500, 5000):
        expected = expected_kept(matches, counts, weights, t)
        by_hand = sum(1 - np.prod(1 - probabilities(counts, weights, t)[matches.of(i)]) for i in range(20_000))
        assert math.isclose(expected, by_hand, rel_tol=1e-9)
        assert abs((balanced.least_t < t).sum() - expected) < 4 * math.sqrt(20_000 / 4)


def test_the_head_comes_down_to_t_and_the_tail_stays():
    rng = np.random.default_rng(1)
    ids = (rng.zipf(1.3, 50_000) - 1) % 300  # one entry a caption
    counts, keys = np.bincount(ids, minlength=300), [f"key{i}" for i in range(len(ids))]
    stays = Balance(NAMES, np.ones(300), counts).judge(matches_of([[i] for i in ids]), keys, 0).least_t < 200
    after = np.bincount(ids[stays], minlength=300)
    head = counts > 200
    assert (after[~head] == counts[~head]).all()
    assert abs(after[head] - 200).max() < 5 * math.sqrt(200) and head.sum() > 20


def test_twice_the_pool_changes_no_old_draw_at_equal_p():
    matches, counts, keys = drawn_pool(5_000)
    before = Balance(NAMES, np.ones(300), counts).judge(matches, keys, 3)
    double = Matches(np.tile(matches.ids, 2), np.concatenate([matches.offsets, matches.offsets[1:] + len(matches.ids)]))
    more = [*keys, *(f"more{i}" for i in range(5_000))]
    after = Balance(NAMES, np.ones(300), 2 * counts).judge(double, more, 3)
    assert (after.entry[:5_000] == before.entry).all()
    # Twice the counts and twice the t is the same p.
    assert ((after.least_t[:5_000] < 80) == (before.least_t < 40)).all()
    assert 0 < (before.least_t < 40).sum() < 5_000


@pytest.mark.parametrize("target", [10, 500, 4_000, 19_000])
def test_solving_meets_the_target(target):
    matches, counts, keys = drawn_pool(20_000)
    t = solve_t(matches, counts, np.ones(300), target)
    assert abs(expected_kept(matches, counts, np.ones(300), t) - target) < 0.01
    balanced = Balance(NAMES, np.ones(300), counts).judge(matches, keys, 0)
    drawn = solve_drawn(histogram(balanced.least_t), target)
    kept = (balanced.least_t < drawn).sum()
    assert target <= kept <= 1.02 * target + 3


def test_a_target_out_of_reach_keeps_all_that_can_stay():
    matches = matches_of([[0], [0], [], [1]])
    counts, weights = np.array([2, 1]), np.array([1.0, 0.0])
    t = solve_t(matches, counts, weights, 4)
    assert (t, expected_kept(matches, counts, weights, t)) == (2.0, 2.0)
    least = Balance(["a", "b"], weights, counts).judge(matches, ["1", "2", "3", "4"], 0).least_t
    assert (least < solve_drawn(histogram(least), 4)).tolist() == [True, True, False, False]
    with pytest.raises(ValueError, match="expected a target above 0"):
        solve_t(matches, counts, weights, 0)


def test_no_captions():
    empty = matches_of([])
    assert expected_kept(empty, np.zeros(2, np.int64), np.ones(2), 5) == 0
    assert expected_kept(matches_of([[0]]), np.ones(2, np.int64), np.ones(2), 0) == 0
    assert len(Balance(["a"], np.ones(1), np.ones(1, np.int64)).judge(empty, [], 0).least_t) == 0
    assert solve_drawn(histogram(np.empty(0)), 5) >= 0
