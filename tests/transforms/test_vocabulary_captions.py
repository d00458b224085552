"""Entries from captions: what an n-gram is, which are kept, proper nouns, and counts that matching gives as well."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.concepts import Concepts, count_entries
from transforms.vocabulary import Entry, make_vocabulary
from transforms.vocabulary_captions import NgramRules, caption_entries, proper_runs, split_runs

ALL = NgramRules(min_count=1, min_pmi=-100, min_proper_count=1, min_capital_share=0)


def test_runs_end_at_signs_and_at_what_is_no_word():
    runs = split_runs('A dog, "two" cats\tand\nNew York.')
    assert [run for run in runs if run] == [["A", "dog"], ["cats", "and", "New", "York"]]


def test_two_spaces_part_words():
    assert [run for run in split_runs("red  bus") if run] == [["red"], ["bus"]]


def test_scripts_without_spaces_are_cut_by_dictionary():
    assert [run for run in split_runs("红色的花 in 花园") if run] == [["红色", "的", "花"], ["in"], ["花园"]]
    found = [one.entry for one in caption_entries(["红色的花"], ALL)]
    assert {"红色", "花", "红色的", "红色的花"} <= set(found)


def test_capitalised_runs():
    assert runs_of("We saw the Statue of Liberty and the Eiffel Tower") == ["Statue of Liberty", "Eiffel Tower"]
    assert runs_of("Man in Rome") == ["Rome"]
    assert runs_of("Duke of") == []
    assert runs_of("the Duke of") == ["Duke"]


def runs_of(text):
    return list(proper_runs(text.split()))


def test_thresholds():
    captions = ["a hot dog"] * 5 + ["a dog"] * 5 + ["a hot day in Rome"] * 2
    rules = NgramRules(min_count=5, min_pmi=0.4, min_proper_count=2)
    found = {one.entry: (one.kind, one.times) for one in caption_entries(captions, rules)}
    # hot dog: 5 · 12 / (7 · 10) is below 1; a dog: 5 · 12 / (12 · 10).
    assert found == {"a": ("word", 12), "dog": ("word", 10), "hot": ("word", 7), "Rome": ("proper_noun", 2)}
    bound = {one.entry for one in caption_entries(captions, rules._replace(min_pmi=-0.3))}
    assert bound - set(found) == {"hot dog", "a hot", "a hot dog"}


def test_a_word_mostly_in_lower_case_is_no_proper_noun():
    captions = ["the Dog"] * 5 + ["the dog"] * 5 + ["the Pope"] * 5
    proper = [
        one.entry for one in caption_entries(captions, ALL._replace(min_capital_share=0.9)) if one.kind == "proper_noun"
    ]
    assert proper == ["Pope"]


@given(st.lists(st.text("aB c,.'\t", max_size=14), min_size=1, max_size=8))
def test_counts_are_those_of_matching(captions):
    found = {one.entry: one.times for one in caption_entries(captions, ALL) if one.kind != "proper_noun"}
    if found:
        concepts = Concepts(make_vocabulary([Entry(entry) for entry in found]))
        assert count_entries(concepts.match(captions).ids, len(found)).tolist() == list(found.values())
