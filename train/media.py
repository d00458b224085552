"""Pictures and video frames to the patches that Glm4v reads, bit for bit those of transformers' Glm4vImageProcessorPil.

A video is a run of pictures: two frames after each other are one picture of two time slices, with its second as text.
So pictures and videos take one way through the model and may stand in one pack.
Left out on purpose: transformers and torch, which a decoding worker would load for seconds and hundreds of megabytes;
video files, of which no frame is decoded yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from train.data.records import Array

PATCH, MERGE, SLICES = 14, 2, 2
"""Pixels a side of a patch; patches a side of a token; time slices of a patch (a still picture fills both)."""
FACTOR = PATCH * MERGE
PATCH_VALUES = 3 * SLICES * PATCH * PATCH
"""1176 values of a patch: colour, time, row, column."""
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pixels CLIP was trained on; what GLM-4.1V's own preprocessor_config.json names."""
MOST_ASPECT = 200


class MediaError(ValueError):
    """A picture or video that cannot become patches: a fault of the sample, not of the run."""


class PixelLimits(NamedTuple):
    """Height × width × time slices of what is shown after resizing; a still picture counts twice, as in the library."""

    least: int = 112 * 112
    most: int = 28 * 28 * 15000


PICTURE_LIMITS = PixelLimits()
VIDEO_LIMITS = PixelLimits(112 * 112, 28 * 28 * 2 * 30000)
"""Of all frames of a video together; Glm4vVideoProcessor's own."""


class Patches(NamedTuple):
    """One picture as the model reads it."""

    values: Array
    """(t * h * w, 1176) float32, tokens of 2 × 2 patches after each other."""
    grid: tuple[int, int, int]
    """t, h, w in patches."""


def fit_size(height: int, width: int, limits: PixelLimits = PICTURE_LIMITS, slices: int = SLICES) -> tuple[int, int]:
    """Height and width in pixels, multiples of 28, that a picture is resized to. Raises MediaError for a sliver."""
    if min(height, width) < 1:
        raise MediaError(f"picture: expected at least one pixel, found {width}x{height}")
    if min(height, width) < FACTOR:
        scale = max(FACTOR / height, FACTOR / width)
        height, width = int(height * scale), int(width * scale)
    if max(height, width) / min(height, width) > MOST_ASPECT:
        raise MediaError(f"picture: expected sides of at most {MOST_ASPECT} to 1, found {width}x{height}")
    fitted = round(height / FACTOR) * FACTOR, round(width / FACTOR) * FACTOR
    shown = round(slices / SLICES) * SLICES * fitted[0] * fitted[1]
    if shown > limits.most:
        shrink = math.sqrt(slices * height * width / limits.most)
        return _floor(height / shrink), _floor(width / shrink)
    if shown < limits.least:
        grow = math.sqrt(limits.least / (slices * height * width))
        return math.ceil(height * grow / FACTOR) * FACTOR, math.ceil(width * grow / FACTOR) * FACTOR
    return fitted


def _floor(side: float) -> int:
    return max(FACTOR, math.floor(side / FACTOR) * FACTOR)


def count_tokens(height: int, width: int, limits: PixelLimits = PICTURE_LIMITS) -> int:
    """Tokens of a still picture, from its size alone."""
    fitted = fit_size(height, width, limits)
    return fitted[0] * fitted[1] // FACTOR**2


def picture_patches(picture: Image.Image | Array, limits: PixelLimits = PICTURE_LIMITS) -> Patches:
    """A still picture, or its pixels (height, width, 3 or 4) uint8; it is shown in RGB, on white.
    Raises MediaError for a sliver, OSError for a broken file."""
    picture = _shown(picture)
    return _patches([_resized(picture, fit_size(picture.height, picture.width, limits))] * SLICES)


def video_patches(frames: Sequence[Image.Image | Array], limits: PixelLimits = VIDEO_LIMITS) -> list[Patches]:
    """Frames of one size, two and two; the last of an odd number fills both slices. A grid of t = 1 each."""
    shown = [_shown(frame) for frame in frames]
    sizes = {frame.size for frame in shown}
    if len(sizes) != 1:
        raise MediaError(f"video: expected frames of one size, found {len(shown)} frames of {len(sizes)} sizes")
    [(width, height)] = sizes
    # The library refuses a video of one frame; we show it as what it becomes, a pair of equal frames.
    fitted = fit_size(height, width, limits, slices=max(len(shown), SLICES))
    resized = [_resized(frame, fitted) for frame in shown]
    resized += resized[-1:] * (len(resized) % SLICES)
    return [_patches(resized[start : start + SLICES]) for start in range(0, len(resized), SLICES)]


@dataclass(frozen=True)
class Look:
    """What the chat side asks for: files as they lie in a shard, decoded as curation decodes them and cut to patches.

    All raise MediaError for a file that is broken, a sliver, or larger than `most_pixels`.
    """

    pictures: PixelLimits = PICTURE_LIMITS
    videos: PixelLimits = VIDEO_LIMITS
    most_pixels: int = 178_956_970
    """Of the header, before anything is decoded; read.max_decode_pixels of curation."""

    def picture(self, data: bytes) -> Patches:
        return picture_patches(self._decode(data), self.pictures)

    def video(self, frames: Sequence[bytes]) -> list[Patches]:
        """A picture for each two frames."""
        return video_patches([self._decode(frame) for frame in frames], self.videos)

    def shown(self, data: bytes) -> Image.Image:
        """In RGB, on white, in its own size: what `picture` cuts to patches, for people to look at."""
        return _shown(self._decode(data))

    def _decode(self, data: bytes) -> Array:
        from transforms.picture_headers import PictureError
        from transforms.pictures import decode  # scipy with it, which a plan of lengths needs not

        try:
            return decode(data, self.most_pixels)
        except PictureError as error:
            raise MediaError(f"{error.error}: {error}") from error


def choose_frames(frames: int, fps: float, *, wanted_fps: float = 2.0, most_seconds: float = 300.0) -> list[int]:
    """Which frames are shown, an even number, the last one twice where needed; Glm4vVideoProcessor's choice."""
    last = frames - 1
    seconds = round(last / fps) + 1
    if seconds <= most_seconds:
        chosen = [min(last, math.ceil(n * fps / wanted_fps)) for n in range(max(math.floor(seconds * wanted_fps), 1))]
    elif (count := int(most_seconds * wanted_fps)) >= frames:
        chosen = list(range(frames))
    else:
        chosen = [min(last, math.ceil(t * fps)) for t in np.linspace(0, seconds, count, endpoint=True)]
    chosen = list(dict.fromkeys(chosen))
    return chosen + chosen[-1:] * (len(chosen) % SLICES)


def video_seconds(chosen: Sequence[int], fps: float) -> list[int]:
    """The whole second that is written behind each pair of frames: that of its first."""
    return [int(frame / fps) for frame in chosen[::SLICES]]


def expand_pictures(ids: Array, grids: Array, image_id: int) -> tuple[Array, Array]:
    """(L,) int32 ids with each picture's one placeholder as often as it has tokens, and (L,) int8 kinds of tokens."""
    marks = ids == image_id
    if marks.sum() != len(grids):
        raise MediaError(f"sample: expected a placeholder for each picture, found {marks.sum()} for {len(grids)}")
    repeats = np.ones(len(ids), np.int64)
    repeats[marks] = np.asarray(grids, np.int64).reshape(-1, 3).prod(axis=1) // MERGE**2
    return np.repeat(ids, repeats).astype(np.int32), np.repeat(marks, repeats).astype(np.int8)


def _shown(picture: Image.Image | Array) -> Image.Image:
    """In RGB, on white where it is transparent, as in the library. Raises OSError for a broken file."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    if "A" not in picture.getbands() and picture.info.get("transparency") is None:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    clear = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, (255, 255, 255, 255)), clear).convert("RGB")


def _resized(picture: Image.Image, size: tuple[int, int]) -> Array:
    """(height, width, 3) uint8."""
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _patches(slices: Sequence[Array]) -> Patches:
    """Two pictures of one size, (height, width, 3) uint8, as patches."""
    height, width = slices[0].shape[0] // PATCH, slices[0].shape[1] // PATCH
    blocks = (height // MERGE, MERGE, PATCH, width // MERGE, MERGE, PATCH, 3)
    made = np.empty((height // MERGE, width // MERGE, MERGE, MERGE, 3, SLICES, PATCH, PATCH), np.float32)
    for slot, pixels in enumerate(slices):
        if slot and pixels is slices[0]:
            made[:, :, :, :, :, slot] = made[:, :, :, :, :, 0]
            continue
        cut = pixels.reshape(blocks).transpose(0, 3, 1, 4, 6, 2, 5)
        for colour in range(3):
            made[:, :, :, :, colour, slot] = _scale()[colour][cut[:, :, :, :, colour]]
    return Patches(made.reshape(height * width, PATCH_VALUES), (1, height, width))


@cache
def _scale() -> Array:
    """(3, 256) float32: what each value of a pixel becomes in each colour, by the library's own order of operations."""
    values = (np.arange(256, dtype=np.uint8).astype(np.float64) * (1 / 255)).astype(np.float32)
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    return (values - mean[:, None]) / std[:, None]
