"""Perceptual hash: 64 bits that stay nearly the same when a picture is resized, recompressed or recoloured.

Bit for bit `imagehash.phash`: grey, 32 x 32 by Lanczos, the 8 x 8 lowest frequencies of its cosine transform, each
above their median or not. Beside it a look, asked about pairs whose hashes are near: of the 16 x 16 lowest frequencies
which are strong, their signs, the shape, and the colours of a 4 x 4 grid. Drawings of one template differ in these.
Left out on purpose: decoding (transforms/pictures.py), who is near (transforms/hamming.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.fftpack
from PIL import Image

SIDE, FREQUENCIES = 32, 8
HASH_BYTES = FREQUENCIES * FREQUENCIES // 8

_ROWS, _COLUMNS = np.arange(FREQUENCIES)[:, None], np.arange(SIDE)[None]
_COSINES = 2 * np.cos(np.pi * _ROWS * (2 * _COLUMNS + 1) / (2 * SIDE))
"""DCT-II without norm, as scipy.fftpack has it, cut to the frequencies that are looked at."""
_TIE = 1e-6
"""Nearer to the median than this a coefficient is on the side that the oracle's own transform gives it: ours and its
differ by 1e-11, which tells where it is flat or symmetric pictures that tie."""

LOOK_SIDE, LOOK_FREQUENCIES = 64, 16
_PLANE, _GRID = LOOK_FREQUENCIES**2 // 8, 4
LOOK_BYTES = 2 * _PLANE + 2 + 2 * _GRID**2 + 1
_LOOK_COSINES = 2 * np.cos(
    np.pi * np.arange(LOOK_FREQUENCIES)[:, None] * (2 * np.arange(LOOK_SIDE)[None] + 1) / (2 * LOOK_SIDE)
)
_ZERO_DECIMALS = 6
"""Grey levels of amplitude: of a picture that is flat or symmetric, rounding alone."""
_STRONG_LEAST = 0.05
"""Grey levels of amplitude below which a frequency is never strong: rounding of a picture without detail."""
_SHAPE_STEPS = 1000
"""A picture's shape is the logarithm of its aspect ratio, in thousandths."""
SHAPE_TOLERANCE = 50
"""5 % of aspect ratio: resizing keeps it, a crop of 2 % on each side changes it by less than 2 % up to 3:1. Two thirds
of the false pairs among drawn screens differ by more (measured)."""
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]).T
"""Cb and Cr of JFIF, of RGB."""
_COLOURFUL, _LIKE_HUE = 26.0, 0.5
"""Chroma from which a cell has a hue, and the cosine of 60 degrees: of two cells with a hue that are further apart, one
picture is not the other. A grey copy has no hue; warmer and saturated copies keep theirs. Six in ten of the drawn
screens that passed the frequencies differ so, of copies made warmer 1 % (measured)."""

_FLAT_SIDE, _FLAT_SHARE, _TEXTURED_WEIGHT = 128, 0.35, 0.4
"""A picture whose grey of 128 x 128 has the level of both neighbours, give or take one, in a share of places below 0.35
has texture. Between two such a difference counts 0.4: narrow crops and clipped light move their frequencies by up to
0.12, and only drawings of one template are as like as that. Photos have a share of 0.26 (median), screens of 0.34 and
more (measured)."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Looks = np.ndarray[Any, np.dtype[np.uint8]]


def shrink_grey(pixels: Pixels) -> Pixels:
    """(32, 32) grey of (height, width, 3) RGB or (…, 4) RGBA, as PIL makes it; transparency is not looked at."""
    return np.asarray(Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def hash_grey(grey: Pixels) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """(n,) hashes of (n, 32, 32) grey pictures; the first bit of a hash is the mean, its highest bit."""
    waves = (_COSINES @ grey.astype(np.float64) @ _COSINES.T).reshape(-1, FREQUENCIES**2)
    bits, apart = _above_median(waves)
    ties = np.flatnonzero(apart < _TIE)
    bits[ties] = _above_median(_oracle_waves(grey[ties]))[0]
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def _above_median(waves: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Of (n, 64) coefficients which are above their median, and how near the nearest of each is to it."""
    middle = np.sort(waves, axis=1)[:, [waves.shape[1] // 2 - 1, waves.shape[1] // 2]].mean(axis=1)[:, None]
    return waves > middle, np.abs(waves - middle).min(axis=1)


def _oracle_waves(grey: Pixels) -> np.ndarray[Any, Any]:
    waves = scipy.fftpack.dct(scipy.fftpack.dct(grey, axis=1), axis=2)
    kept: np.ndarray[Any, Any] = waves[:, :FREQUENCIES, :FREQUENCIES].reshape(-1, FREQUENCIES**2)
    return kept


def hash_likeness(pixels: Pixels) -> bytes:
    """The hash of one decoded picture, 8 bytes, highest bit first: `imagehash.phash` prints the same in hex."""
    return int(hash_grey(shrink_grey(pixels)[None])[0]).to_bytes(HASH_BYTES, "big")


def measure_look(pixels: Pixels) -> bytes:
    """LOOK_BYTES of one decoded picture: its strong frequencies, their signs, its shape, its colours, how flat it is.

    A frequency is strong above the median of all amplitudes, so that contrast and light do not matter. The mean is
    none of them.
    """
    picture = Image.fromarray(pixels)
    whole = picture.convert("L")
    grey = whole.resize((LOOK_SIDE, LOOK_SIDE), Image.Resampling.LANCZOS)
    waves = _LOOK_COSINES @ np.asarray(grey).astype(np.float64) @ _LOOK_COSINES.T / LOOK_SIDE**2
    waves = np.round(waves.reshape(-1), _ZERO_DECIMALS)
    waves[0] = 0
    size = np.abs(waves)
    strong = size > max(float(np.median(size[1:])), _STRONG_LEAST)
    ratio = round(_SHAPE_STEPS * math.log(pixels.shape[1] / pixels.shape[0]))
    shape = max(-(1 << 15), min((1 << 15) - 1, ratio)).to_bytes(2, "big", signed=True)
    cells = np.asarray(picture.convert("RGB").resize((_GRID, _GRID), Image.Resampling.BOX)).astype(np.float64)
    colours = np.clip(np.round(cells.reshape(-1, 3) @ _CHROMA), -127, 127).astype(np.int8)
    planes: bytes = np.packbits([strong, strong & (waves > 0)]).tobytes()
    return planes + shape + bytes(colours.tobytes()) + _flat_share(whole).to_bytes()


def _flat_share(grey: Image.Image) -> int:
    """In 255ths."""
    levels = np.asarray(grey.resize((_FLAT_SIDE, _FLAT_SIDE), Image.Resampling.BOX)).astype(np.int16)
    across, down = np.abs(np.diff(levels, axis=1))[:-1], np.abs(np.diff(levels, axis=0))[:, :-1]
    return round(255 * float(((across <= 1) & (down <= 1)).mean()))


def look_difference(left: Looks, right: Looks) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Share of (n, LOOK_BYTES) looks that differs, pair by pair, 0 to 1, in four decimals; 1 where shape or hue do.

    Of the frequencies strong in one of two pictures, those strong in one only or of the other sign (twice as bad) to
    twice all. Two pictures without any differ in nothing. Between pictures with texture it counts 0.4.
    """
    bits = [np.ascontiguousarray(looks[:, : 2 * _PLANE]).view(np.uint64) for looks in (left, right)]
    (one, plus), (other, minus) = (np.split(planes, 2, axis=1) for planes in bits)
    alone, opposite = (
        np.bitwise_count(found).sum(1, np.int64) for found in (one ^ other, one & other & (plus ^ minus))
    )
    either = np.bitwise_count(one | other).sum(1, np.int64)
    share = (alone + 2 * opposite) / np.maximum(2 * either, 1)
    share *= np.where(np.minimum(left[:, -1], right[:, -1]) < 255 * _FLAT_SHARE, _TEXTURED_WEIGHT, 1.0)
    differing: np.ndarray[Any, np.dtype[np.float64]] = np.where(_unlike(left, right), 1.0, np.round(share, 4))
    return differing


def _unlike(left: Looks, right: Looks) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether two pictures have another shape, or another hue in any cell."""
    end = 2 * _PLANE + 2
    shapes = [
        np.ascontiguousarray(looks[:, 2 * _PLANE : end]).view(">i2")[:, 0].astype(np.int64) for looks in (left, right)
    ]
    one, other = (
        np.ascontiguousarray(looks[:, end:-1]).view(np.int8).astype(np.float32).reshape(-1, _GRID**2, 2)
        for looks in (left, right)
    )
    sizes = [np.sqrt((colours**2).sum(2)) for colours in (one, other)]
    turned = (one * other).sum(2) < _LIKE_HUE * sizes[0] * sizes[1]
    hue = (turned & (sizes[0] > _COLOURFUL) & (sizes[1] > _COLOURFUL)).any(1)
    found: np.ndarray[Any, np.dtype[np.bool_]] = hue | (np.abs(shapes[0] - shapes[1]) > SHAPE_TOLERANCE)
    return found
