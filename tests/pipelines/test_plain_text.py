"""What a pool may write into a terminal."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipelines.plain_text import number, plain


def test_an_escape_sequence_is_shown_and_not_obeyed():
    assert plain("a\x1b[31mb\x9bc") == "a\\x1b[31mb\\x9bc"


def test_a_caption_is_one_line():
    assert plain("a\nb\tc\u2028d") == "a\\nb\\tc\\u2028d"


def test_reordering_characters_are_shown():
    assert plain("\u202eevil\u2066") == "\\u202eevil\\u2066"


def test_scripts_that_need_joiners_stay_whole():
    assert plain("می‌خواهم 👩‍🚀") == "می‌خواهم 👩‍🚀"


def test_a_long_text_is_cut_and_says_so():
    assert plain("abcdef", 3) == "abc…"


@given(st.text())
def test_no_control_character_survives(text):
    assert not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in plain(text))


def test_numbers_keep_every_measured_digit():
    assert [number(value) for value in (89_478_485, 0.0312, 3.0, 200, -0.5, "en")] == [
        "89,478,485",
        "0.0312",
        "3",
        "200",
        "-0.5",
        "en",
    ]
