"""Which pictures to label next: those a classifier is unsure of, spread over what they look like.

Uncertainty alone picks one doubtful picture forty times over; diversity alone (k-centre, Sener and Savarese 2018)
picks outliers. Here each pick is the candidate whose uncertainty times distance to all picked so far is greatest.
Pure numpy; probabilities are (n, classes), embeddings (n, dimensions) of unit length.
Left out on purpose: reading and showing pictures (pipelines/labelling.py).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


def measure_uncertainty(probabilities: Array, kind: Literal["margin", "entropy"]) -> Array:
    """(n,) from 0 (sure) to 1 (two classes equal, or all of them), 4 decimals."""
    if kind == "margin":
        ordered = np.sort(probabilities, axis=1)
        margins: Array = np.round(1.0 - (ordered[:, -1] - ordered[:, -2]), 4)
        return margins
    held = np.clip(probabilities, 1e-12, 1.0)
    entropies: Array = np.round(-(held * np.log(held)).sum(axis=1) / np.log(probabilities.shape[1]), 4)
    return entropies


def pick_next(uncertainty: Array, embeddings: Array, count: int, *, known: Array | None = None) -> list[int]:
    """Up to `count` rows in the order they were picked; of equals the first row. Rows of `known` are picked already.

    A row of no uncertainty, or at no distance from one picked, is never picked. The distance is 1 - cosine, 4 decimals.
    """
    seen = known if known is not None and known.size else None
    apart = np.full(len(embeddings), 2.0) if seen is None else _distance(embeddings, seen)
    picked: list[int] = []
    while len(picked) < min(count, len(embeddings)):
        worth = uncertainty * apart
        best = int(np.argmax(worth))
        if worth[best] <= 0:
            break
        picked.append(best)
        apart = np.minimum(apart, _distance(embeddings, embeddings[best : best + 1]))
    return picked


def most_uncertain(uncertainty: Array, count: int) -> Rows:
    """The `count` rows of the greatest uncertainty, in the order of rows; of equals the first."""
    ranked = np.argsort(-uncertainty, kind="stable")[:count]
    return np.sort(ranked)


def _distance(embeddings: Array, others: Array) -> Array:
    """To the nearest of `others`, in blocks: a million rows against a thousand would be 8 GB."""
    nearest = [np.max(part @ others.T, axis=1) for part in np.array_split(embeddings, len(embeddings) // 4096 + 1)]
    apart: Array = np.clip(np.round(1.0 - np.concatenate(nearest), 4), 0.0, None)
    return apart
