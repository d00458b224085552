"""Picture bombs: small files that claim or unpack to gigabytes. Each ends in its class, in bounded time and memory."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image

from configs.schema.caption import ReadRules
from tests.transforms.costs import measured
from tests.transforms.drawn import LIMIT, photo, png_chunk, save
from transforms.guarded_decoding import DecodeLimits
from transforms.pictures import PictureError, decode

pytestmark = pytest.mark.slow
SIGNATURE, END = b"\x89PNG\r\n\x1a\n", png_chunk(b"IEND", b"")
SMALL = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
DATA = png_chunk(b"IDAT", zlib.compress(bytes(13 * 4)))
LIMITS = DecodeLimits(seconds=20, bytes=1 << 29)


def fate(data: bytes, max_pixels: int = LIMIT, limits: DecodeLimits = LIMITS) -> str:
    """The failure class, or the shape."""
    try:
        return str(decode(data, max_pixels, limits).shape)
    except PictureError as error:
        return error.error


def tiff(entries: list[tuple[int, int, int, int]], size: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)).ljust(size, b"\0")


def tiff_of(width: int, height: int) -> list[tuple[int, int, int, int]]:
    named = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (278, height), (279, 16)]
    return [(tag, 4, 1, value) for tag, value in named]


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(save(photo(), "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides
    return b"RIFF" + struct.pack("<I", len(body)) + body


HUGE = {
    "png": SIGNATURE + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)) + DATA + END,
    "gif": b"GIF89a"
    + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0)
    + b"\x2c"
    + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0),
    "tiff": tiff(tiff_of(60_000, 60_000)),
    "bmp": b"BM" + bytes(12) + struct.pack("<IiiHHIIIIII", 40, 60_000, -60_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "webp": webp_of(60_000, 60_000),
    "jpeg": jpeg_of(60_000, 60_000),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_header_of_3_6_gigapixels(name: str) -> None:
    with measured() as costs:
        assert fate(HUGE[name], ReadRules().max_decode_pixels) == "PictureTooLarge"
    assert costs.megabytes < 5 and costs.seconds < 1


def flat_png(side: int) -> bytes:
    packer = zlib.compressobj(9)
    rows = [packer.compress(bytes(1 + 3 * side)) for _ in range(side)]
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return SIGNATURE + head + png_chunk(b"IDAT", b"".join(rows) + packer.flush()) + END


def test_one_colour_under_the_pixel_limit() -> None:
    """64 megapixels from 190 KB: 192 MB of pixels here, all that decoding needs elsewhere; or refused there."""
    data = flat_png(8000)
    assert len(data) < 200_000
    with measured() as costs:
        assert fate(data, 1 << 30, DecodeLimits(20, 2 << 30)) == "(8000, 8000, 3)"
    assert costs.megabytes < 250 and costs.seconds < 20
    with measured() as costs:
        assert fate(data, 1 << 30, LIMITS) == "PictureMemory"
    assert costs.megabytes < 20 and costs.seconds < 20


def deflated(size: int) -> bytes:
    packer, zeros = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(size >> 20)) + packer.flush()


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_chunk_of_a_gigabyte(kind: bytes) -> None:
    start = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    bomb = SIGNATURE + SMALL + png_chunk(kind, start + deflated(1 << 30)) + DATA + END
    with measured() as costs:
        assert fate(bomb) == "PictureUndecodable"
    assert costs.megabytes < 20 and costs.seconds < 5


def test_many_text_chunks() -> None:
    bomb = SIGNATURE + SMALL + png_chunk(b"zTXt", b"k\0\0" + deflated(1 << 20)) * 1000 + DATA + END
    with measured() as costs:
        assert fate(bomb) == "PictureUndecodable"
    assert costs.megabytes < 20 and costs.seconds < 5


@pytest.mark.parametrize("kind", [b"teSt", b"IDAT"])
def test_half_a_million_empty_chunks(kind: bytes) -> None:
    bomb = SIGNATURE + SMALL + png_chunk(kind, b"") * 500_000 + DATA + END
    with measured() as costs:
        assert fate(bomb) == "(4, 4, 3)"
    assert costs.megabytes < 20 and costs.seconds < 15


def test_a_gif_whose_comment_is_read_in_squared_time() -> None:
    """Pillow adds 245,760 blocks to one string: minutes, were it not for the limit."""
    comment = b"\x21\xfe" + (b"\xff" + b"c" * 255) * (60 << 12) + b"\0"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 4, 4, 0) + b"\x02\0;"
    bomb = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0, 0, 0) + comment + frame
    with measured() as costs:
        assert fate(bomb, LIMIT, DecodeLimits(1, 1 << 30)) == "PictureTimeout"
    assert costs.megabytes < 20 and costs.seconds < 15


def test_a_gif_of_a_hundred_thousand_frames() -> None:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    with measured() as costs:
        assert fate(b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + frame * 100_000 + b";") == "(1, 1, 3)"
    assert costs.megabytes < 20 and costs.seconds < 5


def test_a_jpeg_of_hundreds_of_scans() -> None:
    """Each scan is ten bytes in the file and a pass over 25 megapixels in the decoder."""
    data = save(Image.new("L", (5000, 5000)), "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 1)
    bomb = data[:first] + data[first:second] + data[second : data.index(b"\xff\xc4", second)] * 2000 + data[second:]
    with measured() as costs:
        assert fate(bomb, 1 << 30, DecodeLimits(1, 1 << 30)) == "PictureTimeout"
    assert costs.megabytes < 150 and costs.seconds < 15


STRIPS = [
    (tag, 4, 10_000_000, 200) if tag in (273, 279) else (tag, kind, 1, value) for tag, kind, _, value in tiff_of(4, 4)
]
TIFFS = {
    "tags that name the same bytes": tiff(tiff_of(4, 4) + [(1000 + i, 1, 500_000, 8) for i in range(20_000)], 700_000),
    "ten million strips": tiff(STRIPS, 42_000_000),
    "more strips than the file could hold": tiff(
        [(t, k, 4_000_000_000 if t == 273 else n, v) for t, k, n, v in tiff_of(4, 4)]
    ),
    "a directory that is its own next": tiff(tiff_of(4, 4), 200)[: 10 + 8 * 12] + struct.pack("<I", 8) + bytes(99),
    "pixels that are not there": tiff(tiff_of(9000, 9000)),
}


@pytest.mark.parametrize("name", TIFFS)
def test_a_tiff_of_absurd_tags(name: str) -> None:
    with measured() as costs:
        found = fate(TIFFS[name], 1 << 30)
    assert found in {"PictureMemory", "PictureUndecodable", "PictureTruncated", "(4, 4, 3)"}
    assert costs.megabytes < 20 and costs.seconds < 15
