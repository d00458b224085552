"""Scores are marked on captions; the best caption decides."""

import pytest

from configs.schema.caption import RelevanceRules
from transforms.records import Drop, Picture, Sample, Span, Text, texts
from transforms.relevance import PairScores, captions_to_score, check_relevance, mark_scores

PICTURE = Picture(Span("a.tar", 0, 9, "tar"))


def sample(*captions: Text) -> Sample:
    return Sample("k", "a.tar", 0, 0, (PICTURE, *captions))


def marked(*scores: float) -> Sample:
    captions = [Text(f"caption {i}") for i in range(len(scores))]
    return mark_scores(sample(*captions), PairScores(scores, (False,) * len(scores)))


def test_one_caption_gets_its_score_and_stays():
    found = texts(marked(0.31))[0]
    assert found.measures == {"clip_score": 0.31, "clip_truncated": 0}
    assert found.drop is None


def test_measures_of_earlier_rules_stay():
    before = sample(Text("a red bus", measures={"words": 3}))
    after = texts(mark_scores(before, PairScores((0.2,), (True,))))[0]
    assert after.measures == {"words": 3, "clip_score": 0.2, "clip_truncated": 1}


def test_all_but_the_best_caption_are_marked():
    drops = [text.drop for text in texts(marked(0.1, 0.35, 0.2))]
    assert drops == [Drop("caption_not_best", 0.1, 0.35), None, Drop("caption_not_best", 0.2, 0.35)]


def test_of_equal_captions_the_first_stays():
    drops = [text.drop for text in texts(marked(0.1, 0.3, 0.3))]
    assert drops == [Drop("caption_not_best", 0.1, 0.3), None, Drop("caption_not_best", 0.3, 0.3)]


def test_captions_that_a_rule_has_marked_are_not_scored():
    short = Text("bus", drop=Drop("caption_too_short", 3, 6))
    alt = Text("a heading", role="heading")
    before = sample(short, alt, Text("a red bus"))
    assert captions_to_score(before) == ("a red bus",)
    after = mark_scores(before, PairScores((0.3,), (False,)))
    assert after.pieces[1:3] == (short, alt)
    assert texts(after)[1].measures["clip_score"] == 0.3


def test_pictures_and_order_of_pieces_are_kept():
    assert marked(0.1, 0.2).pieces[0] == PICTURE
    assert [t.value for t in texts(marked(0.1, 0.2))] == ["caption 0", "caption 1"]


def test_negative_scores_have_a_best_too():
    assert [text.drop is None for text in texts(marked(-0.2, -0.1))] == [False, True]


def test_a_sample_without_captions_passes_through():
    assert mark_scores(sample(), PairScores()) == sample()


@pytest.mark.parametrize("found", [PairScores(), PairScores((0.1, 0.2), (False, False)), PairScores((0.1,), ())])
def test_a_wrong_number_of_scores_stops(found):
    with pytest.raises(ValueError, match="expected 1 scores"):
        mark_scores(sample(Text("a red bus")), found)


def test_a_low_score_is_the_reason():
    assert check_relevance(marked(0.2999), RelevanceRules()) == Drop("clip_score_low", 0.2999, 0.3)


def test_a_score_at_the_minimum_stays():
    assert check_relevance(marked(0.3), RelevanceRules()) is None


def test_the_best_caption_decides():
    assert check_relevance(marked(0.1, 0.31), RelevanceRules()) is None
    assert check_relevance(marked(0.1, 0.29), RelevanceRules()) == Drop("clip_score_low", 0.29, 0.3)


def test_a_score_on_a_caption_that_a_rule_marked_does_not_count():
    before = sample(Text("bus", measures={"clip_score": 0.9}, drop=Drop("caption_too_short", 3, 6)), Text("a red bus"))
    after = mark_scores(before, PairScores((0.1,), (False,)))
    assert check_relevance(after, RelevanceRules()) == Drop("clip_score_low", 0.1, 0.3)


def test_without_scores_or_with_the_rule_off_nothing_is_dropped():
    assert check_relevance(sample(Text("a red bus")), RelevanceRules()) is None
    assert check_relevance(marked(0.1), RelevanceRules(enabled=False)) is None
