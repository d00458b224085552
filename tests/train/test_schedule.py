"""The learning rate at its corners, and who decays."""

import pytest

pytest.importorskip("torch")

from torch import nn

from configs.schema.train import OptimiserRules
from train.schedule import learning_rate, make_optimiser


@pytest.mark.parametrize(
    ("decay", "step", "wanted"),
    [
        ("cosine", 1, 0.1),
        ("cosine", 10, 1.0),
        ("cosine", 60, 0.55),
        ("cosine", 110, 0.1),
        ("linear", 60, 0.55),
        ("linear", 35, 0.775),
        ("linear", 110, 0.1),
        ("constant", 110, 1.0),
    ],
)
def test_up_in_a_line_then_down_to_the_final_share(decay, step, wanted):
    rules = OptimiserRules(learning_rate=1.0, warmup_steps=10, decay=decay)
    assert learning_rate(rules, step, 110) == pytest.approx(wanted)


def test_without_warm_up_the_first_step_is_nearly_whole():
    assert learning_rate(OptimiserRules(learning_rate=1.0, warmup_steps=0), 1, 1000) == pytest.approx(1, abs=1e-4)


def test_matrices_decay_and_frozen_parameters_have_no_state():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    model[2].weight.requires_grad_(False)
    groups = make_optimiser(model, OptimiserRules(), fused=False).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.1, 1), (0.0, 4)]
