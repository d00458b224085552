"""The records that the stages of training hand on: a raw sample, a tokenised document, a pack of documents.

Left out on purpose: how one becomes the next (train/chat, train/media.py, train/pack.py); records hold arrays, no rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
NOT_TRAINED = -100
"""Label of a position that no loss is taken of; what torch's cross-entropy ignores by default."""


class RawSample(NamedTuple):
    """One sample of a shard as it lies there, undecoded."""

    source: str
    """Name of the mixture's source."""
    key: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks a sample for
    """Position in the source's epoch order."""
    parts: dict[str, bytes]
    """By member suffix: `jpg`, `0.jpg`, `json`, `txt`."""


class TokenSample(msgspec.Struct, frozen=True, eq=False):
    """One document or conversation of L tokens with P pictures; what train/chat gives."""

    source: str
    key: str
    input_ids: Array
    """(L,) int32; pictures are already expanded to their placeholder tokens."""
    weights: Array
    """(L,) float32 >= 0: of the loss of predicting this token; 0 where it is not trained on, and always at 0."""
    grids: Array
    """(P, 3) int32: t, h, w of each picture in patches, in order; a video's frames are pictures with t = 1."""
    patches: tuple[Array, ...]
    """P arrays (t * h * w, 1176) as Glm4vImageProcessorPil gives them; t * h * w / 4 tokens (merge size 2)."""
    kinds: Array
    """(L,) int8: 0 text, 1 picture token."""


class Pack(msgspec.Struct, frozen=True, eq=False):
    """One row of C tokens for the model: D documents side by side and padding, which is a document of its own."""

    input_ids: Array
    """(C,) int32."""
    labels: Array
    """(C,) int32, shifted inside each document already: NOT_TRAINED at the ends of documents and in padding."""
    weights: Array
    """(C,) float32, aligned with `labels`."""
    positions: Array
    """(4, C) int32: row 0 restarts at 0 in each document, rows 1 to 3 are the 3D positions (time, height, width)."""
    bounds: Array
    """(D + 1,) int32: borders of the documents, padding the last of them."""
    grids: Array
    """(P, 3) int32."""
    patches: Array
    """(sum of t * h * w, 1176)."""
    sources: tuple[str, ...]
    """One a document, none for padding."""
    keys: tuple[str, ...]
