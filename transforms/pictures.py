"""Pictures: header, pixels and hashes of one file's bytes, and the scan step that measures a batch of them.

Decoded at full resolution, as stored: EXIF orientation and colour profiles are not applied, which is what open_clip's
own transform does with a file. Only the first frame of a moving picture is decoded.
Left out on purpose: fetching bytes (transforms/materialise.py), thresholds (transforms/image_quality.py), threads.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import warnings
from types import TracebackType
from typing import Any

import numpy as np
import simplejpeg
import xxhash
from msgspec.structs import replace
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from configs.schema.caption import ImageRules, ReadRules
from transforms.image_quality import measure_content, measure_shape
from transforms.loaded import Loaded
from transforms.picture_headers import (
    Header,
    count_tiff_frames,
    parse_gif_header,
    parse_png_header,
    parse_webp_header,
    sniff_format,
)
from transforms.records import Failure, Picture, Piece, Recipe, Span

__all__ = ["Header", "PictureError", "decode", "hash_pixels", "measure_pictures", "read_header", "sniff_format"]

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

MAX_SIDE = 2**31 - 1
"""Pixels; the ledger's columns are 32-bit, and no encoder writes more."""

# The plugin classes and not Image.open: no guessing among 40 formats, no process-wide bomb limit beside `max_pixels`.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
}
_PARSERS = {"png": parse_png_header, "gif": parse_gif_header, "webp": parse_webp_header}

# libjpeg's words for pixels that are lost. Pillow ignores them and paints the rest of the picture grey or in noise.
_LOST_PIXELS = {"premature end of data segment": "PictureTruncated", "bad Huffman code": "PictureUndecodable"}


class PictureError(Exception):
    """A picture that cannot be judged. `error` is the Failure class, the message says what was expected and found."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def read_header(data: bytes | memoryview) -> Header:
    """Format, size and frame count from the bytes, a few microseconds. Raises PictureError."""
    name = sniff_format(data)
    if not name:
        raise _unknown(data)
    try:
        header = _PARSERS[name](data) if name in _PARSERS else _read_library_header(name, data)
    except struct.error as error:
        raise PictureError("PictureTruncated", f"expected a whole {name} header, found {len(data)} bytes") from error
    if not (0 < header.width <= MAX_SIDE and 0 < header.height <= MAX_SIDE):
        message = f"expected sides of 1..{MAX_SIDE} pixels, found {header.width} x {header.height} ({name})"
        raise PictureError("PictureUndecodable", message)
    return header


def decode(data: bytes | memoryview, max_pixels: int) -> Pixels:
    """Pixels of the first frame: (height, width, 3) RGB, or (height, width, 4) RGBA where any pixel is transparent.

    Raises PictureError; PictureTooLarge before anything is decoded where the header claims over `max_pixels`.
    """
    header = read_header(data)
    _check_size(header.width, header.height, max_pixels)
    if header.format == "jpeg":
        return _decode_jpeg(data, max_pixels)
    if header.format == "webp" and (claimed := struct.unpack_from("<I", data, 4)[0] + 8) > len(data):
        # libwebp would only say that it could not make a decoder.
        raise PictureError("PictureTruncated", f"expected {claimed} bytes of webp, found {len(data)}")
    return _decode_with_pillow(header.format, data, max_pixels)


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


def measure_pictures(batch: list[Loaded], image: ImageRules, read: ReadRules) -> list[Loaded]:
    """Scan step: hashes, size, measures and pixels of every picture. A bad picture fails its sample; failed rows pass.

    A picture over `image.max_pixel_count` is measured from its header only: the rule will drop it.
    """
    return [item if item.sample.failure else _measure_item(item, image, read) for item in batch]


def _measure_item(item: Loaded, image: ImageRules, read: ReadRules) -> Loaded:
    pieces: list[Piece] = list(item.sample.pieces)
    pixels = [*item.pixels, *[None] * (len(pieces) - len(item.pixels))]
    failure: Failure | None = None
    for index, piece in enumerate(pieces):
        if isinstance(piece, Picture):
            data = item.data[index] if index < len(item.data) else None
            pieces[index], pixels[index] = measured = _measure_picture(piece, data, image, read)
            failure = failure or measured[0].failure
    return Loaded(replace(item.sample, pieces=tuple(pieces), failure=failure), item.data, pixels)


def _measure_picture(
    picture: Picture, data: bytes | memoryview | None, image: ImageRules, read: ReadRules
) -> tuple[Picture, Pixels | None]:
    """What could be measured before a failure stays with the picture."""
    pixels = None
    try:
        data = _check_bytes(data, read.max_picture_bytes)
        picture = replace(picture, sha256=hashlib.sha256(data).digest())
        header = read_header(data)
        shape = measure_shape(header.width, header.height, header.frames, len(data))
        picture = replace(picture, format=header.format, width=header.width, height=header.height, measures=shape)
        if not image.enabled or header.width * header.height <= image.max_pixel_count:
            pixels = decode(data, read.max_decode_pixels)
            picture = replace(picture, pixels=hash_pixels(pixels), measures={**shape, **measure_content(pixels)})
    except PictureError as error:
        return replace(picture, failure=Failure(error.error, str(error), _place(picture.source))), None
    return picture, pixels


def _check_bytes(data: bytes | memoryview | None, most: int) -> bytes | memoryview:
    if data is None:
        raise PictureError("PictureMissing", "expected the bytes of a picture, found none")
    if len(data) > most:
        raise PictureError("PictureTooLarge", f"expected at most {most} bytes, found {len(data)}")
    return data


def _place(source: Span | Recipe) -> str:
    if isinstance(source, Recipe):
        return source.function
    return f"{source.uri}#{source.member}" if source.member else f"{source.uri}@{source.start}-{source.end}"


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise PictureError("PictureTooLarge", f"expected at most {max_pixels} pixels, found {width} x {height}")


def _unknown(data: bytes | memoryview) -> PictureError:
    if not len(data):
        return PictureError("PictureEmpty", "expected a picture, found zero bytes")
    known = ", ".join(sorted(_PLUGINS))
    return PictureError("PictureUndecodable", f"expected one of {known}, found a file of {bytes(data[:12])!r}…")


def _read_library_header(name: str, data: bytes | memoryview) -> Header:
    if name == "jpeg":
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
            # One frame, also for MPO: phones put a depth map or a second lens behind the picture that everyone sees.
            return Header(name, int(width), int(height), 1)
        except ValueError:
            pass  # odd subsampling is refused by turbojpeg and read by Pillow; garbage is refused again below
    with _QuietPillow(), _open(name, data) as opened:
        return Header(name, opened.width, opened.height, count_tiff_frames(data) if name == "tiff" else 1)


def _decode_jpeg(data: bytes | memoryview, max_pixels: int) -> Pixels:
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data)
        return pixels
    except ValueError as error:
        lost = next((name for words, name in _LOST_PIXELS.items() if words in str(error)), "")
        if lost:
            raise PictureError(lost, f"expected a whole jpeg, found: {error}") from error
    # CMYK, odd subsampling, stray bytes between markers: valid enough for every viewer.
    return _decode_with_pillow("jpeg", data, max_pixels)


def _decode_with_pillow(name: str, data: bytes | memoryview, max_pixels: int) -> Pixels:
    with _QuietPillow(), _open(name, data) as opened:
        _check_size(opened.width, opened.height, max_pixels)
        try:
            return _as_rgb(opened)
        except MemoryError:
            raise
        except Exception as error:
            raise _explain(name, error) from error


def _open(name: str, data: bytes | memoryview) -> ImageFile.ImageFile:
    try:
        return _PLUGINS[name](io.BytesIO(data))
    except MemoryError:
        raise
    # Pillow's plugins answer hostile bytes with a dozen exception types (SyntaxError, struct.error, ValueError for a
    # text-chunk bomb, …); all of them are one bad file, never a bad program.
    except Exception as error:
        raise _explain(name, error) from error


def _explain(name: str, error: Exception) -> PictureError:
    message = f"expected a whole {name}, found: {error or type(error).__name__}"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return PictureError("PictureTooLarge", message)
    truncated = isinstance(error, EOFError) or "truncated" in str(error).lower()
    return PictureError("PictureTruncated" if truncated else "PictureUndecodable", message)


def _as_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        return np.repeat(_stretch(np.asarray(image, np.float64))[:, :, None], 3, axis=2)
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    image = image.convert("RGBA")
    # Here and not in numpy, which is slow at dropping a channel: 0.6 ms at 512 x 384.
    return np.asarray(image.convert("RGB") if image.getchannel("A").getextrema() == (255, 255) else image)


def _stretch(values: np.ndarray[Any, np.dtype[np.float64]]) -> Pixels:
    """32-bit and float pictures have no agreed white: the darkest value becomes 0, the brightest 255."""
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255.0 / (high - low or 1.0))).astype(np.uint8)


def _without_opaque_alpha(pixels: Pixels) -> Pixels:
    opaque = pixels.shape[2] == 4 and bool((pixels[..., 3] == 255).all())
    return np.ascontiguousarray(pixels[..., :3]) if opaque else pixels


class _QuietPillow:
    """Silences warnings while any thread is inside: a corrupt EXIF tag is no reason to fail or to litter a log.

    `warnings.catch_warnings` alone restores the wrong filters when two threads leave in the order they came.
    """

    _lock = threading.Lock()
    _inside = 0
    _saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not _QuietPillow._inside:
                _QuietPillow._saved = warnings.catch_warnings()
                _QuietPillow._saved.__enter__()
                warnings.simplefilter("ignore")
            _QuietPillow._inside += 1

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with self._lock:
            _QuietPillow._inside -= 1
            if not _QuietPillow._inside and _QuietPillow._saved is not None:
                _QuietPillow._saved.__exit__(None, None, None)
