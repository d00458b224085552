"""Weights of the loss: what each trained token of a sample counts.

The loss of a step is the sum of weight times cross-entropy over the sum of weights, both over all ranks and
micro-batches of the step. As a token's weight depends on its own sample alone, so does its share of the gradient:
how samples fall into packs, micro-batches and ranks changes nothing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from train.data.records import Array

Weighting = Literal["token", "sample", "square_root"]
_POWERS: dict[str, float] = {"token": 0.0, "square_root": -0.5, "sample": -1.0}


def weigh(trained: Array, weighting: Weighting) -> Array:
    """(L,) float32 for (L,) bool: n ** 0, n ** -0.5 or n ** -1 for each of the n trained tokens, 0 for the others.

    The first token is never trained on: nothing stands before it.
    """
    trained = trained.copy()
    trained[:1] = False
    count = int(trained.sum())
    weights: Array = trained.astype(np.float32)
    return weights * np.float32(count ** _POWERS[weighting]) if count else weights
