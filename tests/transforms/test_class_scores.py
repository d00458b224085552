"""Precision, recall, confusion, calibration: literals in, literals out, and what they must be by definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.class_scores import (
    average_precision,
    balanced_weights,
    best_temperature,
    calibration_error,
    confidence_bins,
    confusion,
    log_loss,
    precision_recall,
    softmax,
    threshold_at,
    worst_mistakes,
)

SCORES = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
RIGHT = np.array([True, True, False, True, False])


def test_equal_scores_are_taken_together():
    curve = precision_recall(SCORES, RIGHT)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.3, 0.1]
    assert curve.precision.tolist() == [1.0, 2 / 3, 0.75, 0.6]
    assert curve.recall.tolist() == [1 / 3, 2 / 3, 1.0, 1.0]
    assert average_precision(curve) == round((1 + 2 / 3 + 0.75) / 3, 4)


def test_the_lowest_threshold_of_a_precision():
    curve = precision_recall(SCORES, RIGHT)
    assert threshold_at(curve, 0.75) == (0.3, 0.75, 1.0)
    assert threshold_at(curve, 0.9) == (0.9, 1.0, pytest.approx(1 / 3))
    assert threshold_at(precision_recall(SCORES, ~RIGHT), 0.9) is None


def test_a_class_that_no_picture_has():
    curve = precision_recall(SCORES, np.zeros(5, dtype=bool))
    assert curve.recall.size == 0 and average_precision(curve) == 0.0 and threshold_at(curve, 0.5) is None


def test_confusion_has_the_truth_in_rows():
    assert confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]


def test_calibration_by_hand():
    """Two at 0.9 of which one is right (0.4 apart), two at 0.6 that both are (0.4 apart)."""
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    truth = np.array([0, 1, 0, 0])
    bins = confidence_bins(shares, truth, 10)
    assert [(b.pictures, round(b.confidence, 4), b.accuracy) for b in bins] == [(2, 0.6, 1.0), (2, 0.9, 0.5)]
    assert calibration_error(shares, truth, 10) == 0.4
    assert calibration_error(shares, truth, 10, np.array([3.0, 1.0, 1.0, 1.0])) == 0.2333


def test_one_is_in_the_last_bin():
    assert confidence_bins(np.array([[1.0, 0.0]]), np.array([0]), 10)[0].low == 0.9


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 8.0), st.integers(0, 2**16))
def test_the_temperature_that_made_the_labels_is_found(temperature, seed):
    """Labels drawn from softmax(logits): after a division by T the best temperature is 1/T of what it was."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (400, 3))
    truth = np.array([rng.choice(3, p=row) for row in softmax(logits)])
    own = best_temperature(logits, truth)
    assert own == pytest.approx(1.0, abs=0.45)
    assert best_temperature(logits * temperature, truth) == pytest.approx(own * temperature, rel=1e-2)
    assert log_loss(softmax(logits / own), truth) <= log_loss(softmax(logits), truth) + 1e-9


def test_every_class_weighs_the_same_and_the_mean_is_one():
    weights = balanced_weights(np.array([0, 0, 0, 1]), 3)
    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])


def test_large_logits_do_not_overflow():
    assert softmax(np.array([[1e4, 0.0], [-1e4, 0.0]])).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_the_surest_mistake_comes_first():
    shares = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8]])
    assert worst_mistakes(shares, np.array([1, 0, 0, 0])).tolist() == [1, 3, 0]
