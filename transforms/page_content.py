"""A web page as its content in reading order: Markdown texts, and pictures at their places.

HTML characters in, `Page` out; which bytes they were, and where a picture's address leads, is decided elsewhere.
Nothing is fetched or executed.
Left out on purpose: style sheets and scripts, so what only they place, hide or load is not known.
"""

from __future__ import annotations

import msgspec

from configs.schema.web_page import PageRules
from transforms.page_boilerplate import Block
from transforms.page_captions import attach_captions
from transforms.page_main import find_boilerplate
from transforms.page_markdown import write_pieces
from transforms.page_metadata import PageMetadata, read_metadata
from transforms.page_pictures import PagePicture
from transforms.page_tree import Tree, parse_tree
from transforms.records import Text


class Removed(msgspec.Struct, frozen=True):
    """All blocks of a page that were removed for one reason."""

    reason: str
    """navigation, header, footer, sidebar, related, comments, share, newsletter, cookie, advert, form, control,
    fallback
    (text for browsers that cannot play or frame), hidden, outside (beside the element that holds the content)."""
    blocks: int
    characters: int
    pictures: int


class Page(msgspec.Struct, frozen=True):
    """`pieces` hold every picture of the page; those in removed blocks have `removed` set and are no content."""

    url: str
    metadata: PageMetadata
    pieces: tuple[Text | PagePicture, ...]
    removed: tuple[Removed, ...]
    """By reason, in alphabetical order."""
    characters: int
    """Visible characters of the page without white space around texts, content and boilerplate."""
    cut: int = 0
    """Characters of HTML behind `max_characters` or `max_nodes` that were not read."""
    flat: bool = False
    """Whether the page was nested too deeply and read without its structure."""


def read_page(html: str, url: str, rules: PageRules) -> Page:
    """Never raises for any text, takes time linear in it, and gives the same page for the same text."""
    cut = max(0, len(html) - rules.max_characters)
    tree = parse_tree(html[: rules.max_characters] if cut else html, rules)
    blocks = find_boilerplate(tree, rules)
    pieces = tuple(attach_captions(write_pieces(tree, blocks)))
    return Page(
        url, read_metadata(tree), pieces, _removed(tree, blocks), tree.characters[-1], cut + tree.cut, tree.flat
    )


def page_text(page: Page) -> str:
    """The texts of the content, a blank line between two pieces."""
    return "\n\n".join(piece.value for piece in page.pieces if isinstance(piece, Text))


def _removed(tree: Tree, blocks: list[Block]) -> tuple[Removed, ...]:
    sums: dict[str, list[int]] = {}
    for start, end, reason in blocks:
        found = [tree.characters[end] - tree.characters[start], tree.pictures[end] - tree.pictures[start]]
        if any(found):
            sums[reason] = [a + b for a, b in zip(sums.get(reason, [0, 0, 0]), [1, *found], strict=True)]
    return tuple(Removed(reason, *sums[reason]) for reason in sorted(sums))
