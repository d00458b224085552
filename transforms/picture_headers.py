"""Size and frame count of a picture file from its bytes, without decoding a pixel.

Own walkers, because Pillow decompresses PNG text chunks, allocates a WebP canvas and reads every tag of a TIFF to
answer the same question, and a hostile file must cost neither; turbojpeg reads the headers of JPEGs it can decode.
Left out on purpose: decoding (transforms/picture_decoding.py) and thresholds (transforms/image_quality.py).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import simplejpeg

# A file of minimal frames could hold millions; a rule only asks whether there is more than one.
MAX_FRAMES = 10_000
MAX_PARTS = 10_000
"""Chunks, segments or tags that a walk looks at before what it seeks; real files have a few dozen."""
MAX_SIDE = 2**31 - 1
"""Pixels; the ledger's columns are 32-bit, and no encoder writes more."""


class PictureError(Exception):
    """A picture that cannot be judged. `error` is the Failure class, the message says what was expected and found."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


class Header(NamedTuple):
    """`width` and `height` in pixels as stored (EXIF orientation is not applied); a still picture has one frame."""

    format: str
    width: int
    height: int
    frames: int


def read_header(data: bytes | memoryview) -> Header:
    """Format, size and frame count from the bytes, a few microseconds. Raises PictureError."""
    name = sniff_format(data)
    if not name:
        raise _unknown(data)
    try:
        header = _PARSERS[name](data)
    except struct.error as error:
        raise PictureError("PictureTruncated", f"expected a whole {name} header, found {len(data)} bytes") from error
    if not (0 < header.width <= MAX_SIDE and 0 < header.height <= MAX_SIDE):
        message = f"expected sides of 1..{MAX_SIDE} pixels, found {header.width} x {header.height} ({name})"
        raise PictureError("PictureUndecodable", message)
    return header


def _unknown(data: bytes | memoryview) -> PictureError:
    if not len(data):
        return PictureError("PictureEmpty", "expected a picture, found zero bytes")
    known = ", ".join(sorted(_PARSERS))
    return PictureError("PictureUndecodable", f"expected one of {known}, found a file of {bytes(data[:12])!r}…")


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


def parse_jpeg_header(data: bytes | memoryview) -> Header:
    """One frame, also for MPO: phones put a depth map or a second lens behind the picture that everyone sees."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        return Header("jpeg", int(width), int(height), 1)
    except ValueError:
        return _parse_jpeg_frame(data)


def _parse_jpeg_frame(data: bytes | memoryview) -> Header:
    """ITU-T T.81 B.2.2, the frame header, for what turbojpeg refuses and Pillow reads (odd subsampling)."""
    place = 2
    for _ in range(MAX_PARTS):
        mark, kind, length = struct.unpack_from(">BBH", data, place)
        if mark != 0xFF:
            raise PictureError("PictureUndecodable", f"expected a jpeg marker at byte {place}, found {mark:#04x}")
        if kind == 0xFF:  # a fill byte
            place += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return Header("jpeg", width, height, 1)
        else:
            place += 2 + length
    raise PictureError("PictureUndecodable", f"expected a jpeg frame among {MAX_PARTS} segments, found none")


def parse_bmp_header(data: bytes | memoryview) -> Header:
    """BITMAPCOREHEADER (12 bytes) or BITMAPINFOHEADER (40) and its longer kin. Raises struct.error."""
    size = struct.unpack_from("<I", data, 14)[0]
    if size != 12 and size < 40:
        raise PictureError("PictureUndecodable", f"expected a bmp header of 12 or 40 bytes, found {size}")
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    return Header("bmp", width, abs(height), 1)  # a negative height: rows from the top


def parse_tiff_header(data: bytes | memoryview) -> Header:
    """TIFF 6.0 tags 256 (width) and 257 (height) of the first directory. Raises struct.error."""
    tags = read_tiff_tags(data)
    return Header("tiff", tags.get(256, 0), tags.get(257, 0), count_tiff_frames(data))


def read_tiff_tags(data: bytes | memoryview) -> dict[int, int]:
    """The whole numbers that stand inside the first directory of a TIFF or of an EXIF block. Raises struct.error."""
    order, big = _tiff_layout(data)
    count_code, pointer_code, entry_size = ("Q", "Q", 20) if big else ("H", "I", 12)
    start = struct.unpack_from(order + pointer_code, data, 8 if big else 4)[0]
    count = struct.unpack_from(order + count_code, data, min(start, len(data)))[0]
    place = start + struct.calcsize(count_code)
    tags = {}
    for entry in range(place, place + min(count, MAX_PARTS) * entry_size, entry_size):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if kind in _WHOLE:
            tags[tag] = struct.unpack_from(order + _WHOLE[kind], data, entry + (12 if big else 8))[0]
    return tags


_WHOLE = {3: "H", 4: "I", 16: "Q"}
"""SHORT, LONG, LONG8 by their number."""


def _tiff_layout(data: bytes | memoryview) -> tuple[str, bool]:
    """Byte order, and whether it is a BigTIFF."""
    order = "<" if data[0] == 0x49 else ">"
    return order, struct.unpack_from(order + "H", data, 2)[0] == 43


def parse_png_header(data: bytes | memoryview) -> Header:
    """PNG specification 11.2.2 (IHDR) and 11.3.5 (acTL, which stands before the first IDAT). Raises struct.error."""
    width, height = struct.unpack_from(">II", data, 16)
    frames, place = 1, 33
    for _ in range(MAX_PARTS):
        if place + 16 > len(data):
            break
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
    for _ in range(MAX_PARTS):
        if place + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, place)
        frames += kind == b"ANMF"
        place += 8 + length + (length & 1)
    return max(1, frames)


def parse_gif_header(data: bytes | memoryview) -> Header:
    """GIF89a sections 18 to 26. The first frame may reach over the logical screen; decoders then widen the picture."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place, frames, junk = 13 + _colour_table_size(flags), 0, 0
    while place < len(data) and data[place] != 0x3B and frames < MAX_FRAMES and junk < MAX_PARTS:
        if data[place] == 0x2C:
            if place + 10 > len(data):
                break
            left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", data, place + 1)
            if not frames:
                width, height = max(width, left + frame_width), max(height, top + frame_height)
            frames += 1
            place = _skip_blocks(data, place + 11 + _colour_table_size(flags))
        elif data[place] == 0x21:
            place = _skip_blocks(data, place + 2)
        else:  # decoders pass over bytes between blocks
            place, junk = place + 1, junk + 1
    return Header("gif", width, height, max(1, frames))


def _colour_table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes | memoryview, place: int) -> int:
    while place < len(data) and data[place]:
        place += data[place] + 1
    return place + 1


def count_tiff_frames(data: bytes | memoryview) -> int:
    """Length of the chain of image file directories of a TIFF 6.0 or BigTIFF file; a loop in the chain ends it."""
    order, big = _tiff_layout(data)
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


_PARSERS = {
    "jpeg": parse_jpeg_header,
    "png": parse_png_header,
    "webp": parse_webp_header,
    "gif": parse_gif_header,
    "bmp": parse_bmp_header,
    "tiff": parse_tiff_header,
}
