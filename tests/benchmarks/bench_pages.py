"""Main content of the 73 real pages: token F1 of ours against other extractors, and pages a second in one run.

Nobody's text is the truth: F1 says how far two agree; where they do not, RESULTS.md says who is right. CPU seconds,
best of several rounds that alternate between the sides, because other programs share the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.benchmarks.page_agreement import extractors, format_agreements
from tests.transforms.real_pages import DATA, real_pages

ROUNDS = 5


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
    found = speeds(list(pages.values()), sides)
    ratios = [
        (f"pages/s, ours / {name}", f"{found['ours']:.0f} / {rate:.0f} = {found['ours'] / rate:.2f}")
        for name, rate in found.items()
        if name != "ours"
    ]
    return [("agreement", f"\n{format_agreements()}"), *ratios]
