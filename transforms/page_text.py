"""Text of a page as a reader sees it: white space folded, what nobody sees taken out, lines where the page breaks them.

U+200C and U+200D stay, because Persian, the Indic scripts and emoji are spelt with them.
Left out on purpose: Unicode normalisation and mojibake repair; a text stays what its author wrote.
"""

from __future__ import annotations

import re

from transforms.page_tree import SILENT, Tree

BREAK = "\ue000"
"""A <br>. From the private use area, so that no text of a page needs it."""

# Soft hyphen, zero-width space, word joiner and BOM; bidirectional controls; C0 and C1 controls but tab and line ends.
_UNSEEN = re.compile(
    "[\u00ad\u200b\u200e\u200f\u2060\ufeff\u180e\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1f\x7f-\x9f]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


def clean_text(parts: list[str]) -> str:
    """One paragraph of the parts between two block borders; an empty line between two <br> is one line end too."""
    text = parts[0] if len(parts) == 1 else "".join(parts)
    if not text.isascii():
        text = _UNSEEN.sub("", text)
        if BREAK in text:
            lines = (" ".join(line.split()) for line in text.split(BREAK))
            return "\n".join(line for line in lines if line)
    elif not text.isprintable():
        text = _CONTROL.sub("", text)
    return " ".join(text.split())


def clean_code(parts: list[str]) -> str:
    """As written, without empty lines at both ends and white space at the ends of lines."""
    text = _UNSEEN.sub("", "".join(parts).replace(BREAK, "\n").replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def text_parts(tree: Tree, start: int, end: int, skipped: dict[int, int]) -> list[str]:
    """Texts of nodes `[start, end)` in order, with BREAK for each <br>, without the ranges of `skipped` and silent
    elements."""
    parts, i = list[str](), start
    tags = tree.tags
    while i < end:
        tag = tags[i]
        if i in skipped:
            i = skipped[i]
        elif not tag:
            parts.append(tree.texts[i])
            i += 1
        elif tag in SILENT:
            i = tree.ends[i]
        else:
            if tag == "br":
                parts.append(BREAK)
            i += 1
    return parts
