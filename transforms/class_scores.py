"""How well a classifier's probabilities fit the truth: precision and recall, confusion, calibration, mistakes.

Pure numpy; probabilities are (n, classes), truth (n,) numbers of classes, weights (n,) or absent.
Left out on purpose: thresholds on one score (transforms/calibration.py), drawing (pipelines/class_charts.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Curve(NamedTuple):
    """Precision and recall at each distinct score as a threshold, from the highest to the lowest; all (m,)."""

    thresholds: Array
    precision: Array
    recall: Array


class Bin(NamedTuple):
    """Predictions whose confidence lies in [low, high): how many, how sure on average, and how often right."""

    low: float
    high: float
    pictures: int
    confidence: float
    accuracy: float


def precision_recall(scores: Array, right: Bools) -> Curve:
    """Scores at or above a threshold are taken. Empty arrays where nothing is right."""
    if not right.any():
        return Curve(*(np.empty(0) for _ in range(3)))
    order = np.argsort(-scores, kind="stable")
    ordered, found = scores[order], np.cumsum(right[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # equal scores are taken together
    return Curve(ordered[last], found[last] / (last + 1), found[last] / found[-1])


def average_precision(curve: Curve) -> float:
    """Precision summed over the steps of recall, 4 decimals; no interpolation between them. 0 for an empty curve."""
    return round(float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision)), 4)


def threshold_at(curve: Curve, precision: float) -> tuple[float, float, float] | None:
    """(threshold, precision, recall) of the lowest threshold that reaches `precision`; None where none does."""
    reached = np.flatnonzero(curve.precision >= precision - 1e-9)
    if not reached.size:
        return None
    threshold, found, recall = (float(values[reached[-1]]) for values in curve)
    return threshold, found, recall


def confusion(truth: Whole, guesses: Whole, classes: int) -> Whole:
    """(classes, classes): row is the truth, column the guess."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (truth, guesses), 1)
    return counts


def confidence_bins(probabilities: Array, truth: Whole, bins: int, weights: Array | None = None) -> list[Bin]:
    """The confidence of the guess against how often it is right, in `bins` of equal width; empty bins are left out."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    weights = np.ones(len(truth)) if weights is None else weights
    places = np.minimum((sure * bins).astype(np.int64), bins - 1)
    found = []
    for place in np.unique(places):
        own = places == place
        means = [float(np.average(values[own], weights=weights[own])) for values in (sure, right)]
        found.append(Bin(int(place) / bins, (int(place) + 1) / bins, int(own.sum()), *means))
    return found


def calibration_error(probabilities: Array, truth: Whole, bins: int, weights: Array | None = None) -> float:
    """Expected calibration error: |confidence - accuracy| over the bins, weighted by what lies in them; 4 decimals.

    Guo et al. 2017, "On Calibration of Modern Neural Networks"; bins of equal width.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    places = np.minimum((probabilities.max(axis=1) * bins).astype(np.int64), bins - 1)
    mass = np.bincount(places, weights, bins)
    parts = [(b, float(mass[round(b.low * bins)])) for b in confidence_bins(probabilities, truth, bins, weights)]
    return round(sum(abs(b.confidence - b.accuracy) * m for b, m in parts) / float(mass.sum()), 4)


def log_loss(probabilities: Array, truth: Whole, weights: Array | None = None) -> float:
    """Mean of -ln(probability of the truth), probabilities held above 1e-12."""
    held = np.clip(probabilities[np.arange(len(truth)), truth], 1e-12, 1.0)
    return float(np.average(-np.log(held), weights=weights))


def softmax(logits: Array) -> Array:
    """(n, classes) probabilities; no overflow."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def best_temperature(logits: Array, truth: Whole, weights: Array | None = None) -> float:
    """The T of the least log loss of softmax(logits / T), within 1/20 to 20, 4 decimals (Guo et al. 2017).

    The loss is convex in 1/T: a golden section finds it without a derivative.
    """
    ratio, low, high = (5**0.5 - 1) / 2, 0.05, 20.0

    def loss(inverse: float) -> float:
        return log_loss(softmax(logits * inverse), truth, weights)

    for _ in range(80):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return round(2 / (low + high), 4)


def balanced_weights(truth: Whole, classes: int) -> Array:
    """(n,) of mean 1 by which every class that is there weighs the same."""
    counts = np.bincount(truth, minlength=classes)
    weights: Array = len(truth) / (np.count_nonzero(counts) * np.maximum(counts, 1))[truth].astype(np.float64)
    return weights


def worst_mistakes(probabilities: Array, truth: Whole) -> Whole:
    """Rows whose guess is wrong, the surest first; of equals the first row."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    rows: Whole = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]
    return rows
