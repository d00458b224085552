"""Concept balance: which captions stay so that no concept drowns the others (GLM-4.1V sec. 3.1, after MetaCLIP).

An entry named by `count` captions lets each of them pass with p = min(1, weight · t / max(count, t)); a caption stays
where any of its entries lets it pass. The draws u are hashes of (seed, key, entry): independent over keys and entries,
the same in every run, and untouched by what else is in the pool. u < p holds exactly where t > u · count / weight, so
a caption has one number, the smallest of these over its entries: it stays where t is above. That number is measured,
t decides, and another t needs neither vocabulary nor captions.
Left out on purpose: matching (transforms/concepts.py), and MetaCLIP's repeated records: a caption stays once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.concepts import Matches

NEVER = 1e15
"""Least t of a caption whose entries all have a weight that lets it pass at no t."""
_BINS_PER_OCTAVE, _OCTAVES = 1024, 50
BINS = _BINS_PER_OCTAVE * _OCTAVES


class Balanced(NamedTuple):
    """By caption: from which t on it stays, and the entry that lets it; NEVER and -1 where it names none."""

    least_t: NDArray[np.float64]
    entry: NDArray[np.int64]


def salts_of(names: Iterable[str], purpose: str) -> NDArray[np.uint64]:
    """64 bits for each name: blake2b, as `fingerprints.chance`."""
    prefix = f"{purpose}\0".encode()
    digests = b"".join(hashlib.blake2b(prefix + name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def draw(keys: NDArray[np.uint64], entries: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) of pairs of salts: the finaliser of splitmix64 over their sum after one round on the key.

    A hash of 64 bits for each pair as `chance` makes it costs 1 µs; two hashes mixed have the same distribution
    (tested: uniform, independent over keys and over entries) and cost 0.05.
    """
    with np.errstate(over="ignore"):
        mixed = _finalise(_finalise(keys + _GOLDEN) + entries)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _finalise(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return x ^ (x >> np.uint64(31))


class Balance:
    """Counts and weights of all entries, and what they say of matches. `counts` are over the whole pool."""

    def __init__(self, entries: Sequence[str], weights: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        if not len(entries) == len(weights) == len(counts):
            raise ValueError(
                f"expected a weight and a count for each of {len(entries)} entries, "
                f"found {len(weights)} and {len(counts)}"
            )
        self.weights, self.counts, self._salts = weights, counts, salts_of(entries, "entry")

    def judge(self, matches: Matches, keys: Sequence[str], seed: int) -> Balanced:
        """`keys[i]` is the key of the sample that caption i belongs to: captions of a sample share their draws."""
        sizes = np.diff(matches.offsets)
        u = draw(np.repeat(salts_of(keys, f"{seed}\0concepts"), sizes), self._salts[matches.ids])
        least = least_t(u, self.weights[matches.ids], self.counts[matches.ids])
        captions = np.repeat(np.arange(len(sizes)), sizes)
        # By caption, then by the number, then by the entry: the first of each caption is its best.
        order = np.lexsort((matches.ids, least, captions))
        named = np.flatnonzero(sizes)
        first = order[matches.offsets[:-1][named]]
        found, entry = np.full(len(sizes), NEVER), np.full(len(sizes), -1, np.int64)
        found[named], entry[named] = least[first], matches.ids[first]
        return Balanced(found, entry)


def least_t(u: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The t above which u < min(1, weight · t / max(count, t)); NEVER where no t does: u ≥ weight, weight below 1."""
    passes = u < weights
    return np.where(passes, u * counts / np.where(passes, weights, 1.0), NEVER)


def probabilities(counts: NDArray[np.int64], weights: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """p of each entry at a t above 0."""
    return np.minimum(1.0, weights * t / np.maximum(counts, t))


def expected_kept(matches: Matches, counts: NDArray[np.int64], weights: NDArray[np.float64], t: float) -> float:
    """How many captions stay on average over the draws: the sum of 1 - ∏(1 - p), exact given the matches."""
    if t <= 0:
        return 0.0
    with np.errstate(divide="ignore"):
        falls = np.log1p(-probabilities(counts, weights, t))
    named = np.flatnonzero(np.diff(matches.offsets))
    if not len(named):
        return 0.0
    return float(-np.expm1(np.add.reduceat(falls[matches.ids], matches.offsets[:-1][named])).sum())


def solve_t(matches: Matches, counts: NDArray[np.int64], weights: NDArray[np.float64], target: float) -> float:
    """The t at which `target` captions are expected to stay, by bisection: the expectation never falls with t.

    The largest count, at which all stay that ever do, where the target is out of reach. ValueError for a target ≤ 0.
    """
    if target <= 0:
        raise ValueError(f"expected a target above 0, found {target:g}")
    low, high = 0.0, float(max(1, counts.max(initial=0)))
    if expected_kept(matches, counts, weights, high) <= target:
        return high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if expected_kept(matches, counts, weights, middle) < target:
            low = middle
        else:
            high = middle
    return high


def histogram(least: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many rows stay from each bin of t on, one row by the least t of its captions; vectors add up over units."""
    able = least[least < NEVER]
    bins = np.ceil(np.log2(able + 1) * _BINS_PER_OCTAVE).astype(np.int64)
    return np.bincount(np.minimum(bins, BINS - 1), minlength=BINS).astype(np.int64)


def solve_drawn(rows: NDArray[np.int64], target: int) -> float:
    """The least t, to 0.2 %, at which `target` rows of a `histogram` stay; where fewer can, one at which all do."""
    reached = np.cumsum(rows)
    found = int(np.searchsorted(reached, min(target, int(reached[-1])))) if len(reached) else 0
    return float(2.0 ** ((found + 1) / _BINS_PER_OCTAVE) - 1)
