"""Image quality: what is measured on one picture, and the rules that turn a picture away.

Left out on purpose: decoding (transforms/pictures.py), sharpness and aesthetics, which the papers do not name.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from configs.schema.caption import ImageRules
from transforms.limits import Limit, Table, check_above
from transforms.records import Drop, Measures, Picture

# 16k grey values put the standard error of grey_std under 1 % of it, at a tenth of the cost of a 512 x 384 picture.
SAMPLED_PIXELS = 16_384

# ITU-R BT.601 luma in 1/256; the weights add up to 256, so that a grey pixel keeps its value.
_LUMA = (np.uint16(77), np.uint16(150), np.uint16(29))
_LEVELS = np.arange(256, dtype=np.float64)


def measure_shape(width: int, height: int, frames: int, size: int) -> Measures:
    """Measures of the header: pixels, a ratio of longer over shorter side, frames, and `size` bytes of the file."""
    return {
        "short_side": min(width, height),
        "aspect_ratio": round(max(width, height) / min(width, height), 4),
        "pixel_count": width * height,
        "frames": frames,
        "bytes": size,
    }


def measure_content(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Measures:
    """`grey_std` in grey levels (0..255) and `entropy` in bits of the 256-bin grey histogram, on a fixed sample.

    `pixels` is (height, width, 3) RGB or (height, width, 4) RGBA; transparent pixels are composited on white.
    """
    counts = np.bincount(_sample_grey(pixels), minlength=256).astype(np.float64)
    share = counts / counts.sum()
    mean = share @ _LEVELS
    variance = share @ (_LEVELS - mean) ** 2
    present = share[share > 0]
    entropy = -(present @ np.log2(present))
    # max(): a single level gives -0.0.
    return {"grey_std": round(float(np.sqrt(variance)), 4), "entropy": max(0.0, round(float(entropy), 4))}


def _sample_grey(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint16]]:
    height, width, channels = pixels.shape
    sample = pixels.reshape(-1, channels)[:: _step(height * width, width)]
    # One channel after the other: several times faster than converting the strided (n, 3) sample first.
    grey = sample[:, 0].astype(np.uint16) * _LUMA[0]
    grey += sample[:, 1].astype(np.uint16) * _LUMA[1]
    grey += sample[:, 2].astype(np.uint16) * _LUMA[2]
    grey >>= 8
    if channels == 4:
        alpha = sample[:, 3].astype(np.uint16)
        # At most 255 * 255 + 127 = 65152: fits 16 bits.
        grey = (grey * alpha + 255 * (255 - alpha) + 127) // 255
    return grey


def _step(count: int, width: int) -> int:
    """A stride that shares no factor with the width, so that every column is seen: stripes must not look solid."""
    step = -(-count // SAMPLED_PIXELS)
    while gcd(step, width) > 1:
        step += 1
    return step


SHAPE = Table(
    [
        Limit("image_too_many_pixels", "pixel_count", "max_pixel_count"),
        Limit("image_too_small", "short_side", "min_short_side"),
        Limit("image_aspect_ratio", "aspect_ratio", "max_aspect_ratio"),
        Limit("image_too_few_pixels", "pixel_count", "min_pixel_count"),
    ]
)
CONTENT = Table(
    [
        Limit("image_solid_colour", "grey_std", "min_grey_std"),
        Limit("image_low_information", "entropy", "min_entropy"),
    ]
)


def check_image(picture: Picture, rules: ImageRules) -> Drop | None:
    """The first rule that fires: shape, animation, content."""
    if not rules.enabled:
        return None
    return (
        SHAPE.first_crossed(picture, rules) or _check_animated(picture, rules) or CONTENT.first_crossed(picture, rules)
    )


def _check_animated(picture: Picture, rules: ImageRules) -> Drop | None:
    return None if rules.allow_animated else check_above(picture, "frames", 1, "image_animated")
