"""Weights: three ways to count a token, and a gradient that does not depend on how samples are packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.chat.weighting import weigh


@pytest.mark.parametrize(("weighting", "weight"), [("token", 1.0), ("sample", 0.25), ("square_root", 0.5)])
def test_each_of_four_trained_tokens(weighting, weight):
    trained = np.array([True, True, False, True, True, True])  # the first one is never trained on
    weights = weigh(trained, weighting)
    assert weights.tolist() == [0, weight, 0, weight, weight, weight]
    assert weights.dtype == np.float32
    assert trained[0]


def test_nothing_trained_on_weighs_nothing():
    assert weigh(np.array([True, False]), "sample").tolist() == [0, 0]


@given(st.lists(st.integers(2, 30), min_size=1, max_size=12), st.integers(0, 2**32), st.data())
def test_the_gradient_is_the_same_however_samples_fall_into_packs(lengths, seed, data):
    """Of a logistic loss on random features, accumulated pack by pack and divided by the weight of all packs."""
    chance = np.random.default_rng(seed)
    rows = [chance.normal(size=(length, 4)) for length in lengths]
    weights = [weigh(chance.random(length) < 0.7, "square_root").astype(np.float64) for length in lengths]
    parameters = chance.normal(size=4)

    def gradient(samples):
        summed, weight = np.zeros(4), 0.0
        for pack in samples:
            x = np.concatenate([rows[one] for one in pack])
            w = np.concatenate([weights[one] for one in pack])
            summed += (w / (1 + np.exp(-x @ parameters))) @ x
            weight += w.sum()
        return summed / max(weight, 1e-9)

    order = data.draw(st.permutations(range(len(lengths))))
    cut = data.draw(st.integers(0, len(order)))
    packs = [pack for pack in (order[:cut], order[cut:]) if pack]
    np.testing.assert_allclose(gradient(packs), gradient([[one] for one in range(len(lengths))]), atol=1e-9)
