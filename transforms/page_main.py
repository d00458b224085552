"""Where a page's main content begins and ends, and which blocks inside it are nothing but links.

The smallest of <main>, <article> and blocks named so that holds most of the prose is the content; a page that has
none keeps all that is not marked. All sums are differences of running sums, so the cost is linear whatever the
nesting.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate

from configs.schema.web_page import PageRules
from transforms.page_boilerplate import Block, find_marked
from transforms.page_names import MAX_NAME, content_name, title_name
from transforms.page_tree import Tree

_LINK_BLOCKS = frozenset({
    "div", "section", "ul", "ol", "dl", "p", "table", "nav", "center", "menu", "td", "article"
})  # fmt: skip
_HEADINGS = frozenset({"h1", "h2", "h3", "h4"})
_CONTAINERS = {"main": 1, "article": 1, "div": 2, "section": 2, "td": 2}
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|svg)(?:$|[?#])", re.IGNORECASE)
_MOSTLY_LINKED = 0.3
"""Share of links in what surrounds an article inside <main> from which it is no content."""
_ADDRESS = ("http://", "https://", "www.")
_FEW_NODES = 64
"""Nodes of a block up to which its links are read; in larger ones that nest, reading would not be linear."""
_LONG_LINK = 40
"""Mean characters of a link from which a list of links is one of references, not a menu."""


def find_boilerplate(tree: Tree, rules: PageRules) -> list[Block]:
    """Disjoint blocks in document order."""
    marked = _without_title(tree, find_marked(tree))
    start, end = _find_main(tree, marked, rules)
    heading, behind = _heading_before(tree, marked, start)
    inside = [block for block in marked if block.start >= start and block.end <= end]
    blocks = inside + _Links(tree, inside, (start, end), rules).blocks()
    for first, last in ((0, heading), (behind, start), (end, len(tree.tags))):
        blocks += _filled([b for b in marked if first <= b.start and b.end <= last], first, last)
    return sorted(blocks)


def _without_title(tree: Tree, marked: list[Block]) -> list[Block]:
    """A <header> is parted around its unlinked <h1> where that is the page's only one: the title stays."""
    titles = [
        i for i, tag in enumerate(tree.tags) if tag == "h1" and tree.characters[tree.ends[i]] > tree.characters[i]
    ]
    if len(titles) != 1 or tree.linked[(end := tree.ends[titles[0]])] > tree.linked[(title := titles[0])]:
        return marked
    parted = []
    for block in marked:
        if block.start < title < block.end and block.reason == "header" and tree.tags[block.start] == "header":
            parted += [Block(block.start, title, "header"), Block(end, block.end, "header")]
        else:
            parted.append(block)
    return [block for block in parted if block.start < block.end]


class _Kept:
    """Sums over nodes before an index, without those of the marked blocks, which hold no content."""

    def __init__(self, marked: list[Block], sums: list[int]) -> None:
        self._sums, self._starts = sums, [block.start for block in marked]
        self._ends = [block.end for block in marked]
        self._lost = [0, *accumulate(sums[block.end] - sums[block.start] for block in marked)]

    def before(self, i: int) -> int:
        rank = bisect_right(self._starts, i)
        inside = self._sums[self._ends[rank - 1]] - self._sums[i] if rank and self._ends[rank - 1] > i else 0
        return self._sums[i] - self._lost[rank] + inside

    def between(self, start: int, end: int) -> int:
        return self.before(end) - self.before(start)


def _find_main(tree: Tree, marked: list[Block], rules: PageRules) -> tuple[int, int]:
    """The range of the content; the whole page where no element holds enough of it."""
    size = len(tree.tags)
    kept = _Kept(marked, tree.prose)
    if not kept.before(size):
        kept = _Kept(marked, tree.characters)
    enough, best, best_rank = rules.min_main_share * max(kept.before(size), 1), (0, size), 3
    sums = _Kept(marked, tree.characters), _Kept(marked, tree.linked)
    for i in _unmarked(marked, size):
        if (rank := _CONTAINERS.get(tree.tags[i], 3)) > best_rank or not (rank == 1 or tree.values[i]):
            continue
        rank = rank if rank == 1 else _named_rank(tree.values[i])
        if rank <= best_rank and kept.between(i, tree.ends[i]) >= enough and _is_better(tree, sums, best, i):
            best, best_rank = (i, tree.ends[i]), rank
    return best


def _is_better(tree: Tree, sums: tuple[_Kept, _Kept], best: tuple[int, int], i: int) -> bool:
    """An element inside <main> is its content only where the rest of <main> is full of links.

    `sums` are of characters and of linked ones; made once a page, because articles may be nested in hundreds.
    """
    if tree.tags[best[0]] != "main":
        return True
    characters, linked = (kept.between(*best) - kept.between(i, tree.ends[i]) for kept in sums)
    return linked > _MOSTLY_LINKED * characters


def _named_rank(values: Mapping[str, str]) -> int:
    """1 for what means content, 2 for names that often do, 4 for none."""
    if values.get("role") == "main":
        return 1
    return 2 if content_name(values.get("class", "")[:MAX_NAME], values.get("id", "")[:MAX_NAME]) else 4


def _unmarked(marked: list[Block], size: int) -> Iterator[int]:
    i = 0
    for block in marked:
        yield from range(i, block.start)
        i = block.end
    yield from range(i, size)


def _heading_before(tree: Tree, marked: list[Block], start: int) -> tuple[int, int]:
    """The last unmarked <h1>, or heading named so, before the content belongs to it where it has no <h1> of its own."""
    if not start or "h1" in tree.tags[start : tree.ends[start]]:
        return start, start
    kept = _Kept(marked, tree.characters)
    for i in range(start - 1, 0, -1):
        if tree.tags[i] not in _HEADINGS or not kept.between(i, tree.ends[i]):
            continue
        if tree.tags[i] == "h1" or title_name(tree.values[i].get("class", "")):
            return i, tree.ends[i]
    return start, start


def _filled(blocks: list[Block], start: int, end: int) -> list[Block]:
    """`[start, end)` wholly removed: as the blocks say, and as "outside" between them."""
    filled = []
    for block in blocks:
        if start < block.start:
            filled.append(Block(start, block.start, "outside"))
        filled.append(block)
        start = block.end
    return filled + ([Block(start, end, "outside")] if start < end else [])


class _Links:
    """Finds blocks nearly all of whose text is links."""

    def __init__(self, tree: Tree, marked: list[Block], main: tuple[int, int], rules: PageRules) -> None:
        self._tree, self._main, self._share = tree, main, rules.max_link_share
        self._skipped = {block.start: block.end for block in marked}
        self._links = [0, *accumulate(tag == "a" for tag in tree.tags)]
        kept = _Kept(marked, tree.prose)
        low, high = kept.before(main[0]), kept.before(main[1])
        nodes = range(main[0], main[1])
        # From the first text of prose to the last; nothing is amid prose where there is none.
        self._first = main[0] + bisect_right(nodes, low, key=kept.before) - 1 if low < high else main[1]
        self._last = main[0] + bisect_right(nodes, high - 1, key=kept.before) if low < high else main[0]
        self._heading = next((n for n in nodes if tree.tags[n] in _HEADINGS), main[1])

    def blocks(self) -> list[Block]:
        tags, ends, found, i = self._tree.tags, self._tree.ends, list[Block](), self._main[0]
        while i < self._main[1]:
            if i in self._skipped:
                i = self._skipped[i]
            elif tags[i] in _LINK_BLOCKS and (reason := self._reason(i, ends[i])):
                found.append(Block(i, ends[i], reason))
                i = ends[i]
            else:
                i += 1
        return found

    def _reason(self, i: int, end: int) -> str:
        """ "navigation", or "related" for links with pictures or headings; "" for anything else."""
        tree, links = self._tree, self._links[end] - self._links[i]
        if not links or tree.prose[end] > tree.prose[i] or self._first > self._last:
            return ""
        characters, linked = tree.characters[end] - tree.characters[i], tree.linked[end] - tree.linked[i]
        if not characters:
            return "navigation" if end <= self._first and self._is_logo(i, end) else ""
        amid = self._first <= i < self._last
        if linked <= self._share * characters or (amid and (links < 4 or linked >= links * _LONG_LINK)):
            return ""
        if end - i <= _FEW_NODES and self._shows_address(i, end):
            return ""
        if not amid and (tree.pictures[end] > tree.pictures[i] or not _HEADINGS.isdisjoint(tree.tags[i:end])):
            return "related"
        return "navigation"

    def _shows_address(self, i: int, end: int) -> bool:
        """A link that shows where it leads is a reference, as books and manuals write it."""
        return any(self._tree.texts[n].lstrip().startswith(_ADDRESS) for n in range(i, end) if n in self._tree.texts)

    def _is_logo(self, i: int, end: int) -> bool:
        """Pictures that lead to other pages and stand before the first heading."""
        tags = self._tree.tags
        if self._heading < i:
            return False
        targets = [self._tree.values[n].get("href", "") for n in range(i, end) if tags[n] == "a"]
        return not any(_PICTURE_FILE.search(target[-200:]) for target in targets)
