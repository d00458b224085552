"""Pictures for the tests of decoding and of headers: drawn, saved in any format, decoded where they must fail."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transforms.pictures import PictureError, decode

DATA = Path(__file__).parents[3] / "shared" / "data"


LIMIT = 1_000_000


FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}


def photo(height=48, width=64):
    y, x = np.mgrid[:height, :width]
    return np.dstack([x * 255 // width, y * 255 // height, (x * y) % 256]).astype(np.uint8)


def save(image, kind, **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def fails(data, limit=LIMIT):
    with pytest.raises(PictureError) as caught:
        decode(data, limit)
    return caught.value.error


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
