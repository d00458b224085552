"""Cross-entropy over hidden states, some rows at a time: the logits of a whole row of tokens are never in memory.

The gradients of a chunk are taken while its logits are there, so nothing is computed twice and nothing is kept: of
32,768 tokens and 151,552 words logits would be 19.9 GB in float32, a chunk of 2,048 is 1.2 GB.
The loss of a step is the sum of weight times cross-entropy over the sum of weights, of all ranks and micro-batches. So
a loss here is a sum; who knows the whole weight divides (train/loop.py), and no split of a step changes its gradient.
Left out on purpose: preference and reinforcement losses (a later stage).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from train.data.records import Array, Pack

CHUNK = 2048
"""Rows of logits at a time."""


class Targets(NamedTuple):
    """What is to be predicted of the tokens of a pack that this process holds: n of them count."""

    rows: Tensor
    """(n,) int64, where they stand among the tokens held."""
    labels: Tensor
    """(n,) int64."""
    weights: Tensor
    """(n,) float32 > 0."""
    sources: Tensor
    """(n,) int64, the number of each one's source."""


class Scores(NamedTuple):
    total: Tensor
    """(), the sum of weight times cross-entropy; the only part with a gradient."""
    each: Tensor
    """(n,) float32, the cross-entropy of each target."""


def find_targets(pack: Pack, held: Array, sources: dict[str, int], vocabulary: int) -> Targets:
    """On the host. `held`: the tokens of the pack that this process holds, in its order (train/attention.py).

    Raises IndexError where a label that counts lies outside the vocabulary.
    """
    rows = np.flatnonzero(pack.weights[held] > 0)
    tokens = held[rows]
    labels = pack.labels[tokens]
    if len(labels) and not 0 <= labels.min() <= labels.max() < vocabulary:
        raise IndexError(f"labels: expected ids below {vocabulary}, found {labels.min()} to {labels.max()}")
    owners = np.searchsorted(pack.bounds, tokens, side="right") - 1
    numbers = np.array([sources[name] for name in pack.sources], np.int64)
    found = (rows, labels, pack.weights[tokens], numbers[owners])
    return Targets(*(torch.from_numpy(one) for one in map(_cast, found, (np.int64, np.int64, np.float32, np.int64))))


def _cast(values: Array, kind: Any) -> Array:
    return np.ascontiguousarray(values, kind)


def weighted_cross_entropy(
    states: Tensor, head: Tensor, targets: Targets, *, chunk: int = CHUNK, group: Any = None
) -> Scores:
    """Of (H, hidden) states, a head of (vocabulary, hidden) and what is to be predicted.

    With `group` the head is this rank's part of the vocabulary, in the order of the ranks and all parts of one size;
    states and targets are the same on all of them.
    """
    share = _Share(head.shape[0], group)
    if not torch.is_grad_enabled():  # else the function would find slopes that nobody asks for
        states, head = states.detach(), head.detach()
    total, each = _Chunked.apply(states[targets.rows], head, targets.labels, targets.weights, (chunk, share))  # type: ignore[no-untyped-call]
    return Scores(total, each)


class _Share:
    """The part of the vocabulary whose rows of the head are here."""

    def __init__(self, size: int, group: Any) -> None:
        self.group, self.size = group, size
        self.start = 0 if group is None else dist.get_rank(group) * size

    def add(self, values: Tensor, how: Any = dist.ReduceOp.SUM) -> Tensor:
        if self.group is not None:
            dist.all_reduce(values, op=how, group=self.group)
        return values


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, head: Tensor, labels: Tensor, weights: Tensor, how: tuple[int, _Share]
    ) -> tuple[Tensor, Tensor]:
        chunk, share = how
        for_states, for_head = ctx.needs_input_grad[:2]
        each = torch.empty_like(weights)
        grad_states = torch.empty_like(states) if for_states else None
        grad_head = torch.zeros_like(head, dtype=torch.float32) if for_head else None
        for start in range(0, len(labels), chunk):
            rows = slice(start, start + chunk)
            each[rows], slope = _score(states[rows] @ head.T, labels[rows], share)
            slope = (slope * weights[rows, None]).to(states.dtype)
            if grad_states is not None:
                grad_states[rows] = slope @ head
            if grad_head is not None:
                grad_head += slope.T @ states[rows]
        if grad_states is not None:
            share.add(grad_states)
        ctx.save_for_backward(grad_states, None if grad_head is None else grad_head.to(head.dtype))
        ctx.mark_non_differentiable(each)
        return each @ weights, each

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        scale = grads[0]
        scaled = [None if grad is None else grad * scale.to(grad.dtype) for grad in ctx.saved_tensors]
        return *scaled, None, None, None


def _score(logits: Tensor, labels: Tensor, share: _Share) -> tuple[Tensor, Tensor]:
    """(n,) cross-entropy and (n, part of the vocabulary) its slope: probabilities, less 1 at the label."""
    logits = logits.float()
    top = share.add(logits.amax(dim=1), dist.ReduceOp.MAX) if len(logits) else logits.new_zeros(0)
    found = (logits - top[:, None]).exp_()
    norm = share.add(found.sum(dim=1))
    place = labels - share.start
    here = (place >= 0) & (place < share.size)
    place = place.clamp(0, share.size - 1)[:, None]
    of_label = share.add(logits.gather(1, place)[:, 0].masked_fill(~here, 0))
    slope = found.div_(norm[:, None])
    slope.scatter_add_(1, place, -here[:, None].to(slope.dtype))
    return norm.log() + top - of_label, slope
