"""Planning: each kept row has one place, every shard but the last is full, and runs of rows stay together."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.planning import RunPermutation, Segment, order_bucket, plan_ordered, plan_shards

COUNTS = st.lists(st.integers(0, 40), max_size=8)


def plan(counts: list[int], size: int, run: int = 0, seed: int = 0) -> list[tuple[int, Segment]]:
    return list(plan_shards([(i, count, f"kept/{i}") for i, count in enumerate(counts)], size, run, seed))


@given(COUNTS, st.integers(1, 50), st.integers(0, 30), st.integers(0, 9))
def test_every_rank_and_every_row_is_covered_once(counts, size, run, seed):
    found = plan(counts, size, run, seed)
    ranks = Counter(s.rank + offset for _, s in found for offset in range(s.count))
    rows = Counter((s.unit, s.first + offset) for _, s in found for offset in range(s.count))
    assert ranks == Counter(range(sum(counts)))
    assert rows == Counter((unit, row) for unit, count in enumerate(counts) for row in range(count))


@given(COUNTS, st.integers(1, 50), st.integers(0, 30), st.integers(0, 9))
def test_every_shard_but_the_last_is_full(counts, size, run, seed):
    sizes: Counter[int] = Counter()
    for shard, segment in plan(counts, size, run, seed):
        assert segment.rank // size == (segment.rank + segment.count - 1) // size == shard
        assert segment.rows == f"kept/{segment.unit}"
        sizes[shard] += segment.count
    full, rest = divmod(sum(counts), size)
    assert sizes == Counter(dict.fromkeys(range(full), size) | ({full: rest} if rest else {}))


@given(COUNTS, st.integers(1, 50))
def test_without_a_run_the_pool_keeps_its_order(counts, size):
    places = [(s.unit, s.first) for _, s in sorted(plan(counts, size), key=lambda found: found[1].rank)]
    assert places == sorted(places)


def test_a_plan_in_full():
    assert plan([3, 0, 4], 5) == [
        (0, Segment(0, 0, 0, 3, "kept/0")),
        (0, Segment(3, 2, 0, 2, "kept/2")),
        (1, Segment(5, 2, 2, 2, "kept/2")),
    ]


@pytest.mark.parametrize("counts", [[], [0], [0, 0]])
def test_nothing_kept_makes_no_shard(counts):
    assert plan(counts, 5, 2) == []


@given(st.integers(0, 300), st.integers(0, 40), st.integers(0, 2**40))
def test_a_permutation_is_a_bijection_that_keeps_a_partial_last_run(total, run, seed):
    permutation = RunPermutation(total, run, seed)
    found = [permutation(rank) for rank in range(total)]
    assert sorted(found) == list(range(total))
    last = total - (total % run if run else total)
    assert found[last:] == list(range(last, total))


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 9), st.data())
def test_a_run_moves_as_one(total, run, seed, data):
    permutation = RunPermutation(total, run, seed)
    rank = data.draw(st.integers(0, total - 1))
    left = min(permutation.left_in_run(rank), total - rank)
    assert [permutation(rank + offset) for offset in range(left)] == list(
        range(permutation(rank), permutation(rank) + left)
    )


def test_a_seed_gives_its_order_and_another_seed_another_one():
    orders = {seed: tuple(map(RunPermutation(1000, 1, seed), range(1000))) for seed in range(5)}
    assert len(set(orders.values())) == 5
    assert orders[3] == tuple(map(RunPermutation(1000, 1, 3), range(1000)))


def test_rows_move_far():
    # A uniform shuffle moves a rank by a third of the total on average.
    total, permutation = 10_000, RunPermutation(10_000, 1, 0)
    mean = sum(abs(permutation(rank) - rank) for rank in range(total)) / total / total
    assert 0.31 < mean < 0.36


def test_ten_billion_rows_need_no_table():
    permutation = RunPermutation(10**10, 100, 0)
    assert 0 <= permutation(9_999_999_999) < 10**10


@given(COUNTS, st.integers(1, 50), st.integers(0, 30), st.integers(1, 4))
def test_blocks_of_units_planned_alone_are_the_plan_of_all(counts, size, run, block):
    kept = [(i, count, f"kept/{i}") for i, count in enumerate(counts)]
    found = []
    for start in range(0, len(kept), block):
        before = sum(counts[:start])
        found += plan_shards(kept[start : start + block], size, run, 3, before=before, total=sum(counts))
    assert found == list(plan_shards(kept, size, run, 3))


ORDERS = st.lists(st.integers(0, 36 * 10**9).map(lambda n: n / 10**9), max_size=40)


@given(ORDERS, st.integers(1, 50), st.integers(1, 9))
def test_buckets_of_an_order_planned_alone_are_one_sort_of_all(orders, buckets, size):
    rows = [(order, row % 3, row // 3, f"kept/{row % 3}") for row, order in enumerate(orders)]
    found, before = [], 0
    for bucket in range(buckets):
        own = [row for row in rows if order_bucket(row[0], buckets) == bucket]
        found += plan_ordered(own[::-1], size, before)
        before += len(own)
    assert found == [
        (rank // size, Segment(rank, unit, row, 1, uri)) for rank, (_, unit, row, uri) in enumerate(sorted(rows))
    ]


def test_buckets_of_drawn_orders_are_even():
    """Exponential, as weights of 1 give them: no bucket of 100 holds over twice its share of 10,000."""
    found = Counter(order_bucket(round(-math.log(1 - i / 10_000), 9), 100) for i in range(10_000))
    assert max(found.values()) <= 200 and set(found) <= set(range(100))
