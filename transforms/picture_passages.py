"""Which passage each picture of a document belongs to: MMC4's bipartite assignment, on a matrix of similarities.

A picture's score is its similarity with the best of the passages that it may belong to: all, or those around its place.
Pictures then go to passages so that the similarities add up to the most, each passage taking one at most; where several
ways are equal, pictures stay near their places. Scores are whole ten-thousandths, so the sum is exact and the answer
the same on every machine.
Left out on purpose: the model (classifiers/), what a passage is (the caller cuts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from configs.schema.web_rules import PassageRules
from transforms.records import Drop, Picture

PASSAGE_MEASURES = {
    "passage_score": "cosine with the best of the passages around it",
    "passage_best": "piece of that passage",
    "passage_assigned": "piece of the passage it is assigned to, -1 for none",
}
SCALE = 10_000
_FAR = 1 << 20
"""More than any distance between places: nearness decides only between equal sums."""

_OUT_OF_REACH = -4 * SCALE
"""What a passage too far away counts: less than taking any other two, so that it is taken only where none is left."""

Similarities = np.ndarray[Any, np.dtype[np.floating[Any]]]
Scores = np.ndarray[Any, np.dtype[np.int64]]


class Passage(NamedTuple):
    """What a picture is told: its score (4 decimals) and best passage, and the one it is assigned to, -1 for none."""

    score: float
    best: int
    assigned: int


def assign_pictures(similarities: Similarities, places: Sequence[int], rules: PassageRules) -> list[Passage]:
    """For each picture its passages, from cosines (pictures, passages).

    `places[i]` is how many passages stand before picture i, which say what is near. A picture below `min_score` takes
    no part. With more pictures than passages the least similar ones are assigned to none. Raises ValueError where the
    matrix has not one row a place, or is not finite.
    """
    cosines = np.asarray(similarities, np.float64)
    if cosines.ndim != 2 or len(cosines) != len(places) or not np.isfinite(cosines).all():
        raise ValueError(f"expected finite similarities of {len(places)} pictures, found shape {cosines.shape}")
    if not cosines.size:
        return [Passage(-1.0, -1, -1)] * len(places)
    scores = np.round(cosines * SCALE).astype(np.int64)
    apart = _distances(places, scores.shape[1])
    allowed = apart < rules.window if rules.window else np.ones(scores.shape, bool)
    best = np.where(allowed, scores * _FAR - apart, np.iinfo(np.int64).min).argmax(axis=1)
    top = scores[np.arange(len(scores)), best]
    eligible = np.flatnonzero(top >= round(rules.min_score * SCALE))
    assigned = np.full(len(scores), -1, np.int64)
    if rules.one_picture:
        rows, columns = _assign(np.where(allowed, scores, _OUT_OF_REACH)[eligible], apart[eligible])
        taken = allowed[eligible[rows], columns]
        assigned[eligible[rows[taken]]] = columns[taken]
    else:
        assigned[eligible] = best[eligible]
    return [
        Passage(value / SCALE, one, other)
        for value, one, other in zip(top.tolist(), best.tolist(), assigned.tolist(), strict=True)
    ]


def _distances(places: Sequence[int], passages: int) -> Scores:
    """Passages between a picture and each passage; 0 for the one before it and the one behind it."""
    after = np.arange(passages)[None] - np.array(places, np.int64)[:, None]
    distances: Scores = np.where(after >= 0, after, -after - 1)
    return distances


def _assign(scores: Scores, apart: Scores) -> tuple[Scores, Scores]:
    from scipy.optimize import linear_sum_assignment

    # At most 2^36 a picture: the sum of 100,000 is below 2^53, where float64 is exact.
    costs = (-scores * _FAR + np.minimum(apart, _FAR // max(len(scores), 1) - 1)).astype(np.float64)
    rows, columns = linear_sum_assignment(costs)
    return rows, columns


def check_passage(picture: Picture, rules: PassageRules) -> Drop | None:
    """Drop a picture unlike every passage near it, by its measure `passage_score`; one without it is not judged."""
    score = picture.measures.get("passage_score")
    if not isinstance(score, (int, float)) or score >= rules.min_score:
        return None
    return Drop("picture_passage_score_low", score, rules.min_score)
