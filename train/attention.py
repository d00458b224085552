"""Attention over packs: a token sees the earlier tokens of its own document, whatever else lies in the row.

What may see what follows from the documents' borders alone, planned once a pack on the host. On CUDA torch's
varlen_attn computes it, elsewhere one scaled_dot_product_attention a document, and never a mask of the whole row.
With context parallelism a rank holds two stretches of the row, an early and a late one, so that all have like work, and
gathers the keys and values of the others: GLM-4.1V has two heads of them.
Left out on purpose: keys of a cache; a model that writes goes through transformers' own attention (packed_forward.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from train.data.records import Array

TEXT, PICTURES = "beamsift_packed", "beamsift_flash_pictures"
"""Names in transformers' registry. Only where a name says flash does Glm4v's vision tower hand over all pictures at
once; else it splits them by a list of their sizes, for which it waits for the GPU in every layer."""
HALF = (torch.bfloat16, torch.float16)


class PackingError(ValueError):
    """A call of the model that would let documents of a pack see each other, or a pack that does not fit itself."""


class Shard(NamedTuple):
    """Which part of each row this process holds; the whole one without context parallelism."""

    rank: int = 0
    size: int = 1
    group: Any = None


WHOLE = Shard()


class Borders(NamedTuple):
    """Where D documents begin and end among queries and among keys; the last key is that of the last query.

    The kernel reads what is on the device and two numbers; a compiled layer that read the lists would be compiled again
    for every pack.
    """

    queries: Tensor
    """(D + 1,) int32 from 0."""
    keys: Tensor
    longest_queries: int
    longest_keys: int
    query_list: tuple[int, ...]
    key_list: tuple[int, ...]


class Stretch(NamedTuple):
    """Queries that lie next to each other, and the stretch of keys that holds all they may see."""

    queries: slice
    """Among those this rank holds."""
    keys: slice
    """In the row."""
    borders: Borders


class Plan(NamedTuple):
    """What `packed_attention` needs to know of a pack; given to each layer as `plan`."""

    length: int
    """Tokens of the whole row."""
    stretches: tuple[Stretch, ...]
    shard: Shard


def shard_stretches(length: int, shard: Shard) -> list[tuple[int, int]]:
    """The parts of a row of `length` tokens that a rank holds: of 2 × size parts the nth and the nth from behind."""
    if shard.size == 1:
        return [(0, length)]
    part, left = divmod(length, 2 * shard.size)
    if left:
        raise PackingError(f"packs: expected a multiple of {2 * shard.size} tokens for CP {shard.size}, found {length}")
    return [(n * part, (n + 1) * part) for n in (shard.rank, 2 * shard.size - 1 - shard.rank)]


def shard_rows(length: int, shard: Shard) -> Array:
    """(length / size,) int64: the tokens of a row that a rank holds, in its order; labels and weights go likewise."""
    return np.concatenate([np.arange(*stretch) for stretch in shard_stretches(length, shard)])


def plan_attention(bounds: Sequence[int] | Array, shard: Shard = WHOLE, device: Any = "cpu") -> Plan:
    """From the (D + 1,) borders of the documents of a row, padding among them."""
    borders = np.unique(np.asarray(bounds, np.int64))
    length, stretches, held = int(borders[-1]), [], 0
    for start, end in shard_stretches(length, shard):
        first = int(borders[np.searchsorted(borders, start, side="right") - 1])
        inside = [int(border) for border in borders[(borders > start) & (borders < end)]]
        queries, keys = [start, *inside, end], [first, *inside, end]
        made = place_borders([place - start for place in queries], [place - first for place in keys], device)
        stretches.append(Stretch(slice(held, held + end - start), slice(first, end), made))
        held += end - start
    return Plan(length, tuple(stretches), shard)


def place_borders(queries: Sequence[int], keys: Sequence[int], device: Any) -> Borders:
    on_device = [torch.tensor(places, dtype=torch.int32).to(device, non_blocking=True) for places in (queries, keys)]
    longest = [max(end - start for start, end in pairwise(places)) for places in (queries, keys)]
    return Borders(on_device[0], on_device[1], longest[0], longest[1], tuple(queries), tuple(keys))


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    plan: Plan | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """The language model's attention, (1, heads, tokens, size) to (1, tokens, heads, size). Raises PackingError
    without a plan: then nothing would say where a document ends."""
    if plan is None or attention_mask is not None or dropout:
        raise PackingError("attention: expected the plan of a pack, no mask, no dropout: go through PackedModel")
    if plan.shard.size > 1:
        key, value = gather_row(torch.stack([key, value]), plan.shard)
    if query.shape[0] != 1 or key.shape[2] != plan.length:
        raise PackingError(f"attention: expected one row of {plan.length} tokens, found {tuple(key.shape)}")
    seen = [
        attend(query[:, :, part.queries], key[:, :, part.keys], value[:, :, part.keys], part.borders, scale=scaling)
        for part in plan.stretches
    ]
    return (seen[0] if len(seen) == 1 else torch.cat(seen, dim=1)), None


def picture_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    picture_borders: Borders | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """The vision tower's: every patch sees all patches of its own picture."""
    if picture_borders is None:
        raise PackingError("attention: expected the borders of the pictures: go through PackedModel")
    return attend(query, key, value, picture_borders, scale=scaling, causal=False), None


def register_attention() -> None:
    """Makes both known to transformers, in this process."""
    from transformers import AttentionInterface

    AttentionInterface.register(TEXT, packed_attention)
    AttentionInterface.register(PICTURES, picture_attention)


def attend(query: Tensor, key: Tensor, value: Tensor, borders: Borders, *, scale: float, causal: bool = True) -> Tensor:
    """(1, heads, tokens, size) to (1, tokens, heads, size), each document for itself."""
    way = _attend_at_once if query.is_cuda and query.dtype in HALF else _attend_in_turn
    return way(query, key, value, borders, scale=scale, causal=causal)


def gather_row(part: Tensor, shard: Shard) -> Tensor:
    """(…, length / size, d) of each rank to (…, length, d) of the row, in its order; gradients are added up."""
    early, late = gather_ranks(part, shard).unflatten(-2, (2, -1)).unbind(-3)  # type: ignore[no-untyped-call]
    return torch.cat([*early, *late.flip(0)], dim=-2)


def gather_ranks(part: Tensor, shard: Shard) -> Tensor:
    """(…) of each rank, of one shape, to (size, …); a part's gradient is the sum of what all ranks found for it."""
    every: Tensor = _Gather.apply(part, shard)  # type: ignore[no-untyped-call]
    return every


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, shard: Shard) -> Tensor:
        ctx.group = shard.group
        every = part.new_empty(shard.size * part.numel())
        dist.all_gather_single(every, part.flatten(), group=shard.group)
        return every.view(shard.size, *part.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        own = grads[0].new_empty(grads[0][0].numel())
        dist.reduce_scatter_single(own, grads[0].flatten(), group=ctx.group)
        return own.view(grads[0].shape[1:]), None


def _attend_in_turn(
    query: Tensor, key: Tensor, value: Tensor, borders: Borders, *, scale: float, causal: bool
) -> Tensor:
    seen = []
    for (start, end), (first, last) in zip(pairwise(borders.query_list), pairwise(borders.key_list), strict=True):
        told, known = end - start, last - first
        # Keys end where queries end; torch's is_causal would align their beginnings.
        mask = query.new_ones((told, known), dtype=torch.bool).tril(known - told) if causal and told != known else None
        seen.append(
            scaled_dot_product_attention(
                query[:, :, start:end],
                key[:, :, first:last],
                value[:, :, first:last],
                attn_mask=mask,
                is_causal=causal and mask is None,
                scale=scale,
                enable_gqa=query.shape[1] != key.shape[1],
            )
        )
    return torch.cat(seen, dim=2).transpose(1, 2)


def _attend_at_once(
    query: Tensor, key: Tensor, value: Tensor, borders: Borders, *, scale: float, causal: bool
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    seen = varlen_attn(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        borders.queries,
        borders.keys,
        borders.longest_queries,
        borders.longest_keys,
        scale=scale,
        window_size=(-1, 0) if causal else (-1, -1),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(seen, Tensor)
    return seen[None]
