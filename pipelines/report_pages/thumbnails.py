"""Thumbnails as data URIs, and a labelled placeholder wherever a picture cannot be had.

Left out on purpose: where bytes come from; the caller passes a `Fetch`.
"""

from __future__ import annotations

import io
import re
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from PIL import Image, ImageOps

from pipelines.report_pages.markup import esc
from pipelines.report_queries import Row

Fetch = Callable[[str, str, int, int, str], bytes]
"""(uri, container, start, end, member) -> the picture's bytes. May raise OSError, ValueError, KeyError, EOFError."""

# Pillow's decompression-bomb warning limit: a picture a rule dropped for its size must not be decoded for a report.
MAX_PIXELS = 89_478_485
QUALITY = 62


class NoPicture(ValueError):
    """Why there is no thumbnail, in words short enough for its place on the page."""


@dataclass
class Thumbnails:
    """Makes `<img>` elements until `budget` bytes of data URIs are spent; the same picture is fetched once."""

    fetch: Fetch
    side: int = 160
    budget: int = 4_500_000
    _made: dict[tuple[str, int, int, str], str] = field(default_factory=dict)

    def prepare(self, rows: Iterable[Row]) -> None:
        """Makes the thumbnails of `rows` in the order they lie in their files: a compressed archive is opened once."""
        for row in sorted(rows, key=_place):
            if _place(row) not in self._made:
                self._made[_place(row)] = self._make(row)

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
            if not row.uri:
                raise NoPicture("no picture")
            if (row.width or 0) * (row.height or 0) > MAX_PIXELS:
                raise NoPicture(f"{row.width} × {row.height} pixels: too large to draw")
            data, size = shrink(self._fetched(row), self.side)
        except NoPicture as error:
            return _placeholder(str(error))
        uri = "data:image/webp;base64," + b64encode(data).decode("ascii")
        return f'<img src="{uri}" width="{size[0]}" height="{size[1]}" alt="" decoding="async">'

    def _fetched(self, row: Row) -> bytes:
        try:
            return self.fetch(row.uri or "", row.container or "", row.start or 0, row.end or 0, row.member or "")
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise NoPicture(f"cannot be fetched: {type(error).__name__}") from error


def shrink(data: bytes, side: int) -> tuple[bytes, tuple[int, int]]:
    """`data` as a WebP of at most `side` pixels either way, upright, on white. Raises NoPicture naming the cause."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Odd EXIF and large pictures: said by the placeholder or not at all.
            with Image.open(io.BytesIO(data)) as opened:
                return _shrunk(opened, side)
    except NoPicture:
        raise
    except Exception as error:  # Pillow raises nearly any class on a hostile file; the page says which one it was.
        raise NoPicture(f"cannot be decoded: {type(error).__name__}") from error


def _shrunk(opened: Image.Image, side: int) -> tuple[bytes, tuple[int, int]]:
    if opened.width * opened.height > MAX_PIXELS:
        raise NoPicture(f"{opened.width} × {opened.height} pixels: too large to draw")
    opened.draft("RGB", (side * 2, side * 2))
    opened.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    upright = ImageOps.exif_transpose(opened).convert("RGBA")
    ground = Image.new("RGBA", upright.size, "white")
    out = io.BytesIO()
    Image.alpha_composite(ground, upright).convert("RGB").save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue(), upright.size


def _place(row: Row) -> tuple[str, int, int, str]:
    return row.uri or "", row.start or 0, row.end or 0, row.member or ""


def _placeholder(why: str) -> str:
    breakable = re.sub(r"(?<=[a-z])(?=[A-Z])", "<wbr>", esc(why))
    return f'<span class="no-picture">{breakable}</span>'
