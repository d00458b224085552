"""Which parts of a page are not its content, and why: navigation, footers, cookie banners, comments, adverts.

Here: what a block says of itself by element, role, class, id or label. A name alone is not believed where the block
holds most of the page's prose. Main content and blocks of links are found in page_main.py.
Left out on purpose: what needs a browser. A style sheet is not read, so only inline styles and attributes hide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from transforms.page_names import ADVERT_LABELS, MAX_NAME, named
from transforms.page_tree import SILENT, Tree

_JUDGED = frozenset({
    "div", "section", "ul", "ol", "dl", "aside", "header", "footer", "nav", "form", "table", "p", "figure",
    "article", "center", "menu", "details", "li", "span", "td", "iframe", "ins", "button", "fieldset", "dialog"
})  # fmt: skip
_BY_TAG = {"nav": "navigation", "footer": "footer", "header": "header", "aside": "sidebar", "form": "form"}
_BY_ROLE = {
    "navigation": "navigation", "search": "navigation", "menu": "navigation", "menubar": "navigation",
    "banner": "header", "contentinfo": "footer", "complementary": "sidebar", "dialog": "cookie",
    "alertdialog": "cookie",
}  # fmt: skip
_BY_USE = {
    "audio": "fallback", "canvas": "fallback", "iframe": "fallback", "noframes": "fallback", "noembed": "fallback",
    "button": "control", "select": "control", "datalist": "control", "textarea": "control", "dialog": "hidden",
    "template": "hidden",
}  # fmt: skip
_ASKED = frozenset({*_BY_TAG, *_BY_USE, "main", "article"})
_NEEDS_LINKS = frozenset({"navigation", "header", "sidebar", "footer", "related"})
"""Reasons whose words content uses too (a menu of dishes, a sidebar that explains): believed of a block with links."""
_DISCUSSED = frozenset({"comments", "related", "hidden"})
"""Reasons that may hold most of the prose, as long as the rest is an article of its own."""
_CLEAR_REST = 400
"""Characters of prose that make an article."""
_MOST = 0.8
"""Share of a page's characters from which an element is not believed to be its <nav> or <footer>."""
_MOST_PROSE = {"share": 400, "newsletter": 400, "advert": 800, "cookie": 1_500}
"""Characters of prose above which a block is about these things and not one of them."""
_LINKED = {"sidebar": 3}
"""Characters for one of a link up to which a block is one of links, 4 elsewhere: a box that explains says where to read
on, and in Chinese it has half the characters for the same address."""
_INLINE = frozenset({"span", "p", "li", "td", "ins", "label"})
"""Elements whose id is an anchor to link to and says nothing of a block."""
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SHORT, _SHORTEST = 80, 40
"""Characters up to which a block without prose is believed with one link (or as a footer or header), and with none."""
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_NEVER_HIDDEN = frozenset({"html", "body", "svg"})


class Block(NamedTuple):
    """Nodes `[start, end)` and why they are no content."""

    start: int
    end: int
    reason: str


def find_marked(tree: Tree) -> list[Block]:
    """Blocks that say themselves what they are: disjoint, in document order."""
    found: list[Block] = []
    tags, values, sums = tree.tags, tree.values, tree.characters
    i, size, content = 0, len(tags), 0
    while i < size:
        tag = tags[i]
        if not tag:
            if 1 < sums[i + 1] - sums[i] < 24 and (block := _labelled(tree, i)):
                while found and found[-1].start >= block.start:
                    found.pop()
                found.append(block)
                i = block.end
                continue
        elif values[i] or tag in _ASKED:
            if reason := _reason(tree, i, i < content):
                found.append(Block(i, tree.ends[i], reason))
                i = tree.ends[i]
                continue
            if tag in ("main", "article"):
                content = max(content, tree.ends[i])
        elif tag in SILENT and tag != "noscript":
            i = tree.ends[i]
            continue
        i += 1
    return found


def _reason(tree: Tree, i: int, in_content: bool) -> str:
    tag, values = tree.tags[i], tree.values[i]
    if tag in _BY_USE:
        return _BY_USE[tag]
    if tag in _NEVER_HIDDEN:
        return ""
    reason = _BY_TAG.get(tag, "")
    if values:
        if is_hidden(values) and _believed(tree, i, "hidden", in_content):
            return "hidden"
        reason = _BY_ROLE.get(values.get("role", ""), reason)
        if not reason and tag in _JUDGED and ("class" in values or "id" in values):
            reason = named(values.get("class", "")[:MAX_NAME], "" if tag in _INLINE else _own_id(tree, i)[:MAX_NAME])
    return reason if reason and _believed(tree, i, reason, in_content) else ""


def _own_id(tree: Tree, i: int) -> str:
    """The id of block i, unless it is only the anchor of the heading that begins it ("advertising" in a manual)."""
    identifier, end = tree.values[i].get("id", ""), min(i + 4, tree.ends[i])
    if identifier:
        for n in range(i + 1, end):
            if tree.tags[n] in _HEADINGS:
                heading = "".join(tree.texts.get(k, "") for k in range(n, min(n + 6, tree.ends[n])))
                return "" if _letters(heading[:100]).startswith(_letters(identifier[:100])) else identifier
    return identifier


@lru_cache(maxsize=1024)
def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _believed(tree: Tree, i: int, reason: str, in_content: bool) -> bool:
    """Whether what block i says of itself agrees with what it holds."""
    end, tag = tree.ends[i], tree.tags[i]
    prose, total = tree.prose[end] - tree.prose[i], tree.prose[-1]
    characters, linked = tree.characters[end] - tree.characters[i], tree.linked[end] - tree.linked[i]
    if tag == "nav" or (tag == "footer" and not in_content):
        return characters <= _MOST * tree.characters[-1]
    if prose * 2 > total and (total - prose < _CLEAR_REST or reason not in _DISCUSSED):
        return False
    if prose > _MOST_PROSE.get(reason, prose):
        return False
    if tag == "aside" and not in_content:
        return True
    if reason == "form":
        return characters * 3 < tree.characters[-1]
    if reason not in _NEEDS_LINKS:
        return True
    if tag == "header":
        return not in_content and linked + tree.pictures[end] - tree.pictures[i] > 0
    few = _SHORT if linked or reason in ("footer", "header") else _SHORTEST
    return linked * _LINKED.get(reason, 4) > characters or (characters < few and not prose and tag != "aside")


def _labelled(tree: Tree, i: int) -> Block | None:
    """The article, figure or part around a text that says "Sponsored" or "Advertisement" and nothing else."""
    if tree.texts[i].strip().casefold() not in ADVERT_LABELS:
        return None
    block = tree.parents[i]
    for _ in range(4):
        if block <= 0 or tree.tags[block] in ("article", "aside", "figure", "section", "li"):
            break
        block = tree.parents[block]
    if block <= 0 or tree.tags[block] == "body" or not _believed(tree, block, "advert", True):
        return None
    return Block(block, tree.ends[block], "advert")


def is_hidden(values: Mapping[str, str]) -> bool:
    return (
        "hidden" in values
        or values.get("aria-hidden") == "true"
        or ("style" in values and _hides(values["style"][:500]))
    )


@lru_cache(maxsize=4096)
def _hides(style: str) -> bool:
    return _HIDING.search(style) is not None
