"""Pictures: header, pixels and hashes of one file's bytes, and the scan step that measures a batch of them.

Decoded at full resolution, as stored: EXIF orientation and colour profiles are not applied, which is what open_clip's
own transform does with a file. Only the first frame of a moving picture is decoded. A suspicious picture is decoded in
a child process with a limit on memory and time; its pixels are the same.
Left out on purpose: fetching bytes (transforms/materialise.py), decoders (transforms/picture_decoding.py), thresholds
(transforms/image_quality.py), threads.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xxhash
from msgspec.structs import replace

from configs.schema.caption import ImageRules, ReadRules
from transforms.guarded_decoding import DecodeLimits, decode_guarded
from transforms.image_quality import measure_content, measure_shape
from transforms.loaded import Loaded
from transforms.perceptual_hash import hash_likeness, measure_look
from transforms.picture_decoding import Pixels, check_size, decode_here, decode_jpeg
from transforms.picture_headers import Header, PictureError, read_header, sniff_format
from transforms.picture_suspicion import MANY_PIXELS, suspicion
from transforms.records import Failure, Measures, Picture, Piece, Recipe, Span

__all__ = [
    "Header",
    "PictureError",
    "decode",
    "hash_pixels",
    "measure_alone",
    "measure_pictures",
    "read_header",
    "sniff_format",
]

SECOND_LOOK = DecodeLimits(seconds=10 * ReadRules().decode_seconds, bytes=2 * ReadRules().decode_bytes)
"""For a picture that a scan has let pass: a limit that was nearly met there must not stop what comes after it."""


def decode(data: bytes | memoryview, max_pixels: int, limits: DecodeLimits = SECOND_LOOK) -> Pixels:
    """Pixels of the first frame: (height, width, 3) RGB, or (height, width, 4) RGBA where any pixel is transparent.

    Raises PictureError; PictureTooLarge before anything is decoded where the header claims over `max_pixels`;
    PictureTimeout, PictureMemory or PictureCrashed for a suspicious picture beyond `limits`.
    """
    header = read_header(data)
    check_size(header.width, header.height, max_pixels)
    if not suspicion(header, data):
        if header.format != "jpeg":
            return decode_here(header, data, max_pixels)
        if (pixels := decode_jpeg(data)) is not None:
            return pixels
    return decode_guarded(data, max_pixels, limits)


def hash_pixels(pixels: Pixels) -> bytes:
    """XXH3-128 (16 bytes) of shape and pixels, the same for every lossless file of one picture.

    An opaque RGBA array hashes as its RGB, and the colour under a fully transparent pixel is not looked at: lossless
    WebP keeps neither.
    """
    pixels = _without_opaque_alpha(pixels)
    if pixels.shape[2] == 4:
        # As one number a pixel: several times faster than the same choice channel by channel.
        packed = np.ascontiguousarray(pixels).view(np.uint32)
        pixels = np.where(pixels[..., 3:] == 0, np.uint32(0), packed).view(np.uint8)
    state = xxhash.xxh3_128(struct.pack("<3I", *pixels.shape))
    state.update(np.ascontiguousarray(pixels).data)
    return state.digest()


def measure_pictures(batch: list[Loaded], image: ImageRules, read: ReadRules, likeness: bool = False) -> list[Loaded]:
    """Scan step: hashes, size, measures and pixels of every picture. A bad picture fails its sample; failed rows pass.

    A picture over `image.max_pixel_count` is measured from its header only: the rule will drop it. The pixels of one
    over MANY_PIXELS are measured and let go: a later step decodes it again.
    """
    wanted = _Wanted(image, read, likeness, look=likeness)
    return [item if item.sample.failure else _measure_item(item, wanted) for item in batch]


def measure_alone(
    picture: Picture, data: bytes, image: ImageRules, read: ReadRules, more: Callable[[Pixels], Measures]
) -> Picture:
    """One picture with all that is measured of it, the perceptual hash and `more` too; its failure where it cannot be
    judged. Without the second look, which only near copies over a whole pool need: a quarter of the time."""
    return _measure_picture(picture, data, _Wanted(image, read, likeness=True, look=False, more=more))[0]


class _Wanted(NamedTuple):
    image: ImageRules
    read: ReadRules
    likeness: bool
    """Whether the perceptual hash is wanted too."""
    look: bool
    """Whether the second look is, beside it."""
    more: Callable[[Pixels], Measures] | None = None
    """What else of the pixels is measured."""


def _measure_item(item: Loaded, wanted: _Wanted) -> Loaded:
    pieces: list[Piece] = list(item.sample.pieces)
    pixels = [*item.pixels, *[None] * (len(pieces) - len(item.pixels))]
    failure: Failure | None = None
    for index, piece in enumerate(pieces):
        if isinstance(piece, Picture):
            data = item.data[index] if index < len(item.data) else None
            pieces[index], pixels[index] = measured = _measure_picture(piece, data, wanted)
            failure = failure or measured[0].failure
    return Loaded(replace(item.sample, pieces=tuple(pieces), failure=failure), item.data, pixels)


def _measure_picture(
    picture: Picture, data: bytes | memoryview | None, wanted: _Wanted
) -> tuple[Picture, Pixels | None]:
    """What could be measured before a failure stays with the picture."""
    (image, read, likeness, look, more), pixels = wanted, None
    try:
        data = _check_bytes(data, read.max_picture_bytes)
        picture = replace(picture, sha256=hashlib.sha256(data).digest())
        header = read_header(data)
        shape = picture.measures | measure_shape(header.width, header.height, header.frames, len(data))
        picture = replace(picture, format=header.format, width=header.width, height=header.height, measures=shape)
        if not image.enabled or header.width * header.height <= image.max_pixel_count:
            limits = DecodeLimits(read.decode_seconds, read.decode_bytes)
            pixels = decode(data, read.max_decode_pixels, limits)
            picture = replace(picture, pixels=hash_pixels(pixels), measures={**shape, **measure_content(pixels)})
            # Here and not in a step of its own: the pixels of a large picture are not passed on.
            if likeness:
                seen = measure_look(pixels) if look else b""
                picture = replace(picture, likeness=hash_likeness(pixels), look=seen)
            if more is not None:
                picture = replace(picture, measures=picture.measures | more(pixels))
    except PictureError as error:
        return replace(picture, failure=Failure(error.error, str(error), _place(picture.source))), None
    # A batch of 64 pictures at the pixel limit would hold 17 GB.
    return picture, pixels if pixels is not None and header.width * header.height <= MANY_PIXELS else None


def _check_bytes(data: bytes | memoryview | None, most: int) -> bytes | memoryview:
    if data is None:
        raise PictureError("PictureMissing", "expected the bytes of a picture, found none")
    if len(data) > most:
        raise PictureError("PictureTooLarge", f"expected at most {most} bytes, found {len(data)}")
    return data


def _place(source: Span | Recipe) -> str:
    if isinstance(source, Recipe):
        return _place(source.inputs[0]) if source.inputs else source.function
    return f"{source.uri}#{source.member}" if source.member else f"{source.uri}@{source.start}-{source.end}"


def _without_opaque_alpha(pixels: Pixels) -> Pixels:
    opaque = pixels.shape[2] == 4 and bool((pixels[..., 3] == 255).all())
    return np.ascontiguousarray(pixels[..., :3]) if opaque else pixels
