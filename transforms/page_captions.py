"""Which text is which picture's caption: in the same figure, marked as one beside it, or a "Figure 3:" next to it.

A caption stays a piece of its own with role "caption", because a reader of the page reads it; the picture carries a
copy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from transforms.page_pictures import PagePicture
from transforms.page_pieces import Placed
from transforms.records import Text

_NUMBERED = re.compile(
    r"\s*(?:(?:fig(?:ure|\.)?|image|photo|plate|illustration|map|diagram|chart|exhibit|abb(?:ildung|\.)|bild|figura|"
    r"рис(?:унок|\.)?)(?:\s*\d|\s+(?-i:[IVXLC]+|[A-H])\s*[.:–—])|[图圖図]\s*[\d一二三四五六七八九十])",
    re.IGNORECASE,
)
_MAX_NUMBERED = 600
"""Characters; a longer paragraph that begins with "Figure 3" talks about the figure."""
_MAX_CAPTION = 4_000
"""Characters of captions that a picture carries; a caption stands in the page once and may have many pictures near."""


def attach_captions(placed: Sequence[Placed]) -> list[Text | PagePicture]:
    """The pieces, captions copied onto their pictures and texts found to be captions given that role."""
    pieces = [piece for piece, _ in placed]
    for index, (piece, figure) in enumerate(placed):
        if isinstance(piece, Text) and piece.role == "caption":
            _give(pieces, _in_figure(placed, index, figure) or _beside(pieces, index), piece.value)
    for index, piece in enumerate(pieces):
        if isinstance(piece, Text) and piece.role == "paragraph" and _is_numbered(piece.value):
            pictures = [n for n in _beside(pieces, index) if not _picture(pieces[n]).caption]
            _give(pieces, pictures, piece.value)
            if pictures:
                pieces[index] = Text(piece.value, "caption")
    return pieces


def _is_numbered(text: str) -> bool:
    return len(text) <= _MAX_NUMBERED and _NUMBERED.match(text) is not None


def _picture(piece: Text | PagePicture) -> PagePicture:
    assert isinstance(piece, PagePicture)
    return piece


def _in_figure(placed: Sequence[Placed], index: int, figure: int) -> list[int]:
    """Pictures of the same figure, looked for in the pieces next to the caption."""
    if figure < 0:
        return []
    near = range(max(0, index - 8), min(len(placed), index + 9))
    return [n for n in near if placed[n].figure == figure and isinstance(placed[n].piece, PagePicture)]


def _beside(pieces: Sequence[Text | PagePicture], index: int) -> list[int]:
    """The kept picture right before a text, else the one right after it."""
    for n in (index - 1, index + 1):
        if 0 <= n < len(pieces):
            piece = pieces[n]
            if isinstance(piece, PagePicture) and not piece.removed:
                return [n]
    return []


def _give(pieces: list[Text | PagePicture], pictures: list[int], caption: str) -> None:
    for n in pictures:
        picture = _picture(pieces[n])
        joined = f"{picture.caption} {caption[:_MAX_CAPTION]}".strip()
        pieces[n] = replace(picture, caption=joined[:_MAX_CAPTION])
