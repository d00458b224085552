"""Concept matching: the cases of MetaCLIP's rules one by one, then equal to them on drawn and on real captions."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.matched_concepts import (
    by_set,
    expected_matches,
    naive,
    padded,
    real_captions,
    real_captions_only,
    spaced,
)
from transforms.concepts import Concepts, can_match, count_entries, pattern_of, space_text
from transforms.vocabulary import Entry, make_vocabulary
from transforms.vocabulary_captions import NgramRules, caption_entries

CHINESE = ["花", "花园", "红色的花", "天空", "猫", "在花园里", "的", "，", "北京", "dog", "三轮车", "ดอกไม้", "Qiu 花"]


def concepts_of(entries, padding="metaclip1"):
    return Concepts(make_vocabulary([Entry(entry) for entry in entries]), padding)


def named(caption, entries, padding="metaclip1"):
    return [entries[i] for i in concepts_of(entries, padding).match([caption]).of(0)]


def test_entries_inside_longer_ones_count_too():
    entries = ["New York City", "York", "New York", "City", "Yor"]
    assert named("New York City at night", entries) == ["New York City", "York", "New York", "City"]


def test_case_and_edges_matter():
    assert named("a catalogue of Cats", ["cat", "Cat", "Cats", "cats", "a"]) == ["Cats", "a"]


def test_signs_of_the_text_are_set_in_spaces():
    assert named("dog,cat;bird!\tfish\nfrog\r", ["dog", "cat", "bird", "fish", "frog", ",", "!"]) == [
        "dog", "cat", "bird", "fish", "frog", ",", "!",
    ]  # fmt: skip


def test_an_entry_counts_once_a_caption():
    assert named("dog dog, dog", ["dog"]) == ["dog"]


def test_two_spaces_are_not_one():
    assert named("red  bus", ["red bus", "red", "bus"]) == ["red", "bus"]


def test_an_entry_with_a_stop_is_found_only_when_spaced_like_the_text():
    entries = ["St. Louis", "St", "Louis", "Mr.", "a,b"]
    assert named("Mr. X in St. Louis: a,b", entries) == ["St", "Louis"]
    assert named("Mr. X in St. Louis: a,b", entries, "metaclip2") == ["St", "Louis"]
    assert named("Mr. X in St. Louis: a,b", entries, "spaced") == entries
    assert [can_match(entry, "metaclip1") for entry in entries] == [False, True, True, False, False]
    assert all(can_match(entry, "spaced") for entry in entries)


def test_chinese_needs_no_spaces_in_the_second_version():
    caption = "红色的花在花园里， Qiu 花 dog"
    assert named(caption, CHINESE) == ["花", "dog", "Qiu 花"]
    assert named(caption, CHINESE, "metaclip2") == ["花", "花园", "红色的花", "在花园里", "的", "，", "dog", "Qiu 花"]


def test_nothing_matches_across_captions():
    found = concepts_of(["red bus", "red", "bus", "花园"], "metaclip2").match(["red", "bus", "", "花", "园"])
    assert [found.of(i).tolist() for i in range(5)] == [[1], [2], [], [], []]


def test_no_captions_and_empty_captions():
    concepts = concepts_of(["red"])
    assert concepts.match([]).offsets.tolist() == [0]
    assert concepts.match(["", " "]).offsets.tolist() == [0, 0, 0]


def test_ids_are_int32_and_rising_and_passes_do_not_show(monkeypatch):
    captions = [f"b a {'x ' * (i % 7)}" for i in range(50)]
    whole = concepts_of(["a", "b", "x"]).match(captions)
    monkeypatch.setattr("transforms.concepts.PASS_BYTES", 30)
    parts = concepts_of(["a", "b", "x"]).match(captions)
    assert whole.ids.dtype == np.int32 and whole.offsets.dtype == np.int64
    assert (whole.ids.tolist(), whole.offsets.tolist()) == (parts.ids.tolist(), parts.offsets.tolist())
    assert all((np.diff(whole.of(i)) > 0).all() for i in range(50))


def test_counts_are_one_dense_vector():
    found = concepts_of(["a", "b", "c"]).match(["a b", "a", "d"])
    assert count_entries(found.ids, 3).tolist() == [2, 1, 0]


TEXT = st.text("ab ,.!`\t\n花园ก«", max_size=12)
ENTRY = st.text("ab ,.!`花园ก«", min_size=1, max_size=5).filter(lambda entry: entry == entry.strip(" "))


@pytest.mark.parametrize("version", [1, 2])
@given(st.lists(TEXT, max_size=5), st.lists(ENTRY, min_size=1, max_size=8, unique=True))
def test_equal_to_the_rules_by_the_letter(version, captions, entries):
    found = concepts_of(entries, f"metaclip{version}").match(captions)
    assert [found.of(i).tolist() for i in range(len(captions))] == [naive(c, entries, version) for c in captions]
    lengths = sorted({len(padded(entry, version)) for entry in entries})
    patterns = {padded(entry, version): i for i, entry in enumerate(entries)}
    assert [by_set(c, patterns, lengths) for c in captions] == [naive(c, entries, version) for c in captions]


@given(TEXT, ENTRY)
def test_what_is_said_never_to_match_never_does(text, entry):
    for padding in ("metaclip1", "metaclip2", "spaced"):
        assert can_match(entry, padding) or pattern_of(entry, padding) not in space_text(text)


@given(ENTRY)
def test_a_spaced_entry_is_found_in_itself(entry):
    assert pattern_of(entry, "spaced") in space_text(entry)


@given(st.lists(ENTRY, unique=True))
def test_different_entries_have_different_patterns(entries):
    for padding in ("metaclip1", "metaclip2", "spaced"):
        assert len({pattern_of(entry, padding) for entry in entries}) == len(entries)


def _filled(entries, size):
    """With made-up entries beside, so that the automaton is as large as a real one."""
    made = (f"{a}{n} {b}" for n in range(size) for a, b in [("ka", "ton"), ("mi", "New")])
    return [*entries, *(next(made) for _ in range(size - len(entries)))]


@pytest.fixture(scope="module")
def captions() -> list[str]:
    return real_captions()


@pytest.fixture(scope="module")
def words(captions) -> list[str]:
    """All that the captions themselves name at least twice."""
    rules = NgramRules(max_words=3, min_count=2, min_pmi=-100.0, min_proper_count=2)
    return list(dict.fromkeys(found.entry for found in caption_entries(captions, rules)))


@pytest.mark.slow
@pytest.mark.real_data
@real_captions_only
@pytest.mark.parametrize("version", [1, 2])
def test_real_captions(version, captions, words):
    """All 123,000 and 200,000 entries, under MetaCLIP's first rules, and with Chinese ones under the second."""
    entries = _filled(list(dict.fromkeys([*(CHINESE if version == 2 else []), *words]))[:180_000], 200_000)
    found = concepts_of(entries, f"metaclip{version}").match(captions)
    patterns = [padded(entry, version) for entry in entries]
    expected = expected_matches(captions, patterns)
    for i, caption in enumerate(captions):
        assert found.of(i).tolist() == expected[i], caption
    counts = np.bincount(np.fromiter(chain.from_iterable(expected), np.int64), minlength=len(entries))
    assert (count_entries(found.ids, len(entries)) == counts).all()
    assert found.offsets[-1] > 1_000_000
    chinese = [i for i, caption in enumerate(captions) if any("\u4e00" <= c <= "\u9fff" for c in caption)]
    sample = chinese if version == 2 else range(len(captions))
    assert len(sample) > 60
    for i in sample[:: len(sample) // 60]:
        text = spaced(captions[i])
        assert found.of(i).tolist() == [j for j, pattern in enumerate(patterns) if pattern in text]
