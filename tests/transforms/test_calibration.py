"""Thresholds move over by kept share or by precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.calibration import (
    CalibrationError,
    auc,
    bootstrap_interval,
    kept_share,
    precision_at,
    recall_at,
    shuffled_partners,
    threshold_for_kept_share,
    threshold_for_precision,
    threshold_for_share,
)

SCORES = st.lists(st.integers(-9999, 9999), min_size=1, max_size=60).map(lambda found: np.array(found) / 10_000)
DISTINCT = st.lists(st.integers(-9999, 9999), min_size=1, max_size=60, unique=True).map(lambda f: np.array(f) / 10_000)
THRESHOLD = st.integers(-10_000, 10_000).map(lambda n: n / 10_000)


def labelled(*right: float, wrong: tuple[float, ...]):
    return np.array([*right, *wrong]), np.array([True] * len(right) + [False] * len(wrong))


def test_a_score_at_the_threshold_is_kept():
    assert kept_share(np.array([0.1, 0.3, 0.5, 0.7]), 0.3) == 0.75


def test_quantile_match_by_hand():
    reference, candidate = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.9, 0.5, 0.8, 0.7])
    assert threshold_for_kept_share(reference, candidate, 0.3) == 0.8
    assert threshold_for_kept_share(reference, candidate, 0.0) == 0.5
    assert threshold_for_kept_share(reference, candidate, 0.5) == 0.9001


def test_equal_scores_leave_together_and_the_stricter_side_wins():
    assert threshold_for_share(np.array([0.1, 0.2, 0.2, 0.3]), 0.5) == 0.3
    assert threshold_for_share(np.array([0.2, 0.2, 0.2, 0.3]), 0.75) == 0.2


@given(DISTINCT, st.data())
def test_the_match_keeps_the_same_share(candidate, data):
    reference = data.draw(st.lists(THRESHOLD, min_size=candidate.size, max_size=candidate.size).map(np.array))
    threshold = data.draw(THRESHOLD)
    matched = threshold_for_kept_share(reference, candidate, threshold)
    assert kept_share(candidate, matched) == kept_share(reference, threshold)


@given(SCORES, st.data(), THRESHOLD, THRESHOLD)
def test_a_stricter_reference_gives_a_stricter_match(candidate, data, one, other):
    reference = data.draw(st.lists(THRESHOLD, min_size=candidate.size, max_size=candidate.size).map(np.array))
    low, high = sorted((one, other))
    assert threshold_for_kept_share(reference, candidate, low) <= threshold_for_kept_share(reference, candidate, high)


@given(DISTINCT, THRESHOLD)
def test_a_model_matched_with_itself_keeps_the_same_pairs(scores, threshold):
    matched = threshold_for_kept_share(scores, scores, threshold)
    assert np.array_equal(scores >= matched, scores >= threshold)


def test_another_number_of_scores_stops():
    with pytest.raises(CalibrationError, match="expected two scores for each pair, found 2 and 1"):
        threshold_for_kept_share(np.array([0.1, 0.2]), np.array([0.1]), 0.3)


@pytest.mark.parametrize("scores", [[], [0.1, np.nan], [np.inf]])
def test_scores_that_are_no_numbers_stop(scores):
    with pytest.raises(CalibrationError, match="expected finite scores"):
        kept_share(np.array(scores), 0.3)


def test_precision_and_recall_by_hand():
    scores, labels = labelled(0.2, 0.4, 0.6, wrong=(0.1, 0.3, 0.5))
    assert precision_at(scores, labels, 0.4) == pytest.approx(2 / 3)
    assert recall_at(scores, labels, 0.4) == pytest.approx(2 / 3)
    assert precision_at(scores, labels, 0.7) is None
    assert recall_at(scores, ~labels & labels, 0.1) is None


def test_the_lowest_threshold_of_a_precision_keeps_the_most():
    scores, labels = labelled(0.2, 0.4, 0.6, wrong=(0.1, 0.3, 0.5))
    assert threshold_for_precision(scores, labels, 0.5) == 0.1
    assert threshold_for_precision(scores, labels, 0.66) == 0.4
    assert threshold_for_precision(scores, labels, 1.0) == 0.6


def test_a_precision_out_of_reach_stops():
    scores, labels = labelled(0.2, wrong=(0.3,))
    with pytest.raises(CalibrationError, match=r"of precision 0.9 that keeps 1 pairs or more, found at most 0.5000"):
        threshold_for_precision(scores, labels, 0.9)


def test_a_lucky_top_does_not_make_a_threshold():
    scores, labels = labelled(0.9, 0.5, wrong=(0.8, 0.4))
    assert threshold_for_precision(scores, labels, 1.0) == 0.9
    with pytest.raises(CalibrationError, match="keeps 2 pairs or more, found at most 0.6667"):
        threshold_for_precision(scores, labels, 1.0, least_kept=2)


def test_a_score_without_a_label_stops():
    with pytest.raises(CalibrationError, match="found 1 for 2"):
        threshold_for_precision(np.array([0.1, 0.2]), np.array([True]), 0.5)


@given(SCORES, st.data(), st.floats(0.05, 1))
def test_the_threshold_of_a_precision_reaches_it(scores, data, wanted):
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=scores.size, max_size=scores.size)))
    labels[int(np.argmax(scores))] = True
    labels[scores == scores.max()] = True
    reached = precision_at(scores, labels, threshold_for_precision(scores, labels, wanted))
    assert reached is not None and reached >= wanted - 1e-6


def test_auc_by_hand():
    assert auc(*labelled(0.5, 0.6, wrong=(0.1, 0.2))) == 1.0
    assert auc(*labelled(0.1, wrong=(0.5,))) == 0.0
    assert auc(*labelled(0.3, wrong=(0.3,))) == 0.5
    assert auc(*labelled(0.2, 0.4, wrong=(0.3, 0.3))) == 0.5


@given(SCORES, SCORES)
def test_auc_is_the_share_of_pairs_in_order(right, wrong):
    scores, labels = labelled(*right, wrong=tuple(wrong))
    above, equal = (right[:, None] > wrong).mean(), (right[:, None] == wrong).mean()
    assert auc(scores, labels) == pytest.approx(above + equal / 2)


def test_auc_needs_both_classes():
    with pytest.raises(CalibrationError, match="found 1 and 0"):
        auc(np.array([0.1]), np.array([True]))


def test_the_interval_is_seeded_and_holds_the_statistic():
    scores = np.random.default_rng(0).normal(0.3, 0.05, 400).round(4)

    def threshold(rows):
        return threshold_for_share(scores[rows], 0.5)

    found = bootstrap_interval(threshold, 400, seed=1, rounds=100)
    assert found == bootstrap_interval(threshold, 400, seed=1, rounds=100)
    assert found != bootstrap_interval(threshold, 400, seed=2, rounds=100)
    assert found.low <= threshold_for_share(scores, 0.5) <= found.high
    assert found.high - found.low < 0.02
    assert found.rounds == 100


def test_an_interval_that_mostly_fails_stops():
    def fails(rows):
        raise CalibrationError("no")

    with pytest.raises(CalibrationError, match="found it in 0"):
        bootstrap_interval(fails, 3, seed=0, rounds=10)


def test_shuffled_captions_belong_to_others_and_are_seeded():
    captions = [f"caption {i}" for i in range(50)]
    partners = shuffled_partners(captions, seed=0)
    assert sorted(partners) == list(range(50))
    assert all(partner != own for own, partner in enumerate(partners))
    assert partners == shuffled_partners(captions, seed=0) != shuffled_partners(captions, seed=1)


def test_an_equal_caption_is_no_wrong_one():
    partners = shuffled_partners(["Red  bus", "red bus", "a cat"], seed=0)
    assert partners[0] == partners[1] == 2
    assert shuffled_partners(["a", "a "], seed=0) == [None, None]
    assert shuffled_partners(["a"], seed=0) == [None]
    assert shuffled_partners([], seed=0) == []
