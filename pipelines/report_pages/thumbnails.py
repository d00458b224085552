"""Thumbnails as data URIs, and a labelled placeholder wherever a picture cannot be had.

Left out on purpose: where bytes come from; the caller passes a `Fetch`.
"""

from __future__ import annotations

import io
import re
import struct
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from PIL import Image

from pipelines.report_pages.markup import esc
from pipelines.report_queries import Row
from transforms.picture_headers import PictureError, read_header, read_tiff_tags, sniff_format
from transforms.pictures import decode

Fetch = Callable[[str, str, int, int, str], bytes]
"""(uri, container, start, end, member) -> the picture's bytes. May raise OSError, ValueError, KeyError, EOFError."""
Expect = Callable[[Iterable[tuple[str, str, int, int, str]]], None]
"""Is told what `Fetch` will be asked for next, in order, so that neighbours can be read together."""

# Pillow's decompression-bomb warning limit: a picture a rule dropped for its size must not be decoded for a report.
MAX_PIXELS = 89_478_485
QUALITY = 62


EXIF_WITHIN = 4096
"""Bytes of a JPEG in which its EXIF block begins: it stands first, or behind a JFIF header."""

# EXIF 2.32, tag 274: what turns the stored picture upright; 1 is as stored.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class NoPicture(ValueError):
    """Why there is no thumbnail, in words short enough for its place on the page."""


@dataclass
class Thumbnails:
    """Makes `<img>` elements until `budget` bytes of data URIs are spent; the same picture is fetched once."""

    fetch: Fetch
    side: int = 160
    budget: int = 4_500_000
    expect: Expect = lambda asked: None
    _made: dict[tuple[str, int, int, str], str] = field(default_factory=dict)

    def prepare(self, rows: Iterable[Row]) -> None:
        """Makes the thumbnails of `rows` in the order they lie in their files: a compressed archive is opened once."""
        waiting = {_place(row): row for row in rows if _place(row) not in self._made}
        ordered = [waiting[place] for place in sorted(waiting)]
        if asked := [_span(row) for row in ordered if not _left_out(row)]:
            self.expect(asked)
        self._made.update((_place(row), self._make(row)) for row in ordered)

    def image(self, row: Row) -> str:
        """An `<img>`, or a placeholder that says why there is none."""
        self.prepare([row])
        html = self._made[_place(row)]
        if len(html) > self.budget:
            return _placeholder("left out: page is full")
        self.budget -= len(html)
        return html

    def _make(self, row: Row) -> str:
        try:
            if why := _left_out(row):
                raise NoPicture(why)
            data, size = shrink(self._fetched(row), self.side)
        except NoPicture as error:
            return _placeholder(str(error))
        uri = "data:image/webp;base64," + b64encode(data).decode("ascii")
        return f'<img src="{uri}" width="{size[0]}" height="{size[1]}" alt="" decoding="async">'

    def _fetched(self, row: Row) -> bytes:
        try:
            return self.fetch(*_span(row))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise NoPicture(f"cannot be fetched: {type(error).__name__}") from error


def shrink(data: bytes, side: int) -> tuple[bytes, tuple[int, int]]:
    """`data` as a WebP of at most `side` pixels either way, upright, on white. Raises NoPicture naming the cause.

    Decoded as the scan decodes: Image.open would guess among 40 formats and hand an EPS to Ghostscript.
    """
    try:
        header = read_header(data)
        if header.width * header.height > MAX_PIXELS:
            raise NoPicture(f"{header.width} × {header.height} pixels: too large to draw")
        small = Image.fromarray(decode(data, MAX_PIXELS))
    except PictureError as error:
        raise NoPicture(f"cannot be decoded: {error.error}") from error
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    upright = small.convert("RGBA")
    if turn := _TURNS.get(_orientation(data)):
        upright = upright.transpose(turn)
    ground = Image.new("RGBA", upright.size, "white")
    out = io.BytesIO()
    Image.alpha_composite(ground, upright).convert("RGB").save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue(), upright.size


def _orientation(data: bytes) -> int:
    """EXIF tag 274 of a JPEG, 1 where it has none. Pillow would read every tag, and a few KB of them can name GBs."""
    start = data.find(b"Exif\0\0", 0, EXIF_WITHIN)
    if sniff_format(data) != "jpeg" or start < 0:
        return 1
    try:
        return read_tiff_tags(memoryview(data)[start + 6 :]).get(274, 1)
    except struct.error:
        return 1


def _left_out(row: Row) -> str:
    """Why a picture is not even asked for; empty where it is."""
    if not row.uri:
        return "in no file of its own" if row.width else "no picture"
    too_large = (row.width or 0) * (row.height or 0) > MAX_PIXELS
    return f"{row.width} × {row.height} pixels: too large to draw" if too_large else ""


def _span(row: Row) -> tuple[str, str, int, int, str]:
    return row.uri or "", row.container or "", row.start or 0, row.end or 0, row.member or ""


def _place(row: Row) -> tuple[str, int, int, str]:
    return row.uri or "", row.start or 0, row.end or 0, row.member or ""


def _placeholder(why: str) -> str:
    breakable = re.sub(r"(?<=[a-z])(?=[A-Z])", "<wbr>", esc(why))
    return f'<span class="no-picture">{breakable}</span>'
