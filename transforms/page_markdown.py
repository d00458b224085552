"""A page's nodes as pieces in reading order: Markdown texts with their roles, and pictures at their places.

One walk over page_tree.py's nodes, without recursion; what each element means stands in the table at the end.
Left out on purpose: links, bold and italics, which are no text; escapes, which no reader of the set would undo.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from msgspec.structs import replace

from transforms.page_boilerplate import Block
from transforms.page_formulas import formula_of_math, formula_of_script
from transforms.page_names import MAX_NAME, caption_name, figure_box, named
from transforms.page_pictures import (
    formula_of,
    is_fallback,
    join_sources,
    pictures_between,
    read_background,
    read_picture,
)
from transforms.page_pieces import Pieces, Placed
from transforms.page_tables import data_rows, format_table
from transforms.page_text import clean_code, clean_text, text_parts
from transforms.page_tree import PICTURES, SILENT, Tree
from transforms.records import Text

_BLOCKS = (
    "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "address", "center", "details",
    "summary", "fieldset", "legend", "form", "body", "html", "td", "th", "tr", "tbody", "thead", "tfoot", "hgroup",
    "option", "dialog"
)  # fmt: skip
_MAX_FIGURE = 400
"""Characters up to which all text of a figure is its caption."""
_MAX_INLINE_CODE = 500
_JUDGED_PROSE = 4_000
_PERMALINKS = frozenset({"", "¶", "#", "§", "🔗", "⚓"})
"""What manuals write behind a heading to link to it."""
_SIGN_NODES = 4
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight-source|brush:)-?\s*([\w+#-]{1,20})")


def write_pieces(tree: Tree, removed: list[Block]) -> list[Placed]:
    """Pieces in document order. Pictures in removed blocks are among them, with the block's reason."""
    walk = _Walk(tree, removed)
    tags, texts, out, size = tree.tags, tree.texts, walk.out, len(tree.tags)
    blocks = iter([*removed, Block(size + 1, size + 1, "")])
    block, i = next(blocks), 0
    while i < size:
        while out.close_at <= i:
            out.close()
        if block.start <= i:
            i = max(i, walk.pass_over(block) if block.start == i else i)
            block = next(blocks)
        elif not (tag := tags[i]):
            if out.parts or not texts[i].isspace():
                out.parts.append(texts[i])
            i += 1
        elif handler := _HANDLERS.get(tag):
            i = handler(walk, i)
        else:
            i += 1
    return out.finish()


class _Walk:
    """What the handlers share. Each takes a node and returns the node to go on with."""

    def __init__(self, tree: Tree, removed: list[Block]) -> None:
        self.tree, self.out = tree, Pieces()
        self.skipped = {block.start: block.end for block in removed}
        self.reasons = {block.start: block.reason for block in removed}
        self._code = [n for n, tag in enumerate(tree.tags) if tag == "pre"]

    def holds_code(self, start: int, end: int) -> bool:
        return bisect_left(self._code, start) < bisect_left(self._code, end)

    def pass_over(self, block: Block) -> int:
        if self.tree.pictures[block.end] > self.tree.pictures[block.start]:
            for n in pictures_between(self.tree, block.start, block.end):
                picture = read_picture(self.tree, n, block.reason)
                advert = named(" ".join(picture.names)[:MAX_NAME], picture.alt[:MAX_NAME]) == "advert"
                self.out.show(replace(picture, removed="advert") if advert else picture)
        return block.end

    def show_inside(self, i: int) -> None:
        """Pictures in an element that became one text, behind it; those of removed blocks in it with their reason."""
        tree, n, end = self.tree, i + 1, self.tree.ends[i]
        if tree.pictures[end] == tree.pictures[i]:
            return
        while n < end:
            if n in self.skipped:
                n = self.pass_over(Block(n, self.skipped[n], self.reasons[n]))
            elif tree.tags[n] in PICTURES:
                n = _picture(self, n)
            else:
                n += 1


def _block(walk: _Walk, i: int) -> int:
    values = walk.tree.values[i]
    if values:
        names = values.get("class", "")[:MAX_NAME]
        if names and figure_box(names):
            return _figure(walk, i)
        if names and caption_name(names):
            return _caption(walk, i)
        if ("style" in values or "role" in values or "data-bg" in values) and (
            picture := read_background(walk.tree, i)
        ):
            walk.out.show(picture)
    walk.out.begin(walk.tree.ends[i])
    return i + 1


def _span(walk: _Walk, i: int) -> int:
    values = walk.tree.values[i]
    if values and caption_name(values.get("class", "")[:MAX_NAME]):
        return _caption(walk, i)
    return i + 1


def _figure(walk: _Walk, i: int) -> int:
    tree, end = walk.tree, walk.tree.ends[i]
    walk.out.begin(end)
    if tree.pictures[end] > tree.pictures[i]:
        walk.out.begin(end, "figure", i)
        if tree.characters[end] - tree.characters[i] <= _MAX_FIGURE and not walk.holds_code(i, end):
            walk.out.begin(end, "caption")
    return i + 1


def _caption(walk: _Walk, i: int) -> int:
    walk.out.begin(walk.tree.ends[i], "caption")
    return i + 1


def _heading(walk: _Walk, i: int) -> int:
    walk.out.begin(walk.tree.ends[i], "heading", int(walk.tree.tags[i][1]))
    return i + 1


def _quote(walk: _Walk, i: int) -> int:
    walk.out.begin(walk.tree.ends[i], "quote")
    return i + 1


def _list(walk: _Walk, i: int) -> int:
    first = walk.tree.values[i].get("start", "1")
    number = int(first) if first.isascii() and first.isdigit() and len(first) < 7 else 1
    walk.out.begin(walk.tree.ends[i], "list", (number or 1) if walk.tree.tags[i] == "ol" else 0)
    return i + 1


def _item(walk: _Walk, i: int) -> int:
    walk.out.begin(walk.tree.ends[i])
    if walk.tree.tags[i] != "dd":
        walk.out.item()
    return i + 1


def _preformatted(walk: _Walk, i: int) -> int:
    """Code between fences; prose that is only set with a fixed width, as old books are, as paragraphs."""
    tree, end = walk.tree, walk.tree.ends[i]
    walk.out.end_text()
    code = clean_code(text_parts(tree, i + 1, end, walk.skipped))
    names = " ".join(tree.values[n].get("class", "") for n in range(i, min(i + 3, end)) if tree.values[n])
    if not names and "code" not in tree.tags[i : i + 3] and _is_prose(code):
        for paragraph in filter(None, (clean_text([part]) for part in re.split(r"\n\s*\n", code))):
            walk.out.place(Text(paragraph, "paragraph"))
    elif code:
        language = found[1] if (found := _LANGUAGE.search(names[:300])) else ""
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
        walk.out.place(Text(f"{fence}{language}\n{code}\n{fence}", "code"))
    walk.show_inside(i)
    return end


def _is_prose(text: str) -> bool:
    """Sentences: long, nearly all letters and spaces, and hardly a line that is indented or short."""
    start = text[:_JUDGED_PROSE]
    lines = [line for line in start.split("\n") if line]
    plain = sum(map(str.isalpha, start)) + start.count(" ") + start.count("\n")
    flush = sum(not line[0].isspace() and " " in line for line in lines)
    return len(lines) >= 4 and plain >= 0.92 * len(start) and flush >= 0.8 * len(lines)


def _code(walk: _Walk, i: int) -> int:
    """Inline code between backticks; long code, code over several lines and code with pictures as running text."""
    tree, end = walk.tree, walk.tree.ends[i]
    if end - i > 64 or tree.pictures[end] > tree.pictures[i]:
        return i + 1
    code = clean_text(text_parts(tree, i + 1, end, walk.skipped) or [""])
    if not 0 < len(code) <= _MAX_INLINE_CODE or "`" in code or "\n" in code:
        return i + 1
    walk.out.parts.append(f"`{code}`")
    return end


def _table(walk: _Walk, i: int) -> int:
    rows = data_rows(walk.tree, i, walk.skipped)
    if not rows:
        walk.out.begin(walk.tree.ends[i])
        return i + 1
    tree, end, out = walk.tree, walk.tree.ends[i], walk.out
    out.end_text()
    for n in range(i + 1, min(i + 4, end)):
        if tree.tags[n] == "caption" and (
            text := clean_text(text_parts(tree, n + 1, tree.ends[n], walk.skipped) or [""])
        ):
            out.place(Text(text, "paragraph"))
    out.place(Text(format_table(rows), "table"))
    walk.show_inside(i)
    return end


def _link(walk: _Walk, i: int) -> int:
    """A heading's link to itself is no part of it; every other link is its text."""
    tree, end = walk.tree, walk.tree.ends[i]
    if end - i <= _SIGN_NODES and walk.out.in_heading and tree.values[i].get("href", "").startswith("#"):
        sign = clean_text(text_parts(tree, i + 1, end, walk.skipped) or [""])
        return end if sign in _PERMALINKS else i + 1
    return i + 1


def _rule(walk: _Walk, i: int) -> int:
    walk.out.end_text()
    return i + 1


def _break(walk: _Walk, i: int) -> int:
    walk.out.line_break()
    return i + 1


def _silent(walk: _Walk, i: int) -> int:
    if walk.tree.tags[i] == "script" and walk.tree.values[i]:
        _put_formula(walk, *formula_of_script(walk.tree, i))
    return walk.tree.ends[i]


def _math(walk: _Walk, i: int) -> int:
    _put_formula(walk, *formula_of_math(walk.tree, i))
    return walk.tree.ends[i]


def _put_formula(walk: _Walk, latex: str, display: bool) -> None:
    if latex and display:
        walk.out.end_text()
        walk.out.place(Text(f"$$\n{latex}\n$$", "formula"))
    elif latex:
        walk.out.parts.append(f"${latex}$")


def _picture(walk: _Walk, i: int) -> int:
    if latex := formula_of(walk.tree.values[i]):
        walk.out.parts.append(f"${latex}$")
    else:
        walk.out.show(read_picture(walk.tree, i))
    return walk.tree.ends[i]


def _noscript(walk: _Walk, i: int) -> int:
    """A picture for readers without scripts is the one before it, lazily loaded, or stands for itself."""
    for n in pictures_between(walk.tree, i, walk.tree.ends[i]):
        picture, last = read_picture(walk.tree, n), walk.out.last_picture()
        if last and is_fallback(picture, last):
            walk.out.replace_last(join_sources(last, picture))
        else:
            walk.out.show(picture)
    return walk.tree.ends[i]


_Handler = Callable[[_Walk, int], int]
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(_BLOCKS, _block),
    **dict.fromkeys(SILENT, _silent),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
    **dict.fromkeys(("ul", "ol", "menu", "dir", "dl"), _list),
    **dict.fromkeys(("li", "dt", "dd"), _item),
    **dict.fromkeys(("pre", "listing", "xmp"), _preformatted),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), _code),
    **dict.fromkeys(PICTURES, _picture),
    "a": _link,
    "span": _span,
    "figure": _figure,
    "figcaption": _caption,
    "blockquote": _quote,
    "table": _table,
    "br": _break,
    "hr": _rule,
    "math": _math,
    "noscript": _noscript,
}
