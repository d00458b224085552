"""The guard's rules, one reason a test; whole judgements are in test_guard_cases.py."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.recaption import GuardRules
from recaption.captioner import Answer
from recaption.fact_guard import measure_recaption, wanted_language, with_clip
from recaption.text_faults import is_boilerplate, is_refusal, measure_repetition, wrong_language
from transforms.recaptions import CHECKS, check_recaption
from transforms.records import Drop, Text

GOOD = "Two dogs run along a beach in Paris."


def judge(refined, original="Two dogs in Paris", *, finish="stop", clip=None, evidence=(), **rules):
    measures = measure_recaption(Answer(refined, finish), [original], evidence)
    if clip:
        measures = with_clip(measures, *clip)
    return check_recaption(Text(refined, measures=measures), GuardRules.model_validate(rules))


def test_a_drop_says_value_limit_and_which_fact():
    assert judge(GOOD) is None
    lost = Drop("recaption_fact_lost", 2, 0, "number Two; place Paris")
    assert judge("Three dogs run along a beach.") == lost
    assert judge("Three dogs run along a beach.", max_facts_lost=2) is None
    added = Drop("recaption_fact_unsupported", 1, 0, "name Anna")
    assert judge("Two dogs of Anna run along a beach in Paris.") == added
    assert judge("Two dogs of Anna run along a beach in Paris.", evidence=["ANNA'S DOGS"]) is None


def test_clip_supports_what_a_picture_shows_and_nothing_else():
    quote, name = 'Two dogs in Paris beside a sign "STOP".', "Two dogs of Anna in Paris on a beach."
    assert judge(quote, clip=(0.25, 0.27)) is None
    assert judge(quote, clip=(0.25, 0.26)).rule == "recaption_fact_unsupported"
    assert judge(name, clip=(0.25, 0.35)).rule == "recaption_fact_unsupported"


def test_the_score_may_fall_by_the_margin_and_no_more():
    assert judge(GOOD, clip=(0.30, 0.28)) is None
    assert judge(GOOD, clip=(0.30, 0.2799)) == Drop("recaption_clip_drop", -0.0201, -0.02)


def test_a_text_cut_at_its_length_is_truncated_however_it_ends():
    assert judge(GOOD, finish="length").rule == "recaption_truncated"
    assert judge(GOOD.rstrip(".")).rule == "recaption_truncated"


def test_lengths():
    assert judge("A dog.", "a dog") == Drop("recaption_too_short", 6, 10)
    assert judge(GOOD, max_characters=30) == Drop("recaption_too_long", 36, 30)


def test_a_measure_that_was_not_taken_does_not_fire():
    assert [check(Text("x"), GuardRules()) for check in CHECKS] == [None] * len(CHECKS)


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        ("一个男人在河边", "en", "zh"),
        ("A man walks", "zh", "not zh"),
        ("Ein Hund.", "en", ""),
        ("Ein Mann geht mit seinem Hund am Ufer des Flusses spazieren.", "en", "de"),
        ("红色的Ferrari跑车", "zh", ""),
        ("川のそばの犬です", "zh", "ja"),
        ("Ein Mann geht mit seinem Hund am Ufer des Flusses spazieren.", "", ""),
    ],
)
def test_languages(text, wanted, found):
    assert wrong_language(text, wanted, 40) == found


def test_the_language_wanted_is_that_of_the_originals():
    assert wanted_language(["西湖的日落"]) == "zh"
    assert wanted_language(["IMG_0032.jpg 小狗"]) == "zh"
    assert wanted_language(["Poole"]) == "en"
    assert wanted_language(["Ein Mann geht mit seinem Hund am Ufer des Flusses spazieren."]) == ""
    assert wanted_language(["Beijing hutong 北京胡同"]) == ""


def test_what_only_looks_like_a_refusal_or_a_stock_opening():
    assert not is_refusal("A man helps a child. I can see the sea, says the sign.")
    assert not is_boilerplate("A picture frame hangs above the image of a saint, showing a gold rim.")
    assert not is_boilerplate("A black and white photograph of a steam train.")
    assert not is_boilerplate("A low-angle shot shows a tower.")
    assert not is_boilerplate("图书馆里坐满了学生。")


def test_repetition_by_words_and_by_characters():
    assert measure_repetition("a b c d e f g h") == 0.0
    assert measure_repetition("the red dog runs. " * 4) > 0.6
    assert measure_repetition("一只小猫在窗台上睡觉，" * 4) > 0.6


@pytest.mark.parametrize(
    "piece", ["1,", "a.", "a-", "100x", "a@", '"', "张", "#", "two ", "i do ", "the image ", "(c) "]
)
def test_time_is_linear_in_the_text(piece):
    """4,000 characters is the longest original there is; a quadratic pattern took 2.9 s for one."""
    text = piece * (4000 // len(piece))
    started = time.process_time()
    measure_recaption(Answer(text), [text])
    assert time.process_time() - started < 0.5


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_can_be_judged(refined, original):
    measures = measure_recaption(Answer(refined), [original])
    check_recaption(Text(refined, measures=measures), GuardRules())
