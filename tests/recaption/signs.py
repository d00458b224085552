"""Pictures of signs: lines of print on a panel, in the middle of noise that is no print."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from classifiers.clip import Pixels
from tests.world.pen import font_of


def sign(*lines: str, seed: int = 0) -> Pixels:
    """uint8 of (240, 320, 3); the print is white."""
    noise = np.random.default_rng(seed).integers(0, 90, (15, 20, 3), np.uint8)
    picture = Image.fromarray(noise).resize((320, 240))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((15, 40, 305, 200), fill=(30, 40, 110))
    for number, line in enumerate(lines):
        pen.text((32, 70 + 60 * number), line, font=font_of(32), fill="white")
    return np.asarray(picture)


def sign_jpeg(*lines: str, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(sign(*lines, seed=seed)).save(file, "JPEG", quality=90)
    return file.getvalue()
