"""How many floating-point operations a pack needs, and what share of the device's peak a run reaches (MFU).

Counted is what the model needs, not what is done: a forward and twice that backward, causal attention inside each
document alone, the head for the tokens that are trained on, padding and recomputed layers not at all.
Left out on purpose: norms, activations, the optimiser: below one part in a hundred; frozen parts count as trained.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from train.data.records import Array, Pack
from train.media import MERGE

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Operations a second in bfloat16, dense, by a word of the device's name; NVIDIA's sheets. PCIe cards have less."""
TRAINING = 3
"""A backward pass multiplies twice what the forward multiplies once."""


class Costs(NamedTuple):
    """Of the forward pass, 2 operations for each multiplication that is added."""

    token: int
    """The language model's matrices."""
    pair: int
    """Query meets key and value, in all its layers."""
    target: int
    """The head."""
    patch: int
    """The vision tower's matrices."""
    patch_pair: int
    picture_token: int
    """What turns 2 x 2 patches into one token."""


def costs_of(glm: Any) -> Costs:
    """From a Glm4vForConditionalGeneration, before it is cut over ranks."""
    text, vision = glm.config.text_config, glm.config.vision_config
    visual = glm.model.visual
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return Costs(
        token=2 * _weights(glm.model.language_model.layers),
        pair=4 * text.num_attention_heads * head * text.num_hidden_layers,
        target=2 * glm.lm_head.weight.numel(),
        patch=2 * (_weights(visual.blocks) + visual.patch_embed.proj.weight.numel()),
        patch_pair=4 * vision.hidden_size * vision.depth,
        picture_token=2 * (_weights(visual.merger) + visual.downsample.weight.numel()),
    )


def _weights(part: Any) -> int:
    return sum(parameter.numel() for parameter in part.parameters() if parameter.ndim > 1)


def pack_flops(costs: Costs, pack: Pack) -> int:
    """Of training on a whole pack; its padding, the document that has no source, costs nothing."""
    lengths: Array = np.diff(pack.bounds.astype(np.int64))[: len(pack.sources)]
    grids = pack.grids.astype(np.int64).reshape(-1, 3)
    slices: Array = np.repeat(grids[:, 1] * grids[:, 2], grids[:, 0])
    forward = (
        costs.token * int(lengths.sum())
        + costs.pair * int((lengths * (lengths + 1) // 2).sum())
        + costs.target * int((pack.weights > 0).sum())
        + costs.patch * int(slices.sum())
        + costs.patch_pair * int((slices**2).sum())
        + costs.picture_token * (int(slices.sum()) // MERGE**2)
    )
    return TRAINING * forward


def peak_of(device: str, stated_tflops: float | None = None) -> float | None:
    """Operations a second of a device by its name; None where it is not known."""
    if stated_tflops is not None:
        return stated_tflops * 1e12
    return next((peak for name, peak in PEAKS.items() if name in device), None)
