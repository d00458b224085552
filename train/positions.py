"""Where each token stands: its place in the document, and its place in time, height and width (3D-RoPE).

Equal to transformers' Glm4vModel.get_rope_index, without a loop over pictures: a picture's tokens share one start and
fan out over its rows and columns; what follows begins behind its longer side.
Left out on purpose: joining documents (train/pack.py); every document starts at 0, and only distances within it count.
"""

from __future__ import annotations

import numpy as np

from train.data.records import Array
from train.media import MERGE


def document_positions(kinds: Array, grids: Array) -> Array:
    """(4, L) int32 of one document: row 0 counts tokens, rows 1 to 3 are time, height and width.

    kinds: (L,), 0 text and 1 picture token. grids: (P, 3), t, h, w in patches. Raises ValueError where the tokens are
    not those of the grids, or a picture's tokens do not stand together.
    """
    shapes = _token_shapes(grids)
    sizes = shapes.prod(axis=1)
    seen = np.flatnonzero(kinds)
    if len(seen) != sizes.sum():
        raise ValueError(f"positions: expected {sizes.sum()} picture tokens for {len(sizes)} grids, found {len(seen)}")
    owner = np.repeat(np.arange(len(sizes)), sizes)
    order = np.arange(len(seen)) - (np.cumsum(sizes) - sizes)[owner]
    ends = seen[np.cumsum(sizes) - 1] if len(sizes) else seen
    if (ends - (sizes - 1) != seen[order == 0]).any():
        raise ValueError("positions: expected the tokens of a picture next to each other, found others between them")
    step = np.where(kinds == 0, 1, 0)
    step[ends] = shapes[:, 1:].max(axis=1, initial=0)
    starts = np.cumsum(step) - step
    positions = np.tile(starts, (4, 1))
    positions[0] = np.arange(len(kinds))
    rows, columns = shapes[owner, 1], shapes[owner, 2]
    positions[1:, seen] += np.stack([order // (rows * columns), order // columns % rows, order % columns])
    return positions.astype(np.int32)


def patch_positions(grids: Array) -> Array:
    """(N, 2) int64: row and column in its picture of each patch, in the order of `patches` (by tokens of 2 × 2)."""
    shapes = _token_shapes(grids)
    sizes = shapes.prod(axis=1) * MERGE**2
    owner = np.repeat(np.arange(len(sizes)), sizes)
    order = np.arange(len(owner)) - (np.cumsum(sizes) - sizes)[owner]
    token, corner = order // MERGE**2, order % MERGE**2
    row, column = token // shapes[owner, 2] % shapes[owner, 1], token % shapes[owner, 2]
    return np.stack([row * MERGE + corner // MERGE, column * MERGE + corner % MERGE], axis=1)


def picture_bounds(grids: Array) -> Array:
    """(S + 1,) int32: borders of the time slices of all pictures in `patches`; each slice sees itself alone."""
    shapes = np.asarray(grids, np.int64).reshape(-1, 3)
    sizes = np.repeat(shapes[:, 1] * shapes[:, 2], shapes[:, 0])
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _token_shapes(grids: Array) -> Array:
    """(P, 3) int64: t, h, w in tokens."""
    shapes = np.asarray(grids, np.int64).reshape(-1, 3)
    if (shapes < 1).any() or (shapes[:, 1:] % MERGE).any():
        raise ValueError(f"positions: expected grids of even height and width, found {shapes.tolist()}")
    return shapes // (1, MERGE, MERGE)
