"""A pack on its way to the model: checked on the host, its tokens and pictures shared among ranks, moved to the device.

Left out on purpose: joining documents (train/pack.py). Sizes that the model asks for are known here, so that it never
waits for the GPU to tell them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from train.attention import WHOLE, Borders, PackingError, Plan, Shard, place_borders, plan_attention, shard_rows
from train.data.records import Array, Pack
from train.media import MERGE, PATCH_VALUES
from train.positions import patch_positions, picture_bounds

DUMMY_GRID = np.array([[1, MERGE, MERGE]], np.int32)
"""One token's worth of a picture, for a pack without: its features count zero times, so that every rank runs the vision
tower, forward and backward, in every step; else ranks that shard it would wait for each other for ever."""


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
    shares = share_pictures(pack.grids, shard.size)
    rows = shard_rows(len(pack.input_ids), shard)
    sizes = pack.grids.prod(axis=1, dtype=np.int64)
    tokens = _runs(np.flatnonzero(pack.input_ids == image_id), sizes // MERGE**2)
    found = [tokens[picture] for share in shares for picture in share]
    grids, patches = _shown(pack, shares[shard.rank])
    borders = picture_bounds(grids).tolist()

    def move(values: Array, kind: torch.dtype = torch.int64) -> Tensor:
        writable = np.require(values, requirements=("C", "W"))  # torch would warn of a loader's read-only memory
        return to_device(torch.from_numpy(writable).to(kind), device)

    return PackedInputs(
        input_ids=move(pack.input_ids),
        positions=move(pack.positions[:, None, rows]),
        held=move(rows) if shard.size > 1 else None,
        plan=plan_attention(pack.bounds, shard, device),
        picture_tokens=move(np.concatenate([np.empty(0, np.int64), *found])),
        tokens_of_ranks=tuple(sum(len(tokens[picture]) for picture in share) for share in shares),
        patches=move(patches, dtype),
        grids=move(grids),
        patch_positions=move(patch_positions(grids)),
        picture_borders=place_borders(borders, borders, device),
    )


def to_device(values: Tensor, device: Any) -> Tensor:
    """Through pinned memory: of any other, the host would wait until the device has done all it was asked before."""
    if torch.device(device).type == "cpu":
        return values
    return values.pin_memory().to(device, non_blocking=True)


def _shown(pack: Pack, share: list[int]) -> tuple[Array, Array]:
    """Grids and patches of the pictures that a rank looks at, or of the dummy."""
    if not share:
        return DUMMY_GRID, np.zeros((MERGE**2, PATCH_VALUES), np.float32)
    if len(share) == len(pack.grids):
        return pack.grids, pack.patches
    runs = _runs(pack.patches, pack.grids.prod(axis=1, dtype=np.int64))
    return pack.grids[share], np.concatenate([runs[picture] for picture in share])


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
