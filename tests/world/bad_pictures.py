"""Picture files as the web spoils them: too small, too long, without content, moving, cut off, not a picture at all."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from tests.world.chance import noise_of
from tests.world.files import as_gif, as_jpeg, as_png

Made = tuple[str, bytes]
"""Extension and bytes."""


def tiny(random: Random, picture: Image.Image) -> Made:
    factor = random.randint(24, 180) / min(picture.size)
    return "jpg", as_jpeg(picture.resize((round(picture.width * factor), round(picture.height * factor))), 85)


def extreme_aspect(random: Random, picture: Image.Image) -> Made:
    short = random.randint(210, 260)
    size = (round(short * random.uniform(3.3, 5.0)), short)
    return "jpg", as_jpeg(picture.resize(size if random.random() < 0.7 else size[::-1]), 85)


def solid_colour(random: Random, picture: Image.Image) -> Made:
    rng = noise_of(random.getrandbits(64))
    colour = np.array([random.randint(2, 253) for _ in range(3)], dtype=np.int16)
    grain = rng.integers(-1, 2, (picture.height, picture.width, 1), dtype=np.int16)
    return "jpg", as_jpeg(Image.fromarray((colour + grain).astype(np.uint8)), 88)


def low_entropy(random: Random, picture: Image.Image) -> Made:
    """One dark speck on 0.2 to 0.35 % of a light ground: 0.02 to 0.035 bits, 7 to 15 grey levels of deviation.

    PNG, since JPEG would spill grey levels around the edge.
    """
    light, dark = random.randint(220, 255), random.randint(0, 60)
    two = Image.new("RGB", picture.size, (light,) * 3)
    area = random.uniform(0.002, 0.0035) * picture.width * picture.height
    width = round(area**0.5)
    block = Image.new("RGB", (width, round(area / width)), (dark,) * 3)
    two.paste(block, (random.randint(20, picture.width // 2), random.randint(20, picture.height // 2)))
    return "png", as_png(two, 6)


def animated(random: Random, picture: Image.Image) -> Made:
    shifts = (0, random.randint(6, 14), random.randint(16, 30))
    return "gif", as_gif([Image.fromarray(np.roll(np.asarray(picture), shift, axis=1)) for shift in shifts])


@cache
def blank_png(side: int) -> bytes:
    """A valid one-bit PNG of side × side pixels in a few kilobytes, made without the pixels in memory."""
    row = b"\x00" + b"\x00" * ((side + 7) // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    parts = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def too_many_pixels(random: Random, picture: Image.Image) -> Made:
    """Above max_pixel_count, the larger ones above what Pillow would decode: both are judged from the header."""
    return "png", blank_png(random.choice((9600, 11_000, 14_000)))


def truncated(random: Random, picture: Image.Image) -> Made:
    kind = "jpg" if random.random() < 0.8 else "png"
    data = as_jpeg(picture, 85) if kind == "jpg" else as_png(picture)
    return kind, data[: round(len(data) * random.uniform(0.35, 0.8))]


def garbage(random: Random, picture: Image.Image) -> Made:
    return "jpg", b"\x13" + random.randbytes(random.randint(500, 8000))  # no format starts with this byte


def error_page(random: Random, picture: Image.Image) -> Made:
    number = random.choice((403, 404, 503))
    return "jpg", f"<!DOCTYPE html>\n<html><body><h1>{number}</h1><p>Not here.</p></body></html>\n".encode()


def wrong_extension(random: Random, picture: Image.Image) -> Made:
    return ("jpg", as_png(picture)) if random.random() < 0.5 else ("png", as_jpeg(picture, 88))


BAD_PICTURES: dict[str, Callable[[Random, Image.Image], Made]] = {
    "tiny": tiny,
    "extreme_aspect": extreme_aspect,
    "solid_colour": solid_colour,
    "low_entropy": low_entropy,
    "animated": animated,
    "too_many_pixels": too_many_pixels,
    "truncated": truncated,
    "garbage": garbage,
    "error_page": error_page,
    "zero_bytes": lambda random, picture: ("jpg", b""),
    "wrong_extension": wrong_extension,
}


def near_copy(random: Random, picture: Image.Image) -> Made:
    """What reposting does: another size, a narrow crop, other light, lower quality. Not an exact copy."""
    way = random.choice(("size", "crop", "light"))
    if way == "size":
        factor = random.uniform(0.92, 1.12)
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    elif way == "crop":
        cut = random.randint(2, 5)
        picture = picture.crop((cut, cut, picture.width - cut, picture.height - cut))
    else:
        factor = random.uniform(0.9, 0.96)
        picture = picture.point(lambda level: level * factor)
    return "jpg", as_jpeg(picture, random.randint(58, 72))
