"""Pages of a classifier over hostile names in a real Chromium: nothing runs, nothing is fetched, all is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from classifiers.heads import Head
from pipelines.classifier_figures import Judged, summarise
from pipelines.classifier_page import About, format_page
from pipelines.labelled_pictures import LeftOut, Seen
from pipelines.labelling_page import Pick
from pipelines.labelling_page import format_page as format_labelling_page
from tests.classifiers.test_heads import card, head
from tests.pipelines.browser import CHROMIUM, Tripwire, tripwire
from tests.pipelines.hostile_run import payloads
from tests.pipelines.test_labelled_pictures import png
from tests.pipelines.test_report_in_browser import open_unharmed, shown
from transforms.records import Span

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]


def evil_head(evil: list[str]) -> Head:
    clip = replace(card().clip, name=evil[0], fingerprint=evil[1])
    return Head(replace(card(), classes=(evil[0], evil[1], evil[2]), clip=clip), head().tensors)


def evil_pages(wire: Tripwire, picture: Path) -> dict[str, str]:
    picture.write_bytes(png("red"))
    evil = payloads(wire.url)
    names, span = tuple(evil[:3]), Span(str(picture), 0, picture.stat().st_size, "file")
    seen = [Seen(evil[i % len(evil)], f"{i:064x}", names[i % 3], span) for i in range(9)]
    shares = np.roll(np.eye(3)[[i % 3 for i in range(9)]], 1, axis=1) * 0.7 + 0.1
    left_out = [LeftOut(text, text, text) for text in evil]
    judged = Judged(names, seen, np.array([i % 3 for i in range(9)]), shares, shares, left_out, 10)
    bad = evil_head(evil)
    about = About(evil[0], bad, evil[1], {0.001: 0.5, 0.01: 0.6})
    picks = [Pick(one, shares[i]) for i, one in enumerate(seen)]
    return {
        "judged": format_page(judged, summarise(judged, 0.95), about),
        "labelling": format_labelling_page(picks, bad, (9, 0), evil[2]),
    }


def test_nothing_of_the_names_runs_in_the_pages_of_a_classifier(tmp_path: Path) -> None:
    with tripwire() as wire:
        for name, html in evil_pages(wire, tmp_path / "p.png").items():
            page = tmp_path / f"{name}.html"
            page.write_text(html, "utf-8")
            dom = open_unharmed(page, tmp_path / f"profile-{name}", wire)
            assert not [tag for tag, _ in dom.tags if tag in ("script", "iframe", "link", "object")]
            assert [attrs["src"][:23] for tag, attrs in dom.tags if tag == "img"] == ["data:image/webp;base64,"] * 9
            assert all(shown(text)[:80] in dom.text for text in payloads(wire.url)[:3])
