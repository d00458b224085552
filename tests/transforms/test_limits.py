"""A value at the limit stays, one beyond it goes with both numbers, one never measured is not judged."""

from transforms.limits import check_above, check_below
from transforms.records import Drop, Text

TEXT = Text("a", measures={"words": 3, "language": "en"})


def test_at_the_limit_a_piece_stays():
    assert check_below(TEXT, "words", 3, "too_few") is None
    assert check_above(TEXT, "words", 3, "too_many") is None


def test_beyond_the_limit_it_goes_with_both_numbers():
    assert check_below(TEXT, "words", 4, "too_few") == Drop("too_few", 3, 4)
    assert check_above(TEXT, "words", 2, "too_many") == Drop("too_many", 3, 2)


def test_what_was_not_measured_is_not_judged():
    assert check_below(TEXT, "characters", 4, "too_short") is None
    assert check_above(TEXT, "language", 4, "not_a_number") is None
