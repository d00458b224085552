"""Planning the output: which kept row goes into which shard, without looking at a row.

Counts of kept rows per unit give each kept row a global rank; an option permutes ranks in runs; a shard is a range of
ranks. A plan is a few integers per run of rows, whatever the rows hold; where a measure is the order, per row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """`count` kept rows of one unit, from its kept row `first`, that lie at `rank` of the written set."""

    rank: int
    unit: int
    first: int
    count: int
    rows: str
    """URI of the unit's sidecar of kept rows."""


def plan_shards(
    kept: Sequence[tuple[int, int, str]],
    samples_per_shard: int,
    shuffle_run: int,
    seed: int,
    *,
    before: int = 0,
    total: int | None = None,
) -> Iterator[tuple[int, Segment]]:
    """(shard, segment) for units given as (index, kept rows, URI of kept rows) in unit order.

    Of a block of a larger pool's units, `before` is the number of rows kept in earlier units and `total` in all.
    """
    total = sum(count for _, count, _ in kept) if total is None else total
    permutation, rank = RunPermutation(total, shuffle_run, seed), before
    for unit, count, rows in kept:
        first = 0
        while first < count:
            new = permutation(rank)
            length = min(count - first, permutation.left_in_run(rank), samples_per_shard - new % samples_per_shard)
            yield new // samples_per_shard, Segment(new, unit, first, length, rows)
            first, rank = first + length, rank + length


def order_bucket(order: float, buckets: int) -> int:
    """In which of `buckets` a place in an order lies: a lower order never in a later one, whatever the machine.

    `order` is 0 or more, with nine decimals at most. Whole numbers, because a rounded quotient may fall either side of
    a bucket's edge. x / (1 + x) spreads what `draw_order` gives evenly, but for a factor of the weight.
    """
    whole = round(order * 10**9)
    return whole * buckets // (whole + 10**9)


def plan_ordered(
    rows: Sequence[tuple[float, int, int, str]], samples_per_shard: int, before: int = 0
) -> Iterator[tuple[int, Segment]]:
    """(shard, segment) for rows given as (order, unit, kept row of the unit, URI of kept rows), the lowest order first;
    equal ones lie as in the pool. `before` is the number of rows in earlier buckets."""
    for rank, (_, unit, row, uri) in enumerate(sorted(rows), before):
        yield rank // samples_per_shard, Segment(rank, unit, row, 1, uri)


class RunPermutation:
    """Permutes `total` ranks in runs of `run` by a seeded Feistel network: no table, any rank in constant time.

    The last run, where it is a partial one, stays last. A run of 0 is the identity.
    """

    _ROUNDS = 4

    def __init__(self, total: int, run: int, seed: int) -> None:
        self._total, self._run, self._seed = total, run, seed
        self._runs = total // run if run else 0
        self._half_bits = max(1, -(-max(self._runs - 1, 1).bit_length() // 2))

    def __call__(self, rank: int) -> int:
        if not self._run or rank // self._run >= self._runs:
            return rank
        return self._permute(rank // self._run) * self._run + rank % self._run

    def left_in_run(self, rank: int) -> int:
        return self._run - rank % self._run if self._run else self._total - rank

    def _permute(self, index: int) -> int:
        # Walking the cycle until the value falls inside keeps it a permutation of [0, runs).
        index = self._feistel(index)
        while index >= self._runs:
            index = self._feistel(index)
        return index

    def _feistel(self, value: int) -> int:
        mask = (1 << self._half_bits) - 1
        left, right = value >> self._half_bits, value & mask
        for number in range(self._ROUNDS):
            left, right = right, left ^ (self._round(right, number) & mask)
        return left << self._half_bits | right

    def _round(self, value: int, number: int) -> int:
        data = f"{self._seed}:{number}:{value}".encode()
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
