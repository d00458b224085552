"""Packing: nothing lost, split or overtaken for ever; efficiency on log-normal lengths; a pack is its documents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.data.toy_set import document
from train.data.records import NOT_TRAINED, TokenSample
from train.pack import Packer, Padding, build_pack, cut_sample

LENGTHS = st.lists(st.integers(1, 50), max_size=60)


def packs_of(lengths: list[int], capacity: int, window: int) -> list[list[int]]:
    """Packs of document numbers."""
    packer, packs = Packer(capacity, window), []
    for number, length in enumerate(lengths):
        packer.put(length, number)
        while packer.is_full():
            packs.append(packer.take())
    while len(packer):
        packs.append(packer.take())
    return packs


def flat_positions(kinds, grids):
    return np.tile(np.arange(len(kinds)), (4, 1))


@given(LENGTHS, st.integers(50, 80), st.integers(1, 20))
def test_every_document_is_in_one_pack_whole(lengths, capacity, window):
    packs = packs_of(lengths, capacity, window)
    assert sorted(number for pack in packs for number in pack) == list(range(len(lengths)))
    assert all(sum(lengths[number] for number in pack) <= capacity for pack in packs)


@given(LENGTHS, st.integers(1, 20))
def test_none_is_overtaken_by_more_than_a_window_of_packs(lengths, window):
    packed: set[int] = set()
    for pack in packs_of(lengths, 60, window):
        assert min(set(range(len(lengths))) - packed) in pack  # the oldest
        packed |= set(pack)


@given(LENGTHS, st.integers(1, 20), st.integers(0, 60))
def test_what_waits_gives_the_same_packs_in_a_new_packer(lengths, window, cut):
    """A kill after `cut` documents: the packs so far and those of a packer that takes up what waited are all packs."""
    packer, packs = Packer(60, window), []
    for number, length in enumerate(lengths):
        if number == cut:
            waiting = packer.waiting()
            packer = Packer(60, window)
            for other in waiting:
                packer.put(lengths[other], other)
        packer.put(length, number)
        while packer.is_full():
            packs.append(packer.take())
    while len(packer):
        packs.append(packer.take())
    assert packs == packs_of(lengths, 60, window)


def log_normal(median: float, sigma: float, capacity: int) -> list[int]:
    lengths = np.random.default_rng(0).lognormal(np.log(median), sigma, 20_000)
    return np.clip(lengths, 16, capacity).astype(int).tolist()


@pytest.mark.parametrize(
    ("capacity", "median", "sigma"), [(8192, 665, 1.0), (8192, 300, 1.2), (8192, 1500, 0.8), (32768, 3000, 0.7)]
)
@pytest.mark.parametrize("window", [256, 512])
def test_few_places_are_empty(capacity, median, sigma, window):
    lengths = log_normal(median, sigma, capacity)
    packs = packs_of(lengths, capacity, window)
    efficiency = sum(lengths) / len(packs) / capacity
    print(f"{len(lengths)} log-normal lengths, mean {np.mean(lengths):.0f}, window {window}: {efficiency:.4f}")
    assert efficiency >= 0.98


def test_long_documents_are_neither_late_nor_rare():
    """After each tenth of the packs the longest tenth has its share of the documents packed, but for a window."""
    lengths, window = log_normal(665, 1.0, 8192), 256
    packs, limit = packs_of(lengths, 8192, window), np.quantile(lengths, 0.9)
    long = sum(length >= limit for length in lengths) / len(lengths)
    for tenth in range(1, 10):
        packed = [lengths[number] for pack in packs[: len(packs) * tenth // 10] for number in pack]
        assert abs(sum(length >= limit for length in packed) - long * len(packed)) < window
    waits = [max(pack) - min(pack) for pack in packs]
    assert max(waits) < 20 * window


def test_a_document_that_fits_no_pack_is_refused():
    with pytest.raises(ValueError, match=r"expected a document of 1\.\.8 tokens, found 9"):
        Packer(8, 2).put(9, "x")
    with pytest.raises(ValueError, match="found 0"):
        Packer(8, 2).put(0, "x")
    with pytest.raises(IndexError):
        Packer(8, 2).take()


def picture_document(text: int, grid: tuple[int, int, int], after: int, key: str = "p") -> TokenSample:
    """`text` tokens, a picture, `after` tokens."""
    tokens = grid[0] * grid[1] * grid[2] // 4
    kinds = np.repeat(np.array([0, 1, 0], np.int8), [text, tokens, after])
    ids = np.where(kinds, 99, np.arange(len(kinds)) % 50).astype(np.int32)
    weights = np.where(kinds, 0, 1).astype(np.float32)
    weights[0] = 0
    patches = (np.full((tokens * 4, 3), text, np.float32),)
    return TokenSample("s", key, ids, weights, np.array([grid], np.int32), patches, kinds)


def test_a_pack_is_its_documents_side_by_side():
    documents = [document("a", "x", 3), picture_document(2, (1, 2, 4), 2), document("b", "y", 1)]
    pack = build_pack(documents, Padding(12, 7), flat_positions)
    assert pack.input_ids.tolist() == [0, 1, 2, 0, 1, 99, 99, 4, 5, 0, 7, 7]
    gone = NOT_TRAINED
    assert pack.labels.tolist() == [1, 2, gone, 1, gone, gone, 4, 5, gone, gone, gone, gone]
    assert pack.weights.tolist() == [1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    assert pack.bounds.tolist() == [0, 3, 9, 10, 12]
    assert pack.positions[0].tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5, 0, 0, 1]
    assert pack.grids.tolist() == [[1, 2, 4]] and pack.patches.shape == (8, 3)
    assert (pack.sources, pack.keys) == (("a", "s", "b"), ("x", "p", "y"))
    types = [getattr(pack, name).dtype for name in ("input_ids", "labels", "weights", "positions", "bounds", "grids")]
    assert types == [np.int32, np.int32, np.float32, np.int32, np.int32, np.int32]


def test_a_full_pack_has_no_padding():
    pack = build_pack([document("a", "x", 3), document("a", "y", 2)], Padding(5, 7), flat_positions)
    assert pack.bounds.tolist() == [0, 3, 5] and pack.patches.shape == (0, 1176)
    with pytest.raises(ValueError, match="expected at most 4 tokens, found 5"):
        build_pack([document("a", "x", 3), document("a", "y", 2)], Padding(4, 7), flat_positions)


def test_a_long_document_is_cut_at_ends_of_paragraphs():
    sample = document("a", "x", 30)  # tokens 0..29; 4, 9, 19 end paragraphs
    pieces = cut_sample(sample, 12, (4, 9, 19))
    assert [piece.input_ids.tolist() for piece in pieces] == [list(range(10)), list(range(10, 20)), list(range(20, 30))]
    assert [piece.weights.tolist() for piece in pieces] == [[0, *[1] * 9]] * 3


def test_a_document_without_a_border_is_not_cut():
    assert cut_sample(document("a", "x", 30), 12, (4, 9)) is None


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 12), st.integers(4, 24))
def test_no_cut_goes_through_a_picture(text, size, after, capacity):
    sample = picture_document(text, (1, 2, 2 * size), after)
    pieces = cut_sample(sample, capacity, tuple(range(50)))  # every text token is a border
    if size >= capacity:  # one text token has to follow, to end the piece
        assert pieces is None
        return
    assert np.concatenate([piece.input_ids for piece in pieces]).tolist() == sample.input_ids.tolist()
    assert all(len(piece.input_ids) <= capacity for piece in pieces)
    shown = [piece for piece in pieces if piece.kinds.any()]
    assert [piece.kinds.sum() for piece in shown] == [size]
    assert [len(piece.patches) for piece in pieces] == [int(piece.kinds.any()) for piece in pieces]
    assert [piece.grids.tolist() for piece in shown] == [sample.grids.tolist()]
