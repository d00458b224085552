"""A pen that draws in unit coordinates: the corners of its rectangle are (0, 0) and (1, 1).

Left out on purpose: colours, captions, and what a thing looks like (shapes.py, objects.py, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.world.words import Colour

Point = tuple[float, float]
SMOOTHING = 2
"""Pictures are drawn this much larger and reduced, because Pillow's polygons have no antialiasing."""


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's built-in scalable font: needs no file and no download."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError(f"expected Pillow's scalable default font, found {type(font).__name__}")
    return font


class Pen:
    """Draws in one rectangle (`left, top, width, height` in pixels of the enlarged picture)."""

    def __init__(self, draw: ImageDraw.ImageDraw, left: float, top: float, size: tuple[float, float]):
        self.draw, self.left, self.top = draw, left, top
        self.width, self.height = size

    def inside(self, x1: float, y1: float, x2: float, y2: float) -> Pen:
        left, top = self.at(x1, y1)
        return Pen(self.draw, left, top, (self.width * (x2 - x1), self.height * (y2 - y1)))

    def at(self, x: float, y: float) -> Point:
        return self.left + x * self.width, self.top + y * self.height

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self.draw.polygon([self.at(x, y) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float = 0.03) -> None:
        pixels = max(1, round(width * min(self.width, self.height)))
        self.draw.line([self.at(x, y) for x, y in points], fill=fill, width=pixels, joint="curve")

    def ellipse(self, x1: float, y1: float, x2: float, y2: float, fill: Colour) -> None:
        self.draw.ellipse([*self.at(x1, y1), *self.at(x2, y2)], fill=fill)

    def slice(self, box: tuple[float, float, float, float], start: float, end: float, fill: Colour) -> None:
        """A piece of the ellipse in `box`, between two angles in degrees, clockwise from three o'clock."""
        x1, y1, x2, y2 = box
        self.draw.pieslice([*self.at(x1, y1), *self.at(x2, y2)], start, end, fill=fill)

    def box(self, x1: float, y1: float, x2: float, y2: float, fill: Colour, rounding: float = 0) -> None:
        """A rectangle; `rounding` is the corner's radius as a share of the pen's shorter side."""
        corners = [*self.at(x1, y1), *self.at(x2, y2)]
        if rounding:
            self.draw.rounded_rectangle(corners, rounding * min(self.width, self.height), fill=fill)
        else:
            self.draw.rectangle(corners, fill=fill)

    def write(self, x: float, y: float, text: str, fill: Colour, *, size: float, anchor: str = "lt") -> list[float]:
        """Writes `text` at (x, y), `size` as a share of the pen's height, and gives its box in pixels."""
        font = font_of(max(8, round(size * self.height)))
        self.draw.text(self.at(x, y), text, fill=fill, font=font, anchor=anchor)
        return list(self.draw.textbbox(self.at(x, y), text, font=font, anchor=anchor))

    def fit(self, text: str, fill: Colour, *, size: float = 1.0) -> list[float]:
        """Writes `text` in the pen's middle, as large as the rectangle allows, `size` of its height at most."""
        pixels = size * self.height
        wide = font_of(64).getlength(text) / 64
        return self.write(0.5, 0.5, text, fill, size=min(pixels, 0.94 * self.width / wide) / self.height, anchor="mm")


class Sheet:
    """A picture in the making: its pen, and the boxes and texts that are its truth."""

    def __init__(self, ground: np.ndarray):
        """`ground`: uint8, height × width × 3."""
        self.height, self.width = ground.shape[:2]
        large = (self.width * SMOOTHING, self.height * SMOOTHING)
        self._image = Image.fromarray(ground).resize(large, Image.Resampling.NEAREST)
        self.pen = Pen(ImageDraw.Draw(self._image), 0, 0, large)
        self.boxes: list[dict[str, object]] = []
        self.texts: list[dict[str, object]] = []

    def mark(self, label: str, pen: Pen) -> None:
        """Notes that the pen's rectangle holds a `label`."""
        x1, y1 = pen.at(0, 0)
        x2, y2 = pen.at(1, 1)
        self.boxes.append({"label": label, "box": self._fractions([x1, y1, x2, y2])})

    def note(self, text: str, pixels: list[float]) -> None:
        """Notes that `text` was written at the box that the pen gave."""
        self.texts.append({"text": text, "box": self._fractions(pixels)})

    def paste(self, picture: Image.Image, pen: Pen) -> None:
        """Lays a picture into the pen's rectangle."""
        self._image.paste(picture.resize((round(pen.width), round(pen.height))), (round(pen.left), round(pen.top)))

    def finish(self) -> Image.Image:
        return self._image.reduce(SMOOTHING)

    def _fractions(self, pixels: list[float]) -> list[float]:
        sides = (self.width * SMOOTHING, self.height * SMOOTHING) * 2
        return [round(min(max(value / side, 0.0), 1.0), 4) for value, side in zip(pixels, sides, strict=True)]
