"""Text of a pool as a terminal may show it: one line, nothing in it acts on the terminal, cut to what a glance takes.

Left out on purpose: rich markup; whoever puts it into a table wraps it in `rich.text.Text`.
"""

from __future__ import annotations

import unicodedata

from rich.console import Console
from rich.text import Text

SHOWN = 100
"""Characters of a caption that a table shows."""
LINE = 4000
"""Characters of a line of its own."""

# Bidirectional controls reorder what stands around them; joiners (U+200C, U+200D) are a part of words and emoji.
_REORDERING = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_ACTIVE = ("Cc", "Cs", "Zl", "Zp")


def plain(text: str, most: int = SHOWN) -> str:
    """`text` with control and reordering characters as escapes (`\\x1b`), cut behind `most` characters."""
    shown = "".join(_escape(character) for character in text[:most])
    return shown if len(text) <= most else shown + "…"


def number(value: float | int | str) -> str:
    """A measure for people: all digits of a whole number, at most the four decimals that are measured."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def _escape(character: str) -> str:
    if unicodedata.category(character) in _ACTIVE or ord(character) in _REORDERING:
        return character.encode("unicode_escape").decode()
    return character


def show_text(line: str) -> None:
    """One line to stdout, as wide as it is."""
    Console(soft_wrap=True, highlight=False).print(Text(plain(line, LINE)))


def cell(value: object) -> str:
    """Text for a Markdown table: no cell break, no line break, no code mark, no HTML."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
