"""A training set of judged rows: hard cases first, corrections over everything, open cases beside it."""

import pytest

from configs.schema.recaption import RecaptionRules
from recaption.captioner import Answer, Refusal
from recaption.export import open_cases, training_pairs
from tests.recaption.test_asking import GOOD, WRONG, checked
from transforms.recaptions import judge_recaption


def recaptioned(reply, key="k", **changes):
    return judge_recaption(checked(reply, key=key, **changes), RecaptionRules(), 0)


def test_a_training_set_has_the_hard_cases_first():
    rows = [
        recaptioned(Answer("A small white dog sits on grass."), "easy", caption="a dog"),
        recaptioned(GOOD, "facts"),
        recaptioned(WRONG, "wrong"),
        recaptioned(WRONG, "open"),
        recaptioned(Refusal("CaptionerTimeout", "x"), "late"),
    ]
    corrected = "Two dogs run along a wide beach in Paris."
    pairs = training_pairs(rows, {"wrong": corrected})
    assert [(pair.key, pair.kind, pair.hardness) for pair in pairs] == [
        ("wrong", "corrected", 1.4),
        ("facts", "accepted", 0.4),
        ("easy", "accepted", 0.0),
    ]
    assert (pairs[0].target, pairs[0].rejected) == (corrected, WRONG.text)
    assert pairs[0].mistake == "recaption_fact_lost: number Two; place Paris"
    assert [case.key for case in open_cases(rows, {"wrong": corrected})] == ["open"]
    assert training_pairs(list(reversed(rows)), {"wrong": corrected}) == pairs
    with pytest.raises(ValueError, match="found none for wrong"):
        training_pairs(rows, {"wrong": " "})
