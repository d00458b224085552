"""Redundant thoughts: repeated sentences and runs, doubt after doubt; short texts are not judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.responses_repetition import measure_repetition

SENTENCES = [f"The {name} square stands in row {n} of the picture." for n, name in enumerate("abcdefghijkl")]


def test_a_text_of_few_words_is_not_judged():
    assert measure_repetition("It is red. It is red. It is red.") == {}


def test_a_sound_thought_repeats_nothing():
    found = measure_repetition(
        " ".join(f"{sentence} So far that makes {n + 1}." for n, sentence in enumerate(SENTENCES))
    )
    assert found == {"repeated_sentences": 0.0, "repeated_runs": 0.0, "hesitations": 0.0}


def test_repeated_sentences_and_runs():
    found = measure_repetition("I count the first row of the picture from left to right again. " * 5)
    assert found["repeated_sentences"] == 0.8
    assert found["repeated_runs"] > 0.7


def test_half_of_the_sentences_come_twice():
    text = " ".join([*SENTENCES[:6], *SENTENCES[:6]])
    assert measure_repetition(text)["repeated_sentences"] == 0.5


@pytest.mark.parametrize(
    "doubt",
    [
        "Wait, is that so?",
        "Hmm, let me see.",
        "Let me double-check this.",
        "Let me look at it again.",
        "等等，不对。",
        "让我重新数一遍。",
    ],
)
def test_doubts_are_counted(doubt):
    found = measure_repetition("\n".join(f"{doubt}\n{sentence}" for sentence in SENTENCES))
    assert found["hesitations"] == pytest.approx(0.5, abs=0.2)


def test_decimals_do_not_end_sentences():
    text = "The side is 3.5 and the other is 2.5 so that the area of the whole is 8.75 square metres in all."
    assert measure_repetition(text)["repeated_sentences"] == 0


@given(st.text(max_size=400))
def test_any_text_is_measured(text):
    assert all(0 <= float(value) <= 1 for value in measure_repetition(text * 3).values())
