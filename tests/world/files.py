"""Pictures as files: the format, quality and bytes of each sample, the same bytes every time.

Left out on purpose: files that are broken on purpose (bad_pictures.py).
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from tests.world.chance import random_of, share_of

FORMATS = (("jpg", 0.88), ("png", 0.07), ("webp", 0.05))
JPEG_QUALITY = (75, 92)


def format_of(seed: int, index: int) -> str:
    """The extension: jpg, png or webp."""
    left = share_of(seed, index, "format")
    for name, share in FORMATS:
        if left < share:
            return name
        left -= share
    return FORMATS[0][0]


def encode(picture: Image.Image, seed: int, index: int) -> bytes:
    """The picture in the sample's own format."""
    kind = format_of(seed, index)
    if kind == "png":
        return as_png(picture)
    quality = random_of(seed, index, "quality").randint(*JPEG_QUALITY)
    return as_jpeg(picture, quality) if kind == "jpg" else as_webp(picture, quality)


def as_jpeg(picture: Image.Image, quality: int) -> bytes:
    return _saved(picture, "JPEG", quality=quality)


def as_png(picture: Image.Image, level: int = 1) -> bytes:
    return _saved(picture, "PNG", compress_level=level)


def as_webp(picture: Image.Image, quality: int, lossless: bool = False) -> bytes:
    return _saved(picture, "WEBP", quality=quality, lossless=lossless, method=0)


def as_gif(frames: list[Image.Image]) -> bytes:
    small = [frame.quantize(64) for frame in frames]
    return _saved(small[0], "GIF", save_all=True, append_images=small[1:], duration=200, loop=0)


def with_exif(jpeg: bytes, description: str) -> bytes:
    """The same JPEG with an EXIF segment before all others: other bytes, equal pixels."""
    exif = Image.Exif()
    exif[0x010E] = description
    body = exif.tobytes()
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    target = BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()
