"""Size and frame count of a picture file from its first bytes, without decoding a pixel.

Own walkers for PNG, GIF and WebP, because Pillow decompresses PNG text chunks and allocates a WebP canvas to answer the
same question, and a hostile file must not cost either; simplejpeg and Pillow read JPEG, BMP and TIFF headers.
Left out on purpose: decoding (transforms/pictures.py) and thresholds (transforms/image_quality.py).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# A file of minimal frames could hold millions; a rule only asks whether there is more than one.
MAX_FRAMES = 10_000


class Header(NamedTuple):
    """`width` and `height` in pixels as stored (EXIF orientation is not applied); a still picture has one frame."""

    format: str
    width: int
    height: int
    frames: int


def sniff_format(data: bytes | memoryview) -> str:
    """jpeg, png, webp, gif, bmp or tiff by the file's first bytes, whatever its name says; empty for anything else."""
    head = bytes(data[:16])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for start, name in _SIGNATURES if head.startswith(start)), "")


_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)


def parse_png_header(data: bytes | memoryview) -> Header:
    """PNG specification 11.2.2 (IHDR) and 11.3.5 (acTL, which stands before the first IDAT). Raises struct.error."""
    width, height = struct.unpack_from(">II", data, 16)
    frames, place = 1, 33
    while place + 16 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"acTL":
            frames = max(1, struct.unpack_from(">I", data, place + 8)[0])
        if kind in (b"acTL", b"IDAT", b"IEND"):
            break
        place += 12 + length
    return Header("png", width, height, min(frames, MAX_FRAMES))


def parse_webp_header(data: bytes | memoryview) -> Header:
    """WebP container specification: VP8X canvas, or the one VP8 / VP8L bitstream. Raises struct.error."""
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        flags, low_w, high_w, low_h, high_h = struct.unpack_from("<B3xHBHB", data, 20)
        frames = _count_webp_frames(data) if flags & 2 else 1
        return Header("webp", (high_w << 16 | low_w) + 1, (high_h << 16 | low_h) + 1, frames)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1)
    width, height = struct.unpack_from("<HH", data, 26)
    return Header("webp", width & 0x3FFF, height & 0x3FFF, 1)


def _count_webp_frames(data: bytes | memoryview) -> int:
    frames, place = 0, 30
    while place + 8 <= len(data) and frames < MAX_FRAMES:
        kind, length = struct.unpack_from("<4sI", data, place)
        frames += kind == b"ANMF"
        place += 8 + length + (length & 1)
    return max(1, frames)


def parse_gif_header(data: bytes | memoryview) -> Header:
    """GIF89a sections 18 to 26. The first frame may reach over the logical screen; decoders then widen the picture."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place, frames = 13 + _colour_table_size(flags), 0
    while place < len(data) and frames < MAX_FRAMES:
        if data[place] == 0x2C and place + 10 <= len(data):
            left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", data, place + 1)
            if not frames:
                width, height = max(width, left + frame_width), max(height, top + frame_height)
            frames += 1
            place = _skip_blocks(data, place + 11 + _colour_table_size(flags))
        elif data[place] == 0x21:
            place = _skip_blocks(data, place + 2)
        else:
            break
    return Header("gif", width, height, max(1, frames))


def _colour_table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes | memoryview, place: int) -> int:
    while place < len(data) and data[place]:
        place += data[place] + 1
    return place + 1


def count_tiff_frames(data: bytes | memoryview) -> int:
    """Length of the chain of image file directories of a TIFF 6.0 or BigTIFF file; a loop in the chain ends it."""
    order = "<" if data[0] == 0x49 else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    count_code, pointer_code, entry_size = ("Q", "Q", 20) if big else ("H", "I", 12)
    place = struct.unpack_from(order + pointer_code, data, 8 if big else 4)[0]
    seen: set[int] = set()
    last_place = len(data) - struct.calcsize(count_code)
    while place and place not in seen and place <= last_place and len(seen) < MAX_FRAMES:
        seen.add(place)
        entries = struct.unpack_from(order + count_code, data, place)[0]
        after = place + struct.calcsize(count_code) + entries * entry_size
        if after + struct.calcsize(pointer_code) > len(data):
            break
        place = struct.unpack_from(order + pointer_code, data, after)[0]
    return max(1, len(seen))
