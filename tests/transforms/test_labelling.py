"""What to label next: the doubtful ones, spread out, in a fixed order."""

import numpy as np
import pytest

from transforms.labelling import measure_uncertainty, most_uncertain, pick_next

EAST, NORTH, WEST = (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)
CLOSE = (0.9998, 0.02)
"""To the east but for one degree."""


def test_uncertainty_is_zero_where_sure_and_one_where_open():
    shares = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    assert measure_uncertainty(shares, "margin").tolist() == [0.0, 1.0, 0.7, 1.0]
    assert measure_uncertainty(shares, "entropy").tolist() == [0.0, 0.6309, 0.8173, 1.0]


def test_the_most_doubtful_comes_first_and_its_like_does_not_follow():
    embeddings = np.array([EAST, CLOSE, NORTH, WEST])
    assert pick_next(np.array([1.0, 0.99, 0.3, 0.2]), embeddings, 3) == [0, 3, 2]


def test_a_sure_picture_and_an_equal_one_are_never_picked():
    embeddings = np.array([EAST, EAST, NORTH])
    assert pick_next(np.array([0.5, 0.9, 0.0]), embeddings, 3) == [1]


def test_what_is_labelled_already_pushes_its_like_back():
    embeddings = np.array([CLOSE, NORTH])
    doubt = np.array([1.0, 0.1])
    assert pick_next(doubt, embeddings, 1) == [0]
    assert pick_next(doubt, embeddings, 1, known=np.array([EAST])) == [1]


def test_of_equals_the_first_row_is_picked():
    assert pick_next(np.array([0.5, 0.5, 0.5]), np.array([EAST, NORTH, WEST]), 2) == [0, 2]


def test_candidates_keep_the_order_of_rows():
    assert most_uncertain(np.array([0.1, 0.9, 0.5, 0.9, 0.9]), 3).tolist() == [1, 3, 4]
    assert most_uncertain(np.array([0.1, 0.9]), 9).tolist() == [0, 1]


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_are_no_trouble(rows):
    assert pick_next(np.ones(rows), np.array([EAST] * rows).reshape(rows, 2), 5) == list(range(rows))
