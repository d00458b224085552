"""A pseudo-random order of n places, computed place by place and never held: a Feistel network over all places at once.

Four rounds over the halves of an even number of bits, and again for those that land outside [0, n): a permutation for
any n and key. The mixing function is that of splitmix64 (Steele, Lea, Flood 2014), so that arrays of places are
permuted in some dozen operations of numpy: the network of transforms/planning.py asks blake2b for one place at a time.
Left out on purpose: which key stands for which epoch (train/data/mixture.py).
"""

from __future__ import annotations

import hashlib

import numpy as np

from train.data.records import Array

ROUNDS = 4
FEWEST_RUNS = 8
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def order_key(*parts: int | str) -> int:
    """64 bits that stand for `parts`, the same on every machine."""
    data = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def mix(values: Array, key: int) -> Array:
    """uint64 hashes of uint64 values."""
    mixed = values + np.uint64(key)  # wraps around
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIERS[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIERS[1]
    return mixed ^ (mixed >> np.uint64(31))


def permute(places: Array, count: int, key: int) -> Array:
    """Where each of `places`, int64 in [0, count), goes in the order of `key`; the whole is a permutation."""
    half = max(1, -(-max(count - 1, 1).bit_length() // 2))
    keys = [order_key(key, number) for number in range(ROUNDS)]
    found = _feistel(np.asarray(places, np.uint64), half, keys)
    while (outside := np.flatnonzero(found >= np.uint64(count))).size:
        found[outside] = _feistel(found[outside], half, keys)
    return found.astype(np.int64)


def permute_runs(places: Array, count: int, run: int, key: int) -> Array:
    """As `permute`, in runs of `run` neighbours, or of fewer where that left under `FEWEST_RUNS` to permute.

    What fills no run follows the last one, and where the order begins is as random as the rest.
    """
    run = max(1, min(run, count // FEWEST_RUNS))
    if run == 1:
        return permute(places, count, key)
    places = (np.asarray(places, np.int64) + order_key(key, "begin") % count) % count
    runs = count // run
    found = permute(places // run % runs, runs, key) * run + places % run
    return np.where(places < runs * run, found, places)


def _feistel(values: Array, half: int, keys: list[int]) -> Array:
    mask, shift = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ (mix(right, key) & mask)
    return left << shift | right
