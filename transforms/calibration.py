"""Calibration: what one model's threshold is worth on another model, and what a threshold lets through.

CLIP scores of two models are not comparable: 0.3 keeps half of a pool with one and nearly nothing with another. A
threshold moves over either by the share of pairs it keeps, or by the precision it reaches on pairs known to be right
or wrong. Where nobody labelled pairs, a pool's own pairs stand for right ones and its pictures with another picture's
caption for wrong ones. Pure numpy; scores are float arrays of (n,), labels bool arrays of (n,), True for a right pair.
Left out on purpose: fitting a curve between the models' scores; a kept share needs only their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Scores = np.ndarray[Any, np.dtype[np.float64]]
Labels = np.ndarray[Any, np.dtype[np.bool_]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
STEP = 1e-4
"""Scores are rounded to 4 decimals: this is the least that lies above one."""


class CalibrationError(ValueError):
    """The scores cannot give what was asked; says what was expected and what was found."""


@dataclass(frozen=True)
class Interval:
    """Where a statistic lay in the middle `level` of seeded resamplings of the pairs."""

    low: float
    high: float
    level: float
    rounds: int
    """Resamplings in which the statistic exists; fewer than asked where it failed in some."""


def kept_share(scores: Scores, threshold: float) -> float:
    """Share of pairs that `threshold` keeps: score >= threshold."""
    return float(np.mean(_finite(scores) >= threshold))


def threshold_for_share(scores: Scores, share: float) -> float:
    """The threshold that keeps the share of pairs nearest to `share`; of two equally near the stricter one.

    Equal scores leave together, so that the share can be met exactly only where the scores differ.
    """
    ordered = np.sort(_finite(scores))
    values = np.unique(ordered)
    candidates = np.append(values, values[-1] + STEP)
    kept = ordered.size - np.searchsorted(ordered, candidates, side="left")
    # Reversed: argmin takes the first of equals, which is then the highest threshold.
    distance = np.abs(kept - share * ordered.size)[::-1]
    return round(float(candidates[::-1][int(np.argmin(np.round(distance, 9)))]), 4)


def threshold_for_kept_share(reference: Scores, candidate: Scores, reference_threshold: float) -> float:
    """The threshold on `candidate` that keeps the share of pairs `reference_threshold` keeps on `reference`.

    Both score the same pairs in the same order. Raises CalibrationError where they differ in number.
    """
    if reference.shape != candidate.shape:
        raise CalibrationError(f"expected two scores for each pair, found {reference.size} and {candidate.size}")
    return threshold_for_share(candidate, kept_share(reference, reference_threshold))


def precision_at(scores: Scores, labels: Labels, threshold: float) -> float | None:
    """Share of right pairs among those kept; None where none is kept."""
    kept = _finite(scores) >= threshold
    return float(np.mean(labels[kept])) if kept.any() else None


def recall_at(scores: Scores, labels: Labels, threshold: float) -> float | None:
    """Share of the right pairs that is kept; None where no pair is right."""
    return kept_share(scores[labels], threshold) if labels.any() else None


def threshold_for_precision(scores: Scores, labels: Labels, precision: float, *, least_kept: int = 1) -> float:
    """The lowest threshold whose kept pairs, `least_kept` or more, are right in at least `precision`.

    It keeps the most pairs of all such thresholds. `least_kept` shuts out the few highest scores, which reach any
    precision by luck. Raises CalibrationError where no threshold reaches it. The precision is that of these pairs: with
    one wrong pair for each right one it says nothing yet about a pool where wrong pairs are rarer.
    """
    values, right, kept = _counts_above(scores, labels)
    enough = kept >= least_kept
    reached = enough & (right >= precision * kept - 1e-9)
    if not reached.any():
        most = float(max(right[enough] / kept[enough], default=0.0))
        raise CalibrationError(
            f"expected a threshold of precision {precision:g} that keeps {least_kept} pairs or more, "
            f"found at most {most:.4f}"
        )
    return round(float(values[reached].min()), 4)


def auc(scores: Scores, labels: Labels) -> float:
    """Chance that a right pair scores above a wrong one, equals counting half. Raises CalibrationError without both."""
    right, wrong = np.sort(_finite(scores)[labels]), np.sort(scores[~labels])
    if not right.size or not wrong.size:
        raise CalibrationError(f"expected right and wrong pairs, found {right.size} and {wrong.size}")
    below = np.searchsorted(wrong, right, side="left").sum() + np.searchsorted(wrong, right, side="right").sum()
    return float(below / (2 * right.size * wrong.size))


def bootstrap_interval(
    statistic: Callable[[Rows], float], size: int, *, seed: int, rounds: int = 500, level: float = 0.95
) -> Interval:
    """The interval of `statistic` over `rounds` resamplings of `size` rows with replacement, the same for a seed.

    A resampling in which `statistic` raises CalibrationError is left out and lowers `rounds` in the answer; raises it
    where more than half fail.
    """
    chance = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(rounds):
        rows = chance.integers(0, size, size)
        try:
            found.append(statistic(rows))
        except CalibrationError:
            continue  # Counted: `rounds` of the answer tells how many did not fail.
    if 2 * len(found) < rounds:
        raise CalibrationError(f"expected the statistic in most of {rounds} resamplings, found it in {len(found)}")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(round(float(low), 4), round(float(high), 4), level, len(found))


def shuffled_partners(captions: Sequence[str], seed: int) -> list[int | None]:
    """For each picture the number of another picture, whose caption stands for a wrong one.

    The pictures are laid in one seeded circle and each takes the caption of the next whose text differs, so that each
    caption is used about once; None where every caption is the same.
    """
    circle = [int(i) for i in np.random.default_rng(seed).permutation(len(captions))]
    folded = [" ".join(caption.split()).casefold() for caption in captions]
    partners: list[int | None] = [None] * len(captions)
    for place, own in enumerate(circle):
        ahead = (circle[(place + step) % len(circle)] for step in range(1, len(circle)))
        partners[own] = next((other for other in ahead if folded[other] != folded[own]), None)
    return partners


def _finite(scores: Scores) -> Scores:
    if not scores.size or not np.isfinite(scores).all():
        raise CalibrationError(
            f"expected finite scores, found {scores.size} of which {np.isfinite(scores).sum()} finite"
        )
    return scores


def _counts_above(scores: Scores, labels: Labels) -> tuple[Scores, Rows, Rows]:
    """Each distinct score as a threshold, with how many right pairs and how many pairs it keeps."""
    if scores.shape != labels.shape:
        raise CalibrationError(f"expected a label for each score, found {labels.size} for {scores.size}")
    values = np.unique(_finite(scores))
    ordered, right = np.sort(scores), np.sort(scores[labels])
    kept = ordered.size - np.searchsorted(ordered, values, side="left")
    return values, right.size - np.searchsorted(right, values, side="left"), kept
