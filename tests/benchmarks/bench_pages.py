"""Main content of the 73 real pages: token F1 of ours against other extractors, and pages a second in one run.

Nobody's text is the truth: F1 says how far two agree; where they do not, RESULTS.md says who is right. CPU seconds,
best of several rounds that alternate between the sides, because other programs share the machine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from configs.schema.web_page import PageRules
from tests.transforms.real_pages import DATA, real_pages
from transforms.page_content import page_text, read_page
from transforms.words import split_words

ROUNDS = 5
RULES = PageRules()


def family(url: str) -> str:
    """The site, for the handbook with its language."""
    place = urlsplit(url)
    name = place.netloc.split(".")[0]
    return f"{name} {place.path.split('/')[1]}" if name == "handbook" else name


def extractors() -> dict[str, Callable[[str], str]]:
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


def token_f1(one: str, other: str) -> float:
    """F1 of the two texts as bags of words; 1 where both are empty."""
    first, second = Counter(split_words(one)), Counter(split_words(other))
    both = first.total() + second.total()
    return 2 * (first & second).total() / both if both else 1.0


def agreement(texts: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """Mean F1 by family for each pair of sides; `texts` by side and URL."""
    pairs = [("ours", name) for name in texts if name != "ours"] + [
        ("resiliparse", "trafilatura"),
        ("readability", "trafilatura"),
    ]
    urls = list(texts["ours"])
    figures = []
    for name in sorted({family(url) for url in urls}):
        mine = [url for url in urls if family(url) == name]
        found = {pair: sum(token_f1(texts[pair[0]][u], texts[pair[1]][u]) for u in mine) / len(mine) for pair in pairs}
        figures.append(
            (f"F1, {name}, {len(mine)} pages", ", ".join(f"{a}/{b} {f1:.3f}" for (a, b), f1 in found.items()))
        )
    return figures


def speeds(pages: list[str], sides: dict[str, Callable[[str], str]]) -> dict[str, float]:
    """Pages a CPU second by side."""
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for name, side in sides.items():
            started = time.process_time()
            for html in pages:
                side(html)
            best[name] = min(best[name], time.process_time() - started)
    return {name: len(pages) / seconds for name, seconds in best.items()}


def bench(folder: object) -> list[tuple[str, str]]:
    if not DATA.is_dir():
        return [("pages", "skipped: ../shared/data/web is absent")]
    pages, sides = real_pages(), extractors()
    texts = {name: {url: side(html) for url, html in pages.items()} for name, side in sides.items()}
    # The handbook calls boxes of its own text "sidebar", which the others drop by name; under another name all agree.
    boxes = {
        url: html.replace('"sidebar"', '"box"') for url, html in pages.items() if family(url).startswith("handbook")
    }
    renamed = {name: {url: side(html) for url, html in boxes.items()} for name, side in sides.items()}
    found = speeds(list(pages.values()), sides)
    ratios = [
        (f"pages/s, ours / {name}", f"{found['ours']:.0f} / {rate:.0f} = {found['ours'] / rate:.2f}")
        for name, rate in found.items()
        if name != "ours"
    ]
    again = [(f"{label}, its boxes renamed", figures) for label, figures in agreement(renamed)]
    return [*agreement(texts), *again, *ratios]
