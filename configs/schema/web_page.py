"""Config of reading one web page: how much is taken, and where main content ends and boilerplate begins.

No paper states these numbers: the shares were chosen on ../shared/data/web against the pages as seen by eye.
"""

from __future__ import annotations

from pydantic import Field

from configs.schema.strict import Strict


class PageRules(Strict):
    max_characters: int = Field(20_000_000, ge=1)
    """Characters of HTML read of one page; what follows is cut and counted. Far above any page a person wrote."""
    max_depth: int = Field(512, ge=16)
    """Open elements. A deeper page is read flat, without its structure. 512: where Chrome stops to nest."""
    max_nodes: int = Field(1_000_000, ge=1_000)
    """Elements and texts read of one page; what follows is cut and counted. The HTML standard on one page has a third
    of it; 8 MiB of the shortest tags have six times as many."""
    max_link_share: float = Field(0.6, ge=0, le=1)
    """Characters inside links over all characters of a block; above it a block without prose is navigation."""
    min_main_share: float = Field(0.6, ge=0, le=1)
    """Prose inside <main>, <article> or what is named so, over the page's; from it on the rest is outside."""
    min_prose: int = Field(40, ge=1)
    """Characters of an unlinked run of text from which it counts as prose: half a line, longer than a menu's entry."""
