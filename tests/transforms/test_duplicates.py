"""Exact duplicates: which copy stays, that order does not matter, and who is not asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from configs.schema.caption import DuplicateRules
from transforms.duplicates import ExactDuplicates, check_duplicate
from transforms.matching import match_in_memory
from transforms.records import Drop, Failure, Picture, Sample, Span, Text

SPAN = Span("a.tar", 0, 9, "tar")
DROP = Drop("caption_too_short", 3, 6)


def pair(key: str, caption: str = "", side: int = 10, pixels: bytes = b"p" * 16, sha256: bytes = b"") -> Sample:
    picture = Picture(SPAN, "jpeg", side, side, sha256 or key.encode().ljust(32, b"."), pixels)
    return Sample(key, "a.tar", 0, 0, (picture, Text(caption)))


def kept_of(*samples: Sample, of: str = "pixels") -> list[str]:
    """Keys of the rows no rule drops, after matching and checking them in this order."""
    rules = DuplicateRules(of=of)
    rows = [replace(sample, position=position) for position, sample in enumerate(samples)]
    found = match_in_memory(rows, ExactDuplicates(rules), [0] * len(rows))
    return [row.key for row in found if row.alive and check_duplicate(row, rules) is None]


@pytest.mark.parametrize(
    ("samples", "kept"),
    [
        ([pair("a", "long caption", 10), pair("b", "short", 11)], "b"),
        ([pair("a", "short"), pair("b", "long caption")], "b"),
        ([pair("b", "same"), pair("a", "same")], "a"),
        ([pair("k~2", "same"), pair("k", "same"), pair("k~3", "same")], "k"),
    ],
    ids=["largest", "longest caption", "smallest key", "first of equal keys"],
)
def test_one_copy_stays(samples, kept):
    assert kept_of(*samples) == [kept]
    assert kept_of(*reversed(samples)) == [kept]


COPIES = st.builds(
    pair, st.text("abc", min_size=1), st.text(max_size=3), st.integers(1, 3), st.sampled_from([b"p", b"q"])
)


@given(st.lists(COPIES, unique_by=lambda sample: sample.key), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order(samples, random):
    shuffled = random.sample(samples, len(samples))
    assert sorted(kept_of(*samples)) == sorted(kept_of(*shuffled))


@given(st.lists(COPIES, unique_by=lambda sample: sample.key))
def test_one_of_each_picture_stays(samples):
    assert len(kept_of(*samples)) == len({sample.pieces[0].pixels for sample in samples})


def test_every_copy_learns_how_many_there_are_and_which_stays():
    rows = match_in_memory(
        [pair("a"), pair("b", "x"), pair("c", pixels=b"q")], ExactDuplicates(DuplicateRules()), [0, 1, 2]
    )
    assert [row.measures for row in rows] == [{"copies": 2, "duplicate_of": "b"}] * 2 + [{}]


def test_the_drop_names_the_copy_that_stays():
    row = replace(pair("a"), measures={"copies": 3, "duplicate_of": "b"})
    assert check_duplicate(row, DuplicateRules()) == Drop("image_duplicate", 3, 1, "b")


@pytest.mark.parametrize("measures", [{}, {"copies": 3, "duplicate_of": "a"}])
def test_a_single_picture_and_the_chosen_copy_stay(measures):
    assert check_duplicate(replace(pair("a"), measures=measures), DuplicateRules()) is None


def test_the_rule_may_be_off():
    row = replace(pair("a"), measures={"copies": 3, "duplicate_of": "b"})
    assert check_duplicate(row, DuplicateRules(enabled=False)) is None


@pytest.mark.parametrize("fate", [{"drop": DROP}, {"failure": Failure("TarBroken", "", "")}])
def test_rows_that_are_gone_keep_no_other_out(fate):
    assert kept_of(replace(pair("a", side=99), **fate), pair("b")) == ["b"]


def test_equal_pixels_in_other_bytes_are_copies_only_by_pixels():
    samples = [pair("a"), pair("b")]
    assert kept_of(*samples, of="pixels") == ["a"]
    assert kept_of(*samples, of="bytes") == ["a", "b"]


def test_a_picture_that_was_not_decoded_is_known_by_its_bytes():
    samples = [pair("a", pixels=b"", sha256=b"s" * 32), pair("b", pixels=b"", sha256=b"s" * 32), pair("c", pixels=b"")]
    assert kept_of(*samples) == ["a", "c"]


def test_a_dropped_caption_does_not_lengthen_its_copy():
    long = Text("a very long caption", drop=DROP)
    first = replace(pair("a"), pieces=(pair("a").pieces[0], long, Text("x")))
    assert kept_of(first, pair("b", "xyz")) == ["b"]


def test_a_row_without_a_picture_meets_nobody():
    assert list(ExactDuplicates(DuplicateRules()).candidates(Sample("a", "a.tar", 0, 0, (Text("x"),)))) == []
