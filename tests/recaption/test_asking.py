"""A reply is a text beside the originals, a refusal one without a value; the checker measures what was written."""

import msgspec

from configs.schema.recaption import GuardRules, RecaptionRules
from recaption.asking import add_reply, question_of
from recaption.captioner import Answer, Refusal
from recaption.checker import RecaptionChecker, add_check, ask_check
from transforms.loaded import Loaded
from transforms.recaptions import judge_recaption
from transforms.records import Drop, Picture, Sample, Span, Text, decode_sample, encode_sample, texts

GOOD = Answer("Two dogs run along a beach in Paris.", prompt="refine-1.en:abc", tokens_in=9, tokens_out=5)
WRONG = Answer("Three dogs run along a wide beach.")


class Scorer:
    """Scores every text with 0.25."""

    def load(self):
        pass

    def fingerprint(self):
        return "0.25"

    def predict(self, batch):
        return [type("Found", (), {"scores": (0.25,)}) for _ in batch]


def sample(key="k", caption="Two dogs in Paris", score=0.3, losers=()):
    picture = Picture(Span("a.tar", 0, 9, "tar", "k.jpg"), sha256=b"1" * 32)
    others = [Text(text, drop=Drop("caption_not_best", 0.1, 0.3)) for text in losers]
    return Sample(key, "a.tar", 0, 0, (picture, Text(caption, measures={"clip_score": score}), *others))


def checked(reply, scorer=None, **changes):
    asked = add_reply(sample(**changes), reply)
    checker = RecaptionChecker(GuardRules(), scorer)
    [answer] = checker.predict([ask_check(Loaded(asked, [None] * len(asked.pieces), [None] * len(asked.pieces)))])
    return add_check(asked, msgspec.msgpack.decode(msgspec.msgpack.encode(answer)))


def test_both_texts_stay_with_what_was_asked_and_what_it_cost():
    found = checked(GOOD)
    assert [text.value for text in (*texts(found), *texts(found, "recaption"))] == ["Two dogs in Paris", GOOD.text]
    [refined] = texts(found, "recaption")
    assert (refined.measures["tokens_out"], refined.measures["prompt"]) == (5, "refine-1.en:abc")
    assert (refined.measures["facts"], refined.measures["facts_lost"]) == (2, 0)
    assert decode_sample(encode_sample(found)) == found


def test_a_reply_from_a_sidecar_is_the_reply():
    for reply in (GOOD, Refusal("CaptionerRefused", "x", 1)):
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(reply))
        assert add_reply(sample(), plain) == add_reply(sample(), reply)


def test_a_refusal_is_measured_by_nobody_and_stays_a_failure():
    found = checked(Refusal("CaptionerTimeout", "expected an answer in 5 s, found none", 3), Scorer())
    [text] = texts(judge_recaption(found, RecaptionRules(), 0), "recaption")
    why = "CaptionerTimeout: expected an answer in 5 s, found none"
    assert (text.value, text.drop) == ("", Drop("recaption_failed", 3, 0, why))
    assert set(text.measures) == {"error", "message", "attempts"}


def test_the_score_of_the_refined_text_is_held_against_the_originals():
    [refined] = texts(checked(GOOD, Scorer()), "recaption")
    assert [refined.measures[n] for n in ("clip_before", "clip_score", "clip_change")] == [0.3, 0.25, -0.05]
    assert "clip_change" not in texts(checked(Answer(""), Scorer()), "recaption")[0].measures


def test_captions_that_lost_are_evidence_and_no_originals():
    [bare] = texts(checked(Answer("Two dogs run in Paris near the Louvre.")), "recaption")
    [told] = texts(checked(Answer("Two dogs run in Paris near the Louvre."), losers=["The Louvre"]), "recaption")
    assert (bare.measures["facts_unsupported"], told.measures["facts_unsupported"]) == (1, 0)


def test_the_question_is_the_picture_and_the_open_captions():
    assert question_of(sample("a", losers=["x"])) == question_of(sample("b")) == (b"1" * 32, ("Two dogs in Paris",))
    assert question_of(sample(caption="Two cats")) != question_of(sample())


def test_the_checkers_fingerprint_knows_what_moves_a_measure_and_nothing_else():
    def known(**limits):
        return RecaptionChecker(GuardRules(**limits), None).fingerprint()

    assert known() == known(max_facts_lost=3, max_clip_drop=0.5) != known(max_seen_count=3)
    assert known() != RecaptionChecker(GuardRules(), Scorer()).fingerprint()
