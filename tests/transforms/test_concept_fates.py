"""Fates by concept balance: measures, rules, what the sample's reason is, and a pool balanced in memory."""

import pytest
from msgspec.structs import replace

from transforms.concept_fates import (
    apply_concepts,
    apply_limit,
    balance_in_memory,
    check_concepts,
    mark_unbalanced,
    open_captions,
)
from transforms.concepts import Concepts
from transforms.records import Drop, Failure, Picture, Sample, Span, Text, texts
from transforms.vocabulary import Entry, make_vocabulary

PICTURE = Picture(Span("pool.tar", 0, 1, "tar"))
NOT_BEST = Drop("caption_not_best", 0.2, 0.3)


def sample_of(*captions, key="a", drop=None):
    pieces = [Text(c) if isinstance(c, str) else c for c in captions]
    return Sample(key, "pool.tar", 0, 0, (PICTURE, *pieces), drop=drop)


def told(concepts, least=0.0, entry=""):
    measures = {"concepts": concepts, "concept_t": least, "concept": entry} if concepts else {"concepts": 0}
    return Text("x", measures=measures)


def test_a_caption_without_an_entry_is_the_reason():
    assert check_concepts(told(0), 20) == Drop("concept_none", 0, 1)


def test_draws_that_all_failed_are_the_reason():
    assert check_concepts(told(3, 25.5, "dog"), 20) == Drop("concept_not_drawn", 25.5, 20, "dog")
    assert check_concepts(told(3, 20.0, "dog"), 20) == Drop("concept_not_drawn", 20.0, 20, "dog")
    assert check_concepts(told(3, 19.9999, "dog"), 20) is None


def test_a_caption_that_was_not_measured_is_not_judged():
    assert check_concepts(Text("x"), 20) is None


def test_only_open_captions_of_living_rows_are_asked():
    sample = sample_of("one", Text("two", drop=NOT_BEST), "three")
    assert open_captions(sample) == ["one", "three"]
    assert open_captions(replace(sample, drop=NOT_BEST)) == []
    assert open_captions(replace(sample, failure=Failure("PictureEmpty", "", ""))) == []


def test_answers_go_to_the_captions_that_were_asked():
    sample = sample_of("one", Text("two", drop=NOT_BEST), "three")
    found = texts(apply_concepts(sample, [(2, 7.5, "dog"), (0, 1e15, "")]))
    assert [text.measures for text in found] == [
        {"concepts": 2, "concept_t": 7.5, "concept": "dog"},
        {},
        {"concepts": 0},
    ]
    with pytest.raises(ValueError, match="a: expected concepts of 2 captions, found 1"):
        apply_concepts(sample, [(2, 7.5, "dog")])


def test_the_row_goes_with_its_last_caption_and_its_reason_is_the_balance():
    one_left = sample_of(told(0), told(1, 3.0, "dog"))
    assert mark_unbalanced(one_left, 5).alive
    assert [text.drop for text in texts(mark_unbalanced(one_left, 5))] == [Drop("concept_none", 0, 1), None]
    assert mark_unbalanced(one_left, 2).drop == Drop("concept_none", 0, 1)
    after_relevance = sample_of(Text("first", drop=NOT_BEST), told(1, 3.0, "dog"))
    assert mark_unbalanced(after_relevance, 2).drop == Drop("concept_not_drawn", 3.0, 2, "dog")


def test_what_fell_before_keeps_its_reason():
    sample = sample_of(told(0), drop=Drop("image_too_small", 3, 64))
    assert mark_unbalanced(sample, 5) == sample


def test_a_solved_t_stands_on_the_row():
    sample = apply_limit(sample_of(told(1, 3.0, "dog")), 2.5)
    assert sample.measures == {"concept_limit": 2.5}
    assert mark_unbalanced(sample, None).drop == Drop("concept_not_drawn", 3.0, 2.5, "dog")


CONCEPTS = Concepts(make_vocabulary([Entry("dog"), Entry("cat"), Entry("Rome", 50.0)]))


def pool(dogs):
    captions = ["a cat in Rome", "nothing known", *(f"dog number {i}" for i in range(dogs))]
    return [sample_of(caption, key=f"key{i}") for i, caption in enumerate(captions)]


def test_a_pool_in_memory():
    found = list(balance_in_memory(pool(400), CONCEPTS, 7, t=100))
    assert found[0].alive and texts(found[0])[0].measures["concepts"] == 2
    assert found[1].drop == Drop("concept_none", 0, 1)
    kept = sum(sample.alive for sample in found[2:])
    assert 70 < kept < 130
    assert {sample.drop.rule for sample in found if not sample.alive} == {"concept_none", "concept_not_drawn"}


def test_a_pool_in_memory_to_a_size():
    found = list(balance_in_memory(pool(400), CONCEPTS, 7, t=None, target=50))
    assert 50 <= sum(sample.alive for sample in found) <= 52
    assert found[1].measures.keys() == {"concept_limit"}


def test_a_larger_pool_keeps_the_draws():
    small = [sample.alive for sample in balance_in_memory(pool(200), CONCEPTS, 7, t=50)]
    large = [sample.alive for sample in balance_in_memory(pool(400), CONCEPTS, 7, t=100)]
    assert small == large[:202] and 0 < sum(small) < 202


def test_rows_without_captions_pass():
    sample = sample_of(Text("gone", drop=NOT_BEST), drop=NOT_BEST)
    assert list(balance_in_memory([sample], CONCEPTS, 7, t=5)) == [sample]
    assert list(balance_in_memory([sample], CONCEPTS, 7, t=None, target=5)) == [sample]
