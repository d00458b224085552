"""The pieces of a page as they are gathered: which text is a heading, an item, a quote, a caption.

A text ends where a block begins or ends, and at two <br>. A picture amid running text is placed behind its line, so
that no sentence is cut.
All lines of a list, and of a quotation, are one piece, unless a picture stands between them.
"""

from __future__ import annotations

from typing import NamedTuple

from transforms.page_pictures import PagePicture
from transforms.page_text import BREAK, clean_text
from transforms.records import Text

_MAX_INDENT = 12
"""Levels of a list that indent its lines; lists in hundreds of lists would make a page 200 times as long."""


class Placed(NamedTuple):
    """A piece, and the node of the figure it stands in (-1 outside any)."""

    piece: Text | PagePicture
    figure: int


class Pieces:
    """Open blocks are a stack by their ends; kinds that say what a text is are counted, so that no text asks the
    stack."""

    def __init__(self) -> None:
        self.placed: list[Placed] = []
        self.parts: list[str] = []
        """The running text since the last border of a block; the first part is more than white space."""
        self.close_at = 1 << 62
        """Node at which the innermost open block ends."""
        self._open: list[tuple[int, str]] = [(self.close_at, "")]
        self._headings: list[int] = []
        self._figures: list[int] = [-1]
        self._markers: list[int] = []
        self._captions = self._quotes = 0
        self._fresh = False
        self._waiting: list[PagePicture] = []
        self._lines: list[str] = []
        self._role = ""

    def begin(self, end: int, kind: str = "", value: int = 0) -> None:
        """Opens a block up to node `end`. `value`: a heading's level, a figure's node, a list's first number or 0."""
        self.end_text()
        self._open.append((end, kind))
        self.close_at = end
        if not kind:
            return
        if kind == "heading":
            self._headings.append(value)
        elif kind == "figure":
            self._figures.append(value)
        elif kind == "list":
            self._markers.append(value - 1 if value else -1)
        elif kind == "caption":
            self._captions += 1
        elif kind == "quote":
            self._quotes += 1

    def close(self) -> None:
        """Closes the innermost block."""
        self.end_text()
        kind = self._open.pop()[1]
        self.close_at = self._open[-1][0]
        if kind == "heading":
            self._headings.pop()
        elif kind == "figure":
            self._figures.pop()
        elif kind == "caption":
            self._captions -= 1
        elif kind == "quote":
            self._quotes -= 1
        elif kind == "list":
            self._markers.pop()
            self._fresh = False
        if (kind == "list" and not self._markers) or (kind == "quote" and not self._quotes):
            self.end_lines()

    @property
    def in_heading(self) -> bool:
        return bool(self._headings)

    def item(self) -> None:
        """The next text begins an item of the innermost list."""
        if self._markers:
            self._fresh = True
            self._markers[-1] += self._markers[-1] >= 0

    def line_break(self) -> None:
        """A <br>. Old pages part paragraphs by two of them, and set a picture on a line of its own between two."""
        whole = self._headings or self._captions
        if not whole and (self._waiting or self._last_part() == BREAK):
            self.end_text()
        elif self.parts:  # so that the first part is a text, and nobody looks for one
            self.parts.append(BREAK)

    def _last_part(self) -> str:
        """Of the running text without white space; "" where it has none."""
        return next((part for part in reversed(self.parts) if not part.isspace()), "")

    def show(self, picture: PagePicture) -> None:
        """Places a picture here, or behind the line of the running text."""
        if self.parts:
            self._waiting.append(picture)
        else:
            self.place(picture)

    def last_picture(self) -> PagePicture | None:
        """The picture shown last, where no text came since."""
        if self._waiting:
            return self._waiting[-1]
        last = self.placed[-1].piece if self.placed and not self._lines else None
        return last if isinstance(last, PagePicture) else None

    def replace_last(self, picture: PagePicture) -> None:
        if self._waiting:
            self._waiting[-1] = picture
        else:
            self.placed[-1] = Placed(picture, self.placed[-1].figure)

    def end_text(self) -> None:
        if self.parts:
            text = clean_text(self.parts)
            self.parts = []
            if text:
                self._put(text)
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for picture in waiting:
                self.place(picture)

    def end_lines(self) -> None:
        if self._lines:
            text, self._lines = "\n".join(self._lines), []
            self.placed.append(Placed(Text(text, self._role), self._figures[-1]))

    def place(self, piece: Text | PagePicture) -> None:
        self.end_lines()
        self.placed.append(Placed(piece, self._figures[-1]))

    def finish(self) -> list[Placed]:
        while len(self._open) > 1:
            self.close()
        self.end_text()
        self.end_lines()
        return self.placed

    def _put(self, text: str) -> None:
        if self._headings:
            self.place(Text("#" * self._headings[-1] + " " + text.replace("\n", " "), "heading"))
        elif self._captions:
            self.place(Text(text, "caption"))
        elif self._markers:
            self._join("list", self._item_lines(text))
        elif self._quotes:
            self._join("quote", [">"] * bool(self._lines) + [f"> {line}" for line in text.split("\n")])
        else:
            self.place(Text(text, "paragraph"))

    def _item_lines(self, text: str) -> list[str]:
        number = self._markers[-1]
        marker = "- " if number < 0 else f"{number}. "
        indent = "  " * min(len(self._markers) - 1, _MAX_INDENT)
        first, *more = text.split("\n")
        lines = [indent + (marker if self._fresh else " " * len(marker)) + first]
        self._fresh = False
        return lines + [indent + " " * len(marker) + line for line in more]

    def _join(self, role: str, lines: list[str]) -> None:
        if self._role != role:
            self.end_lines()
        self._role = role
        self._lines += lines
