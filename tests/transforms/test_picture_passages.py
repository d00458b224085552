"""Tests of transforms/picture_passages.py."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from configs.schema.web_rules import PassageRules
from transforms.picture_passages import Passage, assign_pictures, check_passage
from transforms.records import Drop, Picture, Span

RULES = PassageRules(min_score=0.15, window=0)


def assigned(similarities, places, rules=RULES):
    return [told.assigned for told in assign_pictures(np.array(similarities), places, rules)]


def test_each_passage_takes_one_picture_and_the_sum_is_largest():
    assert assigned([[0.9, 0.8], [0.85, 0.2]], [0, 0]) == [1, 0]


def test_more_pictures_than_passages():
    assert assigned([[0.3], [0.5], [0.4]], [0, 0, 1]) == [-1, 0, -1]


def test_score_is_that_of_the_best_passage_whoever_takes_it():
    told = assign_pictures(np.array([[0.9, 0.8], [0.85, 0.2]]), [0, 0], RULES)
    assert told == [Passage(0.9, 0, 1), Passage(0.85, 0, 0)]


def test_a_picture_unlike_all_passages_takes_none_and_keeps_its_score():
    assert assign_pictures(np.array([[0.1, 0.14994], [0.3, 0.2]]), [0, 1], RULES) == [
        Passage(0.1499, 1, -1),
        Passage(0.3, 0, 0),
    ]
    assert assigned([[0.15]], [0]) == [0]


def test_only_passages_around_the_place_are_asked():
    row = [0.9, 0.3, 0.4, 0.8]
    near = PassageRules(min_score=0.15, window=1)
    assert assign_pictures(np.array([row]), [2], near) == [Passage(0.4, 2, 2)]
    assert assign_pictures(np.array([row]), [2], PassageRules(window=2)) == [Passage(0.9, 0, 0)]
    assert sorted(assigned([row, row, row], [2, 2, 2], near)) == [-1, 1, 2]


def test_equal_scores_stay_near():
    assert assigned([[0.5] * 4, [0.5] * 4], [1, 3]) in ([0, 2], [0, 3], [1, 2], [1, 3])
    assert assigned([[0.5] * 4], [4]) == [3]


def test_a_passage_may_take_several():
    several = PassageRules(one_picture=False)
    assert assigned([[0.5, 0.2], [0.6, 0.1], [0.1, 0.1]], [0, 1, 2], several) == [0, 0, -1]


def test_no_passages_and_no_pictures():
    assert assign_pictures(np.empty((2, 0)), [0, 0], RULES) == [Passage(-1.0, -1, -1)] * 2
    assert assign_pictures(np.empty((0, 3)), [], RULES) == []


@pytest.mark.parametrize("similarities", [[[0.1]], [[float("nan")], [0.1]], [0.1, 0.2]])
def test_a_matrix_that_does_not_fit_is_refused(similarities):
    with pytest.raises(ValueError, match="expected finite similarities of 2 pictures"):
        assign_pictures(np.array(similarities), [0, 0], RULES)


@settings(max_examples=60)
@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.floats(-1, 1)))
def test_no_other_assignment_is_better(similarities):
    rules = PassageRules(min_score=-1)
    pictures, passages = similarities.shape
    found = assigned(similarities, [0] * pictures, rules)
    taken = [one for one in found if one >= 0]
    assert len(taken) == len(set(taken)) == min(pictures, passages)
    scores = np.round(similarities * 10_000)
    ours = sum(scores[i, j] for i, j in enumerate(found) if j >= 0)
    wide = scores if pictures <= passages else scores.T
    others = permutations(range(wide.shape[1]), len(wide))
    assert ours == max(sum(wide[i, j] for i, j in enumerate(other)) for other in others)


def test_a_picture_below_the_score_goes():
    span = Span("a.warc", 0, 1, "warc")
    assert check_passage(Picture(span, measures={"passage_score": 0.1499}), RULES) == Drop(
        "picture_passage_score_low", 0.1499, 0.15
    )
    assert check_passage(Picture(span, measures={"passage_score": 0.15}), RULES) is None
    assert check_passage(Picture(span), RULES) is None
