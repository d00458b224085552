"""Boilerplate captions: counted over different pictures, case, spacing and punctuation aside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from configs.schema.caption import BoilerplateRules
from transforms.matching import match_in_memory
from transforms.records import Drop, Failure, Picture, Sample, Span, Text, texts
from transforms.shared_captions import SharedCaptions, check_boilerplate, normal_caption


def pair(picture: str, *captions: str) -> Sample:
    source = Picture(Span("a.tar", 0, 9, "tar"), pixels=picture.encode())
    return Sample("k", "a.tar", 0, 0, (source, *map(Text, captions)))


def counts(*samples: Sample) -> list[list[int]]:
    """For each row, for each caption, the pictures that share it."""
    rows = [replace(sample, position=position) for position, sample in enumerate(samples)]
    found = match_in_memory(rows, SharedCaptions(), [0] * len(rows))
    return [[int(text.measures.get("caption_pictures", 1)) for text in texts(row)] for row in found]


def test_different_pictures_under_one_caption_are_counted():
    assert counts(pair("1", "Click!"), pair("2", "Click!"), pair("3", "a red bus")) == [[2], [2], [1]]


@pytest.mark.parametrize(
    "other", ["CLICK here", " click\n here ", "click here!", "'click here'", "“click here”", "Click　here。"]
)
def test_case_spacing_and_punctuation_are_folded(other):
    assert counts(pair("1", "click here"), pair("2", other)) == [[2], [2]]


def test_copies_of_a_picture_count_once():
    assert counts(pair("1", "Click!"), pair("1", "Click!")) == [[1], [1]]
    assert counts(pair("1", "Click!"), pair("1", "Click!"), pair("2", "Click!")) == [[2]] * 3


def test_failed_rows_do_not_count():
    failed = replace(pair("2", "Click!"), failure=Failure("PictureUndecodable", "", ""))
    assert counts(pair("1", "Click!"), failed) == [[1], [1]]


def test_rows_that_a_rule_dropped_count():
    dropped = replace(pair("2", "Click!"), drop=Drop("image_too_small", 63, 200))
    assert counts(pair("1", "Click!"), dropped) == [[2], [2]]


def test_each_caption_of_a_row_has_its_own_count():
    assert counts(pair("1", "one", "two"), pair("2", "two", "three"), pair("3", "two", "one")) == [
        [2, 3],
        [3, 1],
        [3, 2],
    ]


def test_a_caption_twice_under_one_picture_counts_once():
    assert counts(pair("1", "same", "same")) == [[1, 1]]


def test_captions_without_a_word_meet_nobody():
    assert counts(pair("1", " ... "), pair("2", "")) == [[1], [1]]


def test_a_row_without_a_picture_does_not_count():
    bare = Sample("k", "a.tar", 0, 0, (Text("Click!"),))
    assert counts(pair("1", "Click!"), bare) == [[1], [1]]


def test_a_picture_that_was_not_decoded_is_known_by_its_bytes():
    rows = [pair("", "Click!") for _ in range(2)]
    hashed = [
        replace(row, pieces=(replace(row.pieces[0], sha256=bytes([i]) * 32), row.pieces[1]))
        for i, row in enumerate(rows)
    ]
    assert counts(*hashed) == [[2], [2]]


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert normal_caption(normal_caption(text)) == normal_caption(text)


@pytest.mark.parametrize(
    ("found", "rules", "drop"),
    [
        (10, {}, None),
        (11, {}, Drop("caption_boilerplate", 11, 10)),
        (11, {"enabled": False}, None),
        (2, {"max_pictures": 1}, Drop("caption_boilerplate", 2, 1)),
    ],
)
def test_more_pictures_than_the_limit_are_the_reason(found, rules, drop):
    text = Text("Click!", measures={"caption_pictures": found})
    assert check_boilerplate(text, BoilerplateRules(**rules)) == drop


def test_a_caption_without_a_count_has_one_picture():
    assert check_boilerplate(Text("Click!"), BoilerplateRules(max_pictures=1)) is None
