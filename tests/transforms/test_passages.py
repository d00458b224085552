"""Pictures and the passages near them: what is asked, and what a picture is told."""

import pytest

from configs.schema.web import PassageModelRules
from transforms.passages import (
    apply_passages,
    apply_pictures,
    conclude_passages,
    conclude_pictures,
    is_unscored,
    neighbours,
    picture_views,
)
from transforms.records import Drop, Picture, Sample, Span, Text, pictures
from transforms.relevance import PairScores

PICTURE = Picture(Span("a.warc", 0, 9, "warc"))
GONE = Picture(Span("a.warc", 9, 18, "warc"), drop=Drop("picture_too_small", 1, 150))


def document(*pieces: str) -> Sample:
    made = {"P": PICTURE, "x": GONE}
    return Sample("d", "a.warc", 0, 0, tuple(made.get(piece) or Text(piece, "paragraph") for piece in pieces))


@pytest.mark.parametrize(("window", "near"), [(1, [1, 2]), (2, [0, 1, 2, 3]), (0, [0, 1, 2, 3, 4])])
def test_passages_near_a_picture(window, near):
    asked = document("a", "b", "P", "c", "d", "e")
    assert neighbours(asked, 2, PassageModelRules(window=window)) == (2, near)


def test_each_picture_that_stays_is_a_view():
    views = picture_views(document("a", "P", "b", "x", "c", "P"), PassageModelRules(window=1))
    assert [[p.value for p in view.pieces[1:]] for view in views] == [["a", "b"], ["c"]]
    assert [view.pieces[0] for view in views] == [PICTURE, PICTURE]


def test_for_heads_alone_a_view_is_a_picture():
    asked = document("a", "P", "x", "P")
    assert [view.pieces for view in picture_views(asked, None)] == [(PICTURE,), (PICTURE,)]
    told = conclude_pictures(asked, [PairScores(picture=b"1"), PairScores(picture=b"2")], None, embedded=True)
    assert told == ([], [(1, b"1"), (3, b"2")])
    assert apply_pictures(asked, told) == asked


def test_one_look_serves_passages_and_heads():
    asked, rules = document("a", "P"), PassageModelRules()
    answers = [PairScores((0.5,), picture=b"1")]
    assert conclude_pictures(asked, answers, rules, embedded=True) == ([[1, 0.5, 0, 0]], [(1, b"1")])
    assert conclude_pictures(asked, answers, rules, embedded=False) == ([[1, 0.5, 0, 0]], [])


def test_two_pictures_like_one_passage_are_given_to_two():
    asked = document("a", "P", "b", "P", "c")
    scores = [PairScores((0.1, 0.9)), PairScores((0.8, 0.5))]
    told = conclude_passages(asked, scores, PassageModelRules(window=1))
    assert told == [[1, 0.9, 2, 2], [3, 0.8, 2, 4]]
    assert [p.measures for p in pictures(apply_passages(asked, told))] == [
        {"passage_score": 0.9, "passage_best": 2, "passage_assigned": 2},
        {"passage_score": 0.8, "passage_best": 2, "passage_assigned": 4},
    ]


def test_a_picture_without_a_passage_of_its_own_is_given_to_none():
    told = conclude_passages(document("P", "a", "P"), [PairScores((0.2,)), PairScores((0.3,))], PassageModelRules())
    assert told == [[0, 0.2, 1, -1], [2, 0.3, 1, 1]]


def test_a_document_without_passages_tells_nothing():
    assert conclude_passages(document("P"), [PairScores()], PassageModelRules()) == []
    assert not is_unscored(document("P"))


def test_a_picture_that_was_never_shown_is_known():
    asked = document("a", "P")
    assert is_unscored(asked) and not is_unscored(apply_passages(asked, [[1, 0.2, 0, 0]]))
