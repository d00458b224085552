"""Textured grounds: what the things of the world stand on, as arrays of pixels, with their names in two languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

Pixels = np.ndarray
Paint = Callable[[np.random.Generator, int, int], Pixels]


class Ground(NamedTuple):
    """`phrase` ends a sentence ("on a wooden table"); `near` are colours that cannot be told from it."""

    phrase: str
    chinese: str
    near: frozenset[str]
    paint: Paint


def flat(rng: np.random.Generator, height: int, width: int, colour: tuple[int, int, int], noise: int = 5) -> Pixels:
    """One colour with `noise` grey levels of grain, int16 so that more can be added before `clipped`."""
    grain = rng.integers(-noise, noise + 1, (height, width), dtype=np.int16)
    pixels = np.empty((height, width, 3), dtype=np.int16)
    for channel, level in enumerate(colour):  # five times faster than adding along a last axis of three
        np.add(grain, level, out=pixels[..., channel])
    return pixels


def blotches(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int], strength: int) -> Pixels:
    """Soft spots of -strength to strength grey levels, on a grid of `cells` (rows, columns)."""
    coarse = Image.fromarray(rng.integers(0, 256, cells, dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR), dtype=np.int16)
    spots: Pixels = (smooth - 128) * strength // 128
    return spots[..., None]


def clipped(pixels: Pixels) -> Pixels:
    shown: Pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return shown


def wood(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (164, 116, 70)) + blotches(rng, height, width, (24, 3), 26)
    planks = int(rng.integers(4, 7))
    for plank in range(planks):
        top, bottom = plank * height // planks, (plank + 1) * height // planks
        pixels[top:bottom] += rng.integers(-12, 13, dtype=np.int16)
        pixels[top : top + 2] -= 60
    return clipped(pixels)


def grass(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (104, 168, 66), 16) + blotches(rng, height, width, (9, 9), 22)
    return clipped(pixels)


def sand(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (224, 198, 148), 12) + blotches(rng, height, width, (14, 5), 16)
    return clipped(pixels)


def bricks(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (176, 92, 70), 8) + blotches(rng, height, width, (16, 12), 22)
    row, length = max(height // 11, 16), max(width // 7, 30)
    joint = np.array((206, 196, 184), dtype=np.int16)
    for number, top in enumerate(range(0, height, row)):
        pixels[top : top + 3] = joint
        for left in range(-(length // 2) * (number % 2), width, length):
            pixels[top : top + row, max(left, 0) : max(left + 3, 0)] = joint
    return clipped(pixels)


def stone(rng: np.random.Generator, height: int, width: int) -> Pixels:
    return clipped(flat(rng, height, width, (152, 152, 150), 12) + blotches(rng, height, width, (12, 12), 26))


def paper(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (244, 238, 220), 3) + blotches(rng, height, width, (4, 4), 6)
    pixels[:: max(height // 16, 12)] -= np.array((60, 40, 10), dtype=np.int16)
    return clipped(pixels)


def checks(rng: np.random.Generator, height: int, width: int) -> Pixels:
    side = max(min(height, width) // 8, 16)
    rows, columns = np.indices((height, width), dtype=np.int16) // side
    board = np.where((rows + columns) % 2, 88, 232).astype(np.int16)[..., None]
    return clipped(board + flat(rng, height, width, (0, 0, 0), 4))


def water(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (64, 138, 200), 5) + blotches(rng, height, width, (26, 5), 34)
    return clipped(pixels)


def night(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (22, 26, 66), 4) + blotches(rng, height, width, (5, 5), 10)
    stars = height * width // 1200
    rows, columns = rng.integers(0, height - 2, stars), rng.integers(0, width - 2, stars)
    for shift in (0, 1):
        pixels[rows + shift, columns] = pixels[rows, columns + shift] = 236
    return clipped(pixels)


def cloth(rng: np.random.Generator, height: int, width: int) -> Pixels:
    stripe = max(width // 14, 12)
    odd = (np.arange(width) // stripe % 2)[None, :, None]
    colours = np.where(odd, np.array((250, 236, 238)), np.array((240, 176, 196))).astype(np.int16)
    return clipped(colours + flat(rng, height, width, (0, 0, 0), 5))


def snow(rng: np.random.Generator, height: int, width: int) -> Pixels:
    shade = blotches(rng, height, width, (7, 7), 16) * np.array((3, 2, 1), dtype=np.int16) // 2
    return clipped(flat(rng, height, width, (226, 232, 242), 5) + shade)


GROUNDS: dict[str, Ground] = {
    "wood": Ground("on a wooden table", "木桌上", frozenset({"brown", "orange"}), wood),
    "grass": Ground("on green grass", "绿草地上", frozenset({"green", "turquoise"}), grass),
    "sand": Ground("on yellow sand", "沙地上", frozenset({"yellow", "white", "grey"}), sand),
    "bricks": Ground("in front of a brick wall", "砖墙前", frozenset({"red", "brown", "orange", "pink"}), bricks),
    "stone": Ground("on grey stone", "灰石板上", frozenset({"grey", "white"}), stone),
    "paper": Ground("on lined paper", "横格纸上", frozenset({"white", "yellow"}), paper),
    "checks": Ground("on a checkerboard", "棋盘格上", frozenset({"grey", "white", "black"}), checks),
    "water": Ground("on blue water", "蓝色水面上", frozenset({"blue", "turquoise", "purple"}), water),
    "night": Ground("in front of a starry night sky", "星空前", frozenset({"black", "blue", "purple"}), night),
    "cloth": Ground("on a pink striped cloth", "粉色条纹布上", frozenset({"pink", "white"}), cloth),
    "snow": Ground("on white snow", "雪地上", frozenset({"white", "grey"}), snow),
}


def stacked(upper: Paint, lower: Paint, horizon: float) -> Paint:
    """One ground above another, the border at `horizon` of the height."""

    def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
        border = round(height * horizon)
        return np.concatenate([upper(rng, border, width), lower(rng, height - border, width)])

    return paint


def sky(rng: np.random.Generator, height: int, width: int) -> Pixels:
    fall = np.linspace(0, 40, height).astype(np.int16)[:, None, None]
    clouds = np.maximum(blotches(rng, height, width, (6, 5), 110) - 30, 0)
    return clipped(flat(rng, height, width, (136, 190, 236), 3) + fall + clouds)


def road(rng: np.random.Generator, height: int, width: int) -> Pixels:
    pixels = flat(rng, height, width, (104, 104, 108), 9)
    dashes = (np.arange(width) // max(width // 12, 8) % 2).astype(bool)
    pixels[height // 2 - 3 : height // 2 + 3, dashes] = 232
    return clipped(pixels)
