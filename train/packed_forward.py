"""One pack through the model: pictures into their places, then the language model, document by document.

transformers would take a pack in five natural ways, of which four let documents see each other without an error. Here a
pack goes one way, and whoever calls the model in another gets a PackingError.
Left out on purpose: the loss (train/losses.py takes it in chunks, so logits of a whole row are never made).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from train.attention import (
    PICTURES,
    TEXT,
    WHOLE,
    Borders,
    PackingError,
    Plan,
    Shard,
    gather_ranks,
    place_borders,
    plan_attention,
    register_attention,
    shard_rows,
)
from train.data.records import Array, Pack
from train.media import MERGE, PATCH_VALUES
from train.positions import patch_positions, picture_bounds

DUMMY_GRID = np.array([[1, MERGE, MERGE]], np.int32)
"""One token's worth of a picture, for a pack without: its features count zero times, so that every rank runs the vision
tower, forward and backward, in every step; else ranks that shard it would wait for each other for ever."""
Scored = TypeVar("Scored")


class PackedInputs(NamedTuple):
    """A pack on its device: C tokens, of which this rank holds H, and the P pictures of N patches that it looks at."""

    input_ids: Tensor
    """(C,) int64, the whole row: pictures find their places before it is cut."""
    positions: Tensor
    """(4, 1, H) int64."""
    held: Tensor | None
    """(H,) int64, the tokens this rank holds; None for all."""
    plan: Plan
    picture_tokens: Tensor
    """(T,) int64, where the tokens of all pictures stand in the row, by the rank that looks at them; none without."""
    tokens_of_ranks: tuple[int, ...]
    """How many of these each rank finds out."""
    patches: Tensor
    """(N, 1176)."""
    grids: Tensor
    """(P, 3) int64."""
    patch_positions: Tensor
    """(N, 2) int64."""
    picture_borders: Borders


def pack_inputs(
    pack: Pack, image_id: int, *, device: Any = "cpu", dtype: torch.dtype = torch.float32, shard: Shard = WHOLE
) -> PackedInputs:
    """Checks a pack and moves it to the device. Raises PackingError where its parts do not fit each other."""
    check_pack(pack, image_id)

    def move(values: Array, kind: torch.dtype = torch.int64) -> Tensor:
        writable = np.require(values, requirements=("C", "W"))  # torch would warn of a loader's read-only memory
        return torch.from_numpy(writable).to(kind).to(device, non_blocking=True)

    shares = share_pictures(pack.grids, shard.size)
    rows, sizes = shard_rows(len(pack.input_ids), shard), pack.grids.prod(axis=1, dtype=np.int64)
    tokens = _runs(np.flatnonzero(pack.input_ids == image_id), sizes // MERGE**2)
    found = [tokens[picture] for share in shares for picture in share]
    grids, patches = pack.grids[shares[shard.rank]], _runs(pack.patches, sizes)
    shown = [patches[picture] for picture in shares[shard.rank]]
    if not shown:
        grids, shown = DUMMY_GRID, [np.zeros((MERGE**2, PATCH_VALUES), np.float32)]
    return PackedInputs(
        input_ids=move(pack.input_ids),
        positions=move(pack.positions[:, None, rows]),
        held=move(rows) if shard.size > 1 else None,
        plan=plan_attention(pack.bounds, shard, device),
        picture_tokens=move(np.concatenate([np.empty(0, np.int64), *found])),
        tokens_of_ranks=tuple(sum(len(tokens[picture]) for picture in share) for share in shares),
        patches=move(pack.patches if shard.size == 1 and len(pack.grids) else np.concatenate(shown), dtype),
        grids=move(grids),
        patch_positions=move(patch_positions(grids)),
        picture_borders=place_borders(*[picture_bounds(grids).tolist()] * 2, device),
    )


def share_pictures(grids: Array, ranks: int) -> list[list[int]]:
    """Which of (P, 3) pictures each of the ranks of a row looks at: the largest first, to whom has the fewest patches.
    Each looking at all would cost CP 4 more than half again, where half of the tokens are pictures of a 9B."""
    sizes, loads = grids.prod(axis=1, dtype=np.int64), [0] * ranks
    shares: list[list[int]] = [[] for _ in range(ranks)]
    for picture in np.argsort(-sizes, kind="stable").tolist():
        rank = loads.index(min(loads))
        loads[rank] += int(sizes[picture])
        shares[rank].append(picture)
    return [sorted(share) for share in shares]


def _runs(values: Array, lengths: Array) -> list[Array]:
    return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []


def check_pack(pack: Pack, image_id: int) -> None:
    """Raises PackingError for a pack that the model would misread: every sum is taken on the host, before the GPU."""
    length, bounds = len(pack.input_ids), np.asarray(pack.bounds)
    if pack.positions.shape != (4, length):
        raise PackingError(f"pack: expected positions of shape (4, {length}), found {pack.positions.shape}")
    if bounds[0] != 0 or bounds[-1] != length or (np.diff(bounds) < 0).any():
        raise PackingError(f"pack: expected borders from 0 to {length}, found {bounds.tolist()[:20]}")
    starts = np.repeat(bounds[:-1], np.diff(bounds))
    if (pack.positions[0] != np.arange(length) - starts).any():
        raise PackingError("pack: expected row 0 of the positions to restart at 0 in each document, as the borders say")
    patches = int(np.asarray(pack.grids, np.int64).reshape(-1, 3).prod(axis=1).sum())
    tokens = int((pack.input_ids == image_id).sum())
    if patches and pack.patches.shape != (patches, PATCH_VALUES):
        raise PackingError(f"pack: expected ({patches}, {PATCH_VALUES}) patches, found {pack.patches.shape}")
    if patches != tokens * MERGE**2:
        raise PackingError(f"pack: expected {patches // MERGE**2} picture tokens for its grids, found {tokens}")


class PackedModel(nn.Module):
    """A Glm4vForConditionalGeneration, kept as `glm`, that takes packs and nothing else."""

    def __init__(self, glm: Any) -> None:
        super().__init__()
        register_attention()
        self.glm = glm
        self.glm.set_attn_implementation({"text_config": TEXT, "vision_config": PICTURES})
        self._refuse_leaks = True
        for part in (glm.model, glm.model.language_model):
            part.register_forward_pre_hook(self._check_call, with_kwargs=True)

    def forward(
        self, inputs: PackedInputs, score: Callable[[Tensor, nn.Module], Scored] | None = None
    ) -> Tensor | Scored:
        """(H, hidden) states of the tokens this rank holds, or what `score(states, lm_head)` makes of them.

        A score is computed inside, where a sharded head is still whole: chunked losses, or logits of a few rows.
        """
        language = self.glm.model.language_model
        embedded = self._merge(language.get_input_embeddings()(inputs.input_ids), inputs)
        if inputs.held is not None:
            embedded = embedded[inputs.held]
        states: Tensor = language(
            inputs_embeds=embedded[None], position_ids=inputs.positions, use_cache=False, plan=inputs.plan
        ).last_hidden_state[0]
        return states if score is None else score(states, self.glm.lm_head)

    def _merge(self, embedded: Tensor, inputs: PackedInputs) -> Tensor:
        """(C, hidden) with what the vision tower sees in the places of the picture tokens."""
        seen: Tensor = self.glm.model.visual(
            inputs.patches,
            grid_thw=inputs.grids,
            position_ids=inputs.patch_positions,
            cu_seqlens=inputs.picture_borders.queries,
            max_seqlen=0,  # nobody asks: `picture_borders` has it, and the library would fetch it from the GPU
            picture_borders=inputs.picture_borders,
        ).pooler_output
        if not len(inputs.picture_tokens):
            return embedded + seen.sum() * 0
        if inputs.held is not None:
            missing = max(inputs.tokens_of_ranks) - len(seen)
            every = gather_ranks(pad(seen, (0, 0, 0, missing)), inputs.plan.shard)
            seen = torch.cat([part[:count] for part, count in zip(every, inputs.tokens_of_ranks, strict=True)])
        return embedded.index_copy(0, inputs.picture_tokens, seen.to(embedded.dtype))

    @contextmanager
    def as_library(self) -> Iterator[Any]:
        """The model with transformers' own attention, for `generate` and other unpacked calls; back again after it."""
        self._refuse_leaks = False
        self.glm.set_attn_implementation("sdpa")
        try:
            yield self.glm
        finally:
            self.glm.set_attn_implementation({"text_config": TEXT, "vision_config": PICTURES})
            self._refuse_leaks = True

    def _check_call(self, module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._refuse_leaks:
            check_packed_call(named)


def check_packed_call(named: dict[str, Any]) -> None:
    """Raises PackingError for arguments of the language model with which documents of a pack would see each other."""
    if named.get("attention_mask") is not None:
        raise PackingError("packed call: expected no attention_mask, which switches the documents' own masks off")
    if named.get("use_cache") is not False or named.get("past_key_values") is not None:
        raise PackingError("packed call: expected use_cache=False; a cache switches the documents' own masks off")
    positions = named.get("position_ids")
    if positions is None or positions.ndim != 3 or positions.shape[0] != 4:
        found = None if positions is None else tuple(positions.shape)
        raise PackingError(f"packed call: expected positions of shape (4, 1, tokens), text first, found {found}")
    if named.get("plan") is None:
        raise PackingError("packed call: expected the plan of a pack; go through PackedModel, or as_library() to write")
