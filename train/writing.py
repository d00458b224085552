"""What the model writes, greedily, through the packed forward: for samples on a page, on any number of ranks.

Without a cache, so every token costs a forward of all prompts; but by no call of another kind, so that a model whose
weights are shards, where transformers' `generate` cannot run, writes as well.
Left out on purpose: chance, beams, speed; a server writes rollouts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from train.data.records import NOT_TRAINED, Array, Pack, TokenSample
from train.packed_forward import PackedModel
from train.packed_inputs import PackedInputs
from train.parallel import head_of
from train.positions import document_positions


class Writing(NamedTuple):
    """How prompts are gone on with."""

    most: int
    """Tokens written at most; every rank runs as many steps, whatever ends before, so that none waits for another."""
    ends: Collection[int]
    """Tokens after which a text is finished; the last of a finished one."""
    banned: Sequence[int] = ()
    """Never written: tokens of pictures, for which there would be no picture."""
    tp_group: Any = None
    """Ranks that each score their part of the vocabulary (TP)."""
    all_through: Callable[[bool], bool] = lambda own: False
    """Whether no rank has a text to go on with, told whether this one has none: then all stop before `most`."""


def write_greedily(
    model: PackedModel, prompts: Sequence[TokenSample], rules: Writing, inputs: Callable[[Pack], PackedInputs]
) -> list[list[int]]:
    """What the model writes behind each prompt, as ids. `inputs` is `pack_inputs` with all but the pack given; rows
    must not be shared among ranks (CP)."""
    written: list[list[int]] = [[] for _ in prompts]
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(rules.most):
            pack = _pack(prompts, written)
            best = model(inputs(pack), partial(_best, ends=pack.bounds[1:] - 1, rules=rules))
            for text, token in zip(written, best.tolist(), strict=True):
                if not text or text[-1] not in rules.ends:
                    text.append(token)
            if rules.all_through(all(text[-1] in rules.ends for text in written)):
                break
    model.train(was_training)
    return written


def _best(states: Tensor, head: nn.Module, ends: Array, rules: Writing) -> Tensor:
    """(D,) the likeliest next token of each document."""
    logits = states[torch.from_numpy(ends).long().to(states.device)] @ head_of(head).T
    if rules.tp_group is not None:
        parts = [torch.empty_like(logits) for _ in range(dist.get_world_size(rules.tp_group))]
        dist.all_gather(parts, logits.contiguous(), group=rules.tp_group)
        logits = torch.cat(parts, dim=1)  # the same on all of them, so that they go on with the same text
    logits[:, list(rules.banned)] = -torch.inf
    return logits.argmax(dim=1)


def _pack(prompts: Sequence[TokenSample], written: Sequence[Sequence[int]]) -> Pack:
    ids = [np.append(one.input_ids, text).astype(np.int32) for one, text in zip(prompts, written, strict=True)]
    kinds = [np.append(one.kinds, np.zeros(len(text), np.int8)) for one, text in zip(prompts, written, strict=True)]
    patches = [picture for one in prompts for picture in one.patches]
    places = [document_positions(marks, one.grids) for marks, one in zip(kinds, prompts, strict=True)]
    row = np.concatenate(ids)
    return Pack(
        input_ids=row,
        labels=np.full(len(row), NOT_TRAINED, np.int32),
        weights=np.zeros(len(row), np.float32),
        positions=np.concatenate(places, axis=1),
        bounds=np.cumsum([0, *map(len, ids)]).astype(np.int32),
        grids=np.concatenate([one.grids for one in prompts]),
        patches=np.concatenate(patches) if patches else np.empty((0, 0), np.float32),
        sources=tuple(one.source for one in prompts),
        keys=tuple(one.key for one in prompts),
    )
