"""Fates of refined texts: rules on what was measured, the mix by key, and the same decided again from the records."""

import pytest

from configs.schema.recaption import MixRules, RecaptionRules
from tests.recaption.test_asking import GOOD, WRONG, checked
from transforms.recaptions import (
    judge_again,
    judge_recaption,
    refined_text,
    shown_text,
    takes_recaption,
    tally_recaptions,
    without_recaption,
)
from transforms.records import Drop, texts

ALL, NONE = (RecaptionRules(mix=MixRules(recaption_share=share)) for share in (1.0, 0.0))


def test_the_share_decides_which_text_goes_out_and_the_row_says_so():
    took, left = (judge_recaption(checked(GOOD), rules, 0) for rules in (ALL, NONE))
    assert (shown_text(took).value, took.measures) == (GOOD.text, {"text_from": "recaption"})
    assert (shown_text(left).value, left.measures) == ("Two dogs in Paris", {"text_from": "caption"})
    assert refined_text(left).value == GOOD.text


def test_the_ratio_holds_and_no_row_changes_sides():
    rows = [judge_recaption(checked(GOOD, key=f"k{n}"), ALL, 7) for n in range(400)]
    half, more = ([takes_recaption(r, MixRules(recaption_share=share), 7) for r in rows] for share in (0.5, 0.7))
    assert 160 < sum(half) < 240 < sum(more) < 320
    assert all(now for before, now in zip(half, more, strict=True) if before)
    assert half != [takes_recaption(row, MixRules(recaption_share=0.5), 8) for row in rows]


def test_turned_away_the_original_stays_and_the_row_too():
    found = judge_recaption(checked(WRONG), ALL, 0)
    assert texts(found, "recaption")[0].drop == Drop("recaption_fact_lost", 2, 0, "number Two; place Paris")
    assert found.alive and refined_text(found) is None and shown_text(found).value == "Two dogs in Paris"


def test_judged_again_it_is_the_same_and_another_limit_another_fate():
    found = judge_recaption(checked(WRONG), ALL, 0)
    bare = without_recaption(found)
    assert texts(bare, "recaption") == [] and "text_from" not in bare.measures
    assert judge_again(found, bare, ALL, 0) == found
    lax = RecaptionRules.model_validate({"guard": {"max_facts_lost": 2}, "mix": {"recaption_share": 1}})
    assert shown_text(judge_again(found, bare, lax, 0)).value == WRONG.text


def test_who_was_never_asked_or_of_other_originals_says_so():
    bare = without_recaption(checked(GOOD))
    assert judge_again(bare, bare, ALL, 0).measures == {"unasked": 1}
    other = without_recaption(checked(GOOD, caption="Two dogs in Lyon"))
    assert judge_again(checked(GOOD), other, ALL, 0).measures == {"unasked": 1}


@pytest.mark.parametrize(("reply", "told"), [(GOOD, "accepted"), (WRONG, "recaption_fact_lost")])
def test_a_tally_counts_fates_and_tokens(reply, told):
    rows = [judge_recaption(checked(reply, key=f"k{n}"), ALL, 0) for n in range(3)]
    found = tally_recaptions(rows)
    assert (found["asked"], found[told], found["text"]) == (3, 3, 3 if told == "accepted" else 0)
    assert (found["tokens_in"], found["tokens_out"]) == (3 * reply.tokens_in, 3 * reply.tokens_out)
