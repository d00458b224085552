"""Pixels of one picture, decoded in this process by simplejpeg or one of Pillow's plugins.

Imports nothing heavy: it is also what the child of transforms/guarded_decoding.py runs.
Left out on purpose: which pictures this process should not decode itself (transforms/picture_suspicion.py).
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
from types import TracebackType
from typing import Any

import numpy as np
import simplejpeg
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

from transforms.picture_headers import Header, PictureError

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# The plugin classes and not Image.open: no guessing among 40 formats, no process-wide bomb limit beside `max_pixels`.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
}

# libjpeg's words for pixels that are lost. Pillow ignores them and paints the rest of the picture grey or in noise.
_LOST_PIXELS = {"premature end of data segment": "PictureTruncated", "bad Huffman code": "PictureUndecodable"}


def decode_here(header: Header, data: bytes | memoryview, max_pixels: int) -> Pixels:
    """As `transforms.pictures.decode`, in this process whatever the picture may cost. Raises PictureError."""
    if header.format == "jpeg" and (pixels := decode_jpeg(data)) is not None:
        return pixels
    if header.format == "webp" and (claimed := struct.unpack_from("<I", data, 4)[0] + 8) > len(data):
        # libwebp would only say that it could not make a decoder.
        raise PictureError("PictureTruncated", f"expected {claimed} bytes of webp, found {len(data)}")
    return _decode_with_pillow(header.format, data, max_pixels)


def decode_jpeg(data: bytes | memoryview) -> Pixels | None:
    """As turbojpeg decodes it; None for what it refuses and Pillow reads. Raises PictureError for lost pixels."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data)
        return pixels
    except ValueError as error:
        lost = next((name for words, name in _LOST_PIXELS.items() if words in str(error)), "")
        if lost:
            raise PictureError(lost, f"expected a whole jpeg, found: {error}") from error
    # CMYK, odd subsampling, stray bytes between markers: valid enough for every viewer.
    return None


def check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise PictureError("PictureTooLarge", f"expected at most {max_pixels} pixels, found {width} x {height}")


def _decode_with_pillow(name: str, data: bytes | memoryview, max_pixels: int) -> Pixels:
    with _QuietPillow(), _open(name, data) as opened:
        check_size(opened.width, opened.height, max_pixels)
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
