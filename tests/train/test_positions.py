"""Positions against the library's get_rope_index and its vision positions, on random documents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.positions import document_positions, patch_positions, picture_bounds

pytest.importorskip("transformers")

GRIDS = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)).map(lambda g: (g[0], 2 * g[1], 2 * g[2]))
# A picture always stands between its begin and end marks, so text is between any two.
PARTS = st.lists(st.tuples(st.integers(1, 12), GRIDS), max_size=6)


@pytest.fixture(scope="module")
def library():
    from transformers import Glm4vModel

    from train.presets import build_empty, library_config

    model = build_empty(library_config("tiny")).model
    assert isinstance(model, Glm4vModel)
    return model


def document(parts, tail):
    kinds, grids = [], []
    for text, grid in parts:
        kinds += [0] * text + [1] * (grid[0] * grid[1] * grid[2] // 4)
        grids.append(grid)
    return np.array(kinds + [0] * tail, np.int8), np.array(grids, np.int32).reshape(-1, 3)


@given(PARTS, st.integers(1, 12))
def test_positions_are_the_librarys(library, parts, tail):
    import torch

    kinds, grids = document(parts, tail)
    types = torch.from_numpy(kinds).long()[None]
    wanted, _ = library.get_rope_index(torch.zeros_like(types), types, torch.from_numpy(grids).long())
    found = document_positions(kinds, grids)
    assert found.dtype == np.int32 and found.shape == (4, len(kinds))
    np.testing.assert_array_equal(found[0], np.arange(len(kinds)))
    np.testing.assert_array_equal(found[1:], wanted[:, 0].numpy())


@given(st.integers(1, 5), GRIDS.map(lambda grid: (1, *grid[1:])))
def test_frames_of_a_video_are_pictures(library, pairs, grid):
    """The library's video token types and one grid of t = pairs give what one grid of t = 1 a pair gives."""
    import torch

    kinds, grids = document([(2, grid)] * pairs, 1)
    types = torch.from_numpy(kinds).long()[None] * 2
    video = torch.tensor([[pairs, *grid[1:]]])
    wanted, _ = library.get_rope_index(torch.zeros_like(types), types, video_grid_thw=video)
    np.testing.assert_array_equal(document_positions(kinds, grids)[1:], wanted[:, 0].numpy())


@given(st.lists(GRIDS, min_size=1, max_size=5))
def test_places_of_patches_and_borders_of_pictures_are_the_librarys(grids):
    import torch
    from transformers.vision_utils import get_vision_cu_seqlens, get_vision_position_ids

    theirs = torch.tensor(grids)
    np.testing.assert_array_equal(patch_positions(np.array(grids)), get_vision_position_ids(theirs, 2).numpy())
    np.testing.assert_array_equal(picture_bounds(np.array(grids)), get_vision_cu_seqlens(theirs).numpy())


def test_a_picture_by_hand():
    found = document_positions(np.array([0, 1, 1, 0]), np.array([[1, 2, 4]]))
    assert found.tolist() == [[0, 1, 2, 3], [0, 1, 1, 3], [0, 1, 1, 3], [0, 1, 2, 3]]


def test_two_pictures_without_text_between_are_two():
    found = document_positions(np.array([1, 1, 0]), np.array([[1, 2, 2], [1, 2, 2]]))
    assert found[1:].tolist() == [[0, 1, 2]] * 3


def test_text_alone_and_a_document_of_one_token():
    none = np.zeros((0, 3), np.int32)
    assert document_positions(np.zeros(3, np.int8), none).tolist() == [[0, 1, 2]] * 4
    assert document_positions(np.zeros(1, np.int8), none).tolist() == [[0]] * 4
    assert patch_positions(none).shape == (0, 2) and picture_bounds(none).tolist() == [0]


@pytest.mark.parametrize(
    ("kinds", "grids", "message"),
    [
        ([0, 1, 0], [[1, 2, 4]], "expected 2 picture tokens for 1 grids, found 1"),
        ([1, 0, 1], [[1, 2, 4]], "next to each other"),
        ([1], [[1, 2, 3]], "even height and width"),
    ],
)
def test_what_does_not_fit_is_refused(kinds, grids, message):
    with pytest.raises(ValueError, match=message):
        document_positions(np.array(kinds), np.array(grids))
