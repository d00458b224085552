"""Classes of pictures: what heads say stands on the picture, and the rule reads only that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.strict import ConfigError
from configs.schema.web import PictureClassRules
from transforms.picture_classes import (
    apply_classes,
    check_class,
    class_measures,
    class_probabilities,
    is_unjudged,
)
from transforms.records import Drop, Picture, Sample, Span, Text

SPAN = Span("a.warc", 0, 9, "warc")
RULES = PictureClassRules(enabled=True, max_probability={"advert": 0.5, "logo": 0.2})


def picture(**probabilities: float) -> Picture:
    return Picture(SPAN, measures=class_measures("class", probabilities) if probabilities else {})


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.floats(0, 1), min_size=1, max_size=6))
def test_what_stands_on_a_picture_gives_the_probabilities_back(probabilities):
    found = Picture(SPAN, measures={"class_of_another": 1.0} | class_measures("head", probabilities))
    assert class_probabilities(found, "head") == probabilities
    assert probabilities[found.measures["head"]] == max(probabilities.values())


def test_of_equal_probabilities_the_first_class_is_named():
    assert class_measures("class", {"b": 0.5, "a": 0.5}) == {"class_a": 0.5, "class_b": 0.5, "class": "a"}


@pytest.mark.parametrize(
    ("probabilities", "drop"),
    [
        ({"advert": 0.5, "logo": 0.2, "content": 0.3}, None),  # exactly at both limits
        ({"advert": 0.5001, "logo": 0.1, "content": 0.3999}, Drop("picture_class_advert", 0.5001, 0.5)),
        ({"advert": 0.1, "logo": 0.21, "content": 0.69}, Drop("picture_class_logo", 0.21, 0.2)),
        ({"advert": 0.55, "logo": 0.45, "content": 0.0}, Drop("picture_class_advert", 0.55, 0.5)),
        ({"advert": 0.0, "logo": 0.0, "content": 1.0}, None),
        ({}, None),  # never shown to the head
    ],
)
def test_a_picture_goes_by_the_most_probable_class_over_its_limit(probabilities, drop):
    assert check_class(picture(**probabilities), RULES) == drop
    assert check_class(picture(**probabilities), RULES.model_copy(update={"enabled": False})) is None


def test_a_class_that_the_head_does_not_know_is_a_wrong_config():
    with pytest.raises(ConfigError, match=r"max_probability: expected classes of the head \['content'\], found \['adv"):
        check_class(picture(content=1.0), RULES)


def test_answers_go_to_their_pieces():
    asked = Sample("d", "a.warc", 0, 0, (Picture(SPAN), Text("words"), Picture(SPAN)))
    told = apply_classes(asked, [[2, {"class": {"logo": 0.9, "content": 0.1}, "knowledge": {"map": 1.0}}]])
    assert told.pieces[:2] == asked.pieces[:2]
    assert told.pieces[2].measures == {
        "class_content": 0.1, "class_logo": 0.9, "class": "logo", "knowledge_map": 1.0, "knowledge": "map",
    }  # fmt: skip


def test_a_picture_that_stays_and_was_never_shown_is_known():
    gone = Picture(SPAN, drop=Drop("picture_too_small", 1, 150))
    seen = Sample("d", "a.warc", 0, 0, (picture(content=1.0), gone, Text("words")))
    assert not is_unjudged(seen, ["class"]) and is_unjudged(seen, ["class", "knowledge"])
