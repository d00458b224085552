"""Fates: how what rules say of pieces becomes the fate of the row. The first reason stands."""

import pytest
from hypothesis import given

from tests.transforms.random_samples import SAMPLES
from transforms.fates import (
    CAPTION_MISSING,
    forget_fate,
    mark_captions,
    mark_pictures,
    mark_sample,
    settle_pair,
)
from transforms.records import Drop, Failure, Picture, Sample, Span, Text

SMALL = Drop("image_too_small", 63, 200)
SHORT = Drop("caption_too_short", 3, 6)
URL = Drop("caption_url", 1.0, 0.5)
SPAN = Span("a.tar", 0, 9, "tar")
FAILURE = Failure("PictureEmpty", "expected a picture, found zero bytes", "a.tar#1.jpg")


def row(*pieces: Picture | Text, **fate: Drop | Failure) -> Sample:
    return Sample("k", "a.tar", 0, 0, pieces, **fate)


@pytest.mark.parametrize(
    ("pieces", "drop"),
    [
        ((Picture(SPAN), Text("a")), None),
        ((Picture(SPAN, drop=SMALL), Text("a", drop=SHORT)), SMALL),
        ((Text("a", drop=SHORT), Picture(SPAN, drop=SMALL)), SMALL),
        ((Picture(SPAN), Text("a", drop=SHORT), Text("b")), None),
        ((Picture(SPAN), Text("a", drop=URL), Text("b", drop=SHORT)), URL),
        ((Picture(SPAN),), CAPTION_MISSING),
        ((Picture(SPAN), Text("title", role="heading")), CAPTION_MISSING),
    ],
    ids=[
        "sound",
        "picture before caption",
        "in any order",
        "one caption left",
        "first caption's",
        "none",
        "other role",
    ],
)
def test_a_pair_settles(pieces, drop):
    assert settle_pair(row(*pieces)) == drop


def test_a_missing_caption_has_its_own_rule():
    assert CAPTION_MISSING.rule == "caption_missing"


def test_the_first_reason_on_a_piece_stands():
    found = mark_captions(row(Text("a", drop=URL), Text("b")), lambda text: SHORT)
    assert [piece.drop for piece in found.pieces] == [URL, SHORT]


def test_a_rule_is_asked_only_about_its_own_kind():
    sample = row(Picture(SPAN), Text("a"))
    assert [piece.drop for piece in mark_pictures(sample, lambda picture: SMALL).pieces] == [SMALL, None]
    assert [piece.drop for piece in mark_captions(sample, lambda text: SHORT).pieces] == [None, SHORT]


@pytest.mark.parametrize("fate", [{"drop": SMALL}, {"failure": FAILURE}])
def test_rows_that_are_gone_are_not_judged_again(fate):
    def never(_):
        raise AssertionError("asked")

    gone = row(Picture(SPAN), Text("a"), **fate)
    assert mark_pictures(gone, never) == mark_captions(gone, never) == mark_sample(gone, never) == gone


def test_a_row_is_marked_by_a_check_on_the_whole():
    assert mark_sample(row(), lambda sample: SHORT).drop == SHORT
    assert mark_sample(row(), lambda sample: None) == row()


@given(SAMPLES)
def test_forgetting_leaves_measures_and_failures_only(sample):
    found = forget_fate(sample)
    assert found.drop is None and all(piece.drop is None for piece in found.pieces)
    assert found.failure == sample.failure and found.measures == sample.measures
    assert [piece.measures for piece in found.pieces] == [piece.measures for piece in sample.pieces]
    assert forget_fate(found) == found


@given(SAMPLES)
def test_marking_changes_nothing_but_drops(sample):
    found = mark_captions(mark_pictures(sample, lambda picture: SMALL), lambda text: SHORT)
    assert forget_fate(found) == forget_fate(sample)
