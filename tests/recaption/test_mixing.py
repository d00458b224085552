"""Both texts stay, the key decides, a refusal leaves the original; what a training set of them looks like."""

import msgspec
import pytest

from recaption.captioner import Answer, Refusal
from recaption.export import open_cases, training_pairs
from recaption.mixing import add_reply, chosen_text, judge_recaption, score_recaption, takes_recaption
from recaption.rules import GuardRules, MixRules
from transforms.records import Drop, Picture, Sample, Span, Text, decode_sample, encode_sample, texts

GOOD = Answer("Two dogs run along a beach in Paris.", prompt="refine-1.en:abc", tokens_in=9, tokens_out=5)
WRONG = Answer("Three dogs run along a wide beach.")


def sample(key="k", caption="Two dogs in Paris", score=0.3):
    picture = Picture(Span("a.tar", 0, 9, "tar", "k.jpg"))
    return Sample(key, "a.tar", 0, 0, (picture, Text(caption, measures={"clip_score": score})))


def recaptioned(reply, key="k", **changes):
    return judge_recaption(add_reply(sample(key, **changes), reply), GuardRules())


def test_both_texts_stay_and_the_share_decides():
    found = recaptioned(GOOD)
    assert [text.value for text in (*texts(found), *texts(found, "recaption"))] == ["Two dogs in Paris", GOOD.text]
    assert chosen_text(found, MixRules(recaption_share=1.0), 0).value == GOOD.text
    assert chosen_text(found, MixRules(recaption_share=0.0), 0).value == "Two dogs in Paris"
    [refined] = texts(found, "recaption")
    assert (refined.measures["tokens_out"], refined.measures["prompt"]) == (5, "refine-1.en:abc")
    assert decode_sample(encode_sample(found)) == found


def test_the_ratio_holds_and_no_row_changes_sides():
    rows = [recaptioned(GOOD, f"k{n}") for n in range(1000)]
    half, more = ([takes_recaption(r, MixRules(recaption_share=share), 7) for r in rows] for share in (0.5, 0.7))
    assert 450 < sum(half) < 550 and 650 < sum(more) < 750
    assert all(now for before, now in zip(half, more, strict=True) if before)
    assert half != [takes_recaption(row, MixRules(recaption_share=0.5), 8) for row in rows]


@pytest.mark.parametrize(
    ("reply", "drop"),
    [
        (WRONG, Drop("recaption_fact_lost", 2, 0, "number Two; place Paris")),
        (
            Refusal("CaptionerTimeout", "expected an answer in 5 s, found none", 3),
            Drop("recaption_failed", 3, 0, "CaptionerTimeout: expected an answer in 5 s, found none"),
        ),
    ],
)
def test_rejected_or_refused_the_original_stays(reply, drop):
    found = recaptioned(reply)
    assert found.alive and texts(found, "recaption")[0].drop == drop
    assert chosen_text(found, MixRules(recaption_share=1.0), 0).value == "Two dogs in Paris"


def test_a_reply_from_a_sidecar_is_the_reply():
    for reply in (GOOD, Refusal("CaptionerRefused", "x", 1)):
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(reply))
        assert add_reply(sample(), plain) == add_reply(sample(), reply)


def test_the_score_of_the_refined_text_is_held_against_the_originals():
    scored = score_recaption(add_reply(sample(), GOOD), 0.25)
    [refined] = texts(judge_recaption(scored, GuardRules()), "recaption")
    assert refined.drop == Drop("recaption_clip_drop", -0.05, -0.02)
    again = judge_recaption(judge_recaption(scored, GuardRules()), GuardRules(max_clip_drop=0.1))
    assert texts(again, "recaption")[0].drop is None


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
