"""Perceptual hash: 64 bits that stay nearly the same when a picture is resized, recompressed or recoloured.

Bit for bit `imagehash.phash`: grey, 32 x 32 by Lanczos, the 8 x 8 lowest frequencies of its cosine transform, each
above their median or not. Left out on purpose: decoding (transforms/pictures.py), who is near (transforms/hamming.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

SIDE, FREQUENCIES = 32, 8
HASH_BYTES = FREQUENCIES * FREQUENCIES // 8

_ROWS, _COLUMNS = np.arange(FREQUENCIES)[:, None], np.arange(SIDE)[None]
_COSINES = 2 * np.cos(np.pi * _ROWS * (2 * _COLUMNS + 1) / (2 * SIDE))
"""DCT-II without norm, as scipy.fftpack has it, cut to the frequencies that are looked at."""
_EXACT_ZERO_DECIMALS = 6
"""A flat or symmetric picture has coefficients that are exactly 0, which the oracle's FFT gives and a matrix product
misses by 1e-11; coefficients of whole grey levels that are not 0 are hardly ever below 1e-6."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def shrink_grey(pixels: Pixels) -> Pixels:
    """(32, 32) grey of (height, width, 3) RGB or (…, 4) RGBA, as PIL makes it; transparency is not looked at."""
    return np.asarray(Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def hash_grey(grey: Pixels) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """(n,) hashes of (n, 32, 32) grey pictures; the first bit of a hash is the mean, its highest bit."""
    waves = np.round(_COSINES @ grey.astype(np.float64) @ _COSINES.T, _EXACT_ZERO_DECIMALS).reshape(-1, FREQUENCIES**2)
    middle = np.sort(waves, axis=1)[:, [waves.shape[1] // 2 - 1, waves.shape[1] // 2]].mean(axis=1)
    bits = np.packbits(waves > middle[:, None], axis=1)
    return bits.view(">u8")[:, 0].astype(np.uint64)


def hash_likeness(pixels: Pixels) -> bytes:
    """The hash of one decoded picture, 8 bytes, highest bit first: `imagehash.phash` prints the same in hex."""
    return int(hash_grey(shrink_grey(pixels)[None])[0]).to_bytes(HASH_BYTES, "big")
