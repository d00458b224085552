"""Near codes against all pairs compared one by one, for every distance; codes made to be hard."""

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import hamming
from transforms.hamming import MAX_DISTANCE, cut_bands, pairs_between, pairs_within

RANDOM = np.random.default_rng(4)


@pytest.fixture
def tables(monkeypatch):
    """Small inputs go the way of large ones: through tables, and hot values through further ones."""
    monkeypatch.setattr(hamming, "DENSE", 1000)
    monkeypatch.setattr(hamming, "HOT", 200)
    monkeypatch.setattr(hamming, "CHUNK", 50)


def listed(found: Iterable[tuple[np.ndarray, np.ndarray]]) -> list[tuple[int, int]]:
    return [pair for i, j in found for pair in zip(i.tolist(), j.tolist(), strict=True)]


def within(codes: np.ndarray, distance: int) -> list[tuple[int, int]]:
    found = [(min(pair), max(pair)) for pair in listed(pairs_within(codes, distance))]
    assert len(found) == len(set(found))
    return sorted(found)


def compared(codes: np.ndarray, distance: int) -> list[tuple[int, int]]:
    """The reference: each code against all later ones."""
    rows = (np.flatnonzero(np.bitwise_count(codes[i] ^ codes[i + 1 :]) <= distance) + i + 1 for i in range(len(codes)))
    return [(i, int(j)) for i, row in enumerate(rows) for j in row]


def neighbours(codes: np.ndarray, most: int) -> np.ndarray:
    """Each code with up to `most` bits turned."""
    turned = np.bitwise_or.reduce(np.uint64(1) << RANDOM.integers(0, 64, (len(codes), most)).astype(np.uint64), axis=1)
    return codes ^ turned


def drawn(count: int, bits: int = 64) -> np.ndarray:
    return RANDOM.integers(0, 1 << bits, count, dtype=np.uint64)


def test_radii_leave_no_pair_out():
    for distance in range(MAX_DISTANCE + 1):
        bands = cut_bands(64, distance)
        assert sum(band.width for band in bands) == 64
        assert sum(band.radius + 1 for band in bands) > distance


@pytest.mark.parametrize("distance", range(MAX_DISTANCE + 1))
def test_pairs_are_those_of_comparing_all(tables, distance):
    codes = drawn(150)
    codes = np.unique(np.concatenate([codes, neighbours(codes, 8), neighbours(codes, 3)]))
    assert within(codes, distance) == compared(codes, distance)


HARD = {
    "all bits but a few the same": drawn(300, 12),
    "few bits in every band": drawn(200, 64) & np.uint64(0x8001_0002_0400_0081),
    "one band the same": drawn(300) & np.uint64(0xFFFF_FFFF_FFE0_0000),
    "zero and its neighbours": np.concatenate([[np.uint64(0)], np.uint64(1) << np.arange(64, dtype=np.uint64)]),
    "ones and their neighbours": ~(np.uint64(1) << np.arange(64, dtype=np.uint64)),
    "one code": drawn(1),
    "no code": drawn(0),
}


@pytest.mark.parametrize("distance", [0, 1, 4, 7])
@pytest.mark.parametrize("name", HARD)
def test_hard_codes(tables, name, distance):
    codes = np.unique(HARD[name])
    assert within(codes, distance) == compared(codes, distance)


@settings(deadline=None, max_examples=20)
@given(st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 600), max_size=120), st.integers(0, MAX_DISTANCE))
def test_any_codes(codes, distance):
    array = np.array(sorted(codes), np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "DENSE", 400)
        patch.setattr(hamming, "HOT", 100)
        assert within(array, distance) == compared(array, distance)


def test_pairs_between_two_arrays(tables):
    left = drawn(200)
    right = np.concatenate([neighbours(left, 5), drawn(100)])
    expected = [(i, j) for i, one in enumerate(left) for j, other in enumerate(right) if (one ^ other).bit_count() <= 4]
    assert sorted(listed(pairs_between(left, right, 4))) == expected


@pytest.mark.parametrize("distance", [-1, 9])
def test_other_distances_are_refused(distance):
    with pytest.raises(ValueError, match="expected a distance of 0 to 8 bits"):
        list(pairs_within(drawn(3), distance))


def near_by_brute_force(codes: np.ndarray, high: int = 16, wide: int = 4096) -> Iterator[tuple[int, int, int]]:
    """Each code against all later ones, by tiles that stay in a core's cache."""
    for top, left in product(range(0, len(codes), high), range(0, len(codes), wide)):
        if left + wide > top:
            tile = np.bitwise_count(codes[top : top + high, None] ^ codes[None, left : left + wide])
            if tile.min() <= MAX_DISTANCE:
                for i, j in np.argwhere(tile <= MAX_DISTANCE).tolist():
                    if top + i < left + j:
                        yield top + i, left + j, int(tile[i, j])


@pytest.mark.slow
def test_two_hundred_thousand_codes_with_planted_neighbours():
    codes = drawn(180_000)
    codes = np.unique(np.concatenate([codes, neighbours(codes[:20_000], 8)]))
    found: dict[int, list[tuple[int, int]]] = {d: [] for d in range(MAX_DISTANCE + 1)}
    for i, j, distance in near_by_brute_force(codes):
        found[distance].append((i, j))
    expected: list[tuple[int, int]] = []
    for distance in range(MAX_DISTANCE + 1):
        expected += found[distance]
        assert within(codes, distance) == sorted(expected)
    assert len(expected) > 20_000 - 1
