"""How far our text of the 73 real pages and other extractors' agree, by site family.

    python -m tests.benchmarks.page_agreement

prints the table that stands in RESULTS.md. Nobody's text is the truth: token F1 says how far two agree. Two further
columns say more: how many of the words that trafilatura and resiliparse both give ours lacks (content lost, if anything
is), and the share of ours that neither gives (boilerplate left, if anything is). RESULTS.md says who is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from configs.schema.web_page import PageRules
from tests.transforms.real_pages import real_pages
from transforms.page_content import page_text, read_page
from transforms.words import split_words

RULES = PageRules()
Side = Callable[[str], str]


class Agreement(NamedTuple):
    """Of the pages of one family; F1 is the mean over its pages, shares are over all words of the family."""

    pages: int
    f1: dict[str, float]
    """By the other side's name."""
    others: float
    """F1 of trafilatura and resiliparse."""
    lacking: int
    both: int
    """Words that both others give, and how many of them ours lacks."""
    alone: int
    words: int
    """Words of ours, and how many of them neither other gives."""


def family(url: str) -> str:
    """The site, for the handbook with its language."""
    place = urlsplit(url)
    name = place.netloc.split(".")[0]
    return f"{name} {place.path.split('/')[1]}" if name == "handbook" else name


def extractors() -> dict[str, Side]:
    import trafilatura
    from lxml.html import fromstring
    from readability import Document
    from resiliparse.extract.html2text import extract_plain_text

    return {
        "ours": lambda html: page_text(read_page(html, "", RULES)),
        "trafilatura": lambda html: trafilatura.extract(html) or "",
        "resiliparse": lambda html: extract_plain_text(html, main_content=True),
        "readability": lambda html: fromstring(Document(html).summary()).text_content(),
    }


def token_f1(one: Counter[str], other: Counter[str]) -> float:
    """F1 of two bags of words; 1 where both are empty."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 1.0


@cache
def agreements(renamed: bool = False) -> dict[str, Agreement]:
    """By family. `renamed`: the handbook's boxes of class "sidebar", which the others drop by that name, are called
    "box" for everybody."""
    found: dict[str, list[dict[str, Counter[str]]]] = {}
    sides = extractors()
    for url, html in real_pages().items():
        if renamed:
            html = html.replace('"sidebar"', '"box"') if url.startswith("http://handbook") else ""
        if html:
            bags = {name: Counter(split_words(side(html))) for name, side in sides.items()}
            found.setdefault(family(url), []).append(bags)
    return {name: _agreement(pages) for name, pages in sorted(found.items())}


def _agreement(pages: list[dict[str, Counter[str]]]) -> Agreement:
    def mean(one: str, other: str) -> float:
        return sum(token_f1(bags[one], bags[other]) for bags in pages) / len(pages)

    both = [bags["trafilatura"] & bags["resiliparse"] for bags in pages]
    either = [bags["trafilatura"] | bags["resiliparse"] for bags in pages]
    ours = [bags["ours"] for bags in pages]
    return Agreement(
        len(pages),
        {name: mean("ours", name) for name in pages[0] if name != "ours"},
        mean("trafilatura", "resiliparse"),
        sum((a - b).total() for a, b in zip(both, ours, strict=True)),
        sum(a.total() for a in both),
        sum((b - a).total() for a, b in zip(either, ours, strict=True)),
        sum(b.total() for b in ours),
    )


def format_agreements() -> str:
    """The table of RESULTS.md."""
    lines = [
        "| family | pages | F1 ours/trafilatura | ours/resiliparse | ours/readability | resiliparse/trafilatura "
        "| of the words both give, ours lacks | of ours, neither gives |",
        "|---|---|---|---|---|---|---|---|",
    ]
    renamed = {f"{name}, its boxes renamed": found for name, found in agreements(renamed=True).items()}
    for name, one in sorted({**agreements(), **renamed}.items()):
        scores = " | ".join(f"{one.f1[side]:.3f}" for side in ("trafilatura", "resiliparse", "readability"))
        shares = f"{one.lacking} of {one.both:,} | {one.alone / max(one.words, 1):.1%} of {one.words:,}"
        lines.append(f"| {name} | {one.pages} | {scores} | {one.others:.3f} | {shares} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(format_agreements())
