"""The learning rate at each step, and which parameters decay."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from configs.schema.train import OptimiserRules


def learning_rate(rules: OptimiserRules, step: int, steps: int) -> float:
    """At step 1 to `steps`: up in a line over the warm-up, then down to the final share at the last step."""
    if step <= rules.warmup_steps:
        return rules.learning_rate * step / rules.warmup_steps
    if rules.decay == "constant":
        return rules.learning_rate
    done = (step - rules.warmup_steps) / max(1, steps - rules.warmup_steps)
    left = 1 - done if rules.decay == "linear" else (1 + math.cos(math.pi * done)) / 2
    return rules.learning_rate * (rules.final_share + (1 - rules.final_share) * left)


def make_optimiser(model: nn.Module, rules: OptimiserRules, *, fused: bool) -> torch.optim.AdamW:
    """AdamW over what is trained; matrices decay, norms and biases do not."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [one for one in trained if one.ndim > 1], "weight_decay": rules.weight_decay},
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=rules.learning_rate,
        betas=(rules.beta1, rules.beta2),
        eps=rules.epsilon,
        fused=fused or None,
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
