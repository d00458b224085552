"""Pages of a run over a hostile pool, in a real Chromium: nothing of it runs, nothing is fetched, all is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.calibration_page import Calibration, Figures, format_page
from pipelines.report_pages.markup import esc
from tests.pipelines.browser import CHROMIUM, Tripwire, open_page, tripwire
from tests.pipelines.dom import Dom
from tests.pipelines.hostile_run import MARK, make_hostile_run, payloads
from transforms.calibration import Interval

pytestmark = [pytest.mark.slow, pytest.mark.beam]
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def wire() -> Iterator[Tripwire]:
    with tripwire() as server:
        yield server


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, wire: Tripwire) -> Path:
    return make_hostile_run(tmp_path_factory.mktemp("hostile"), wire.url)


def open_unharmed(page: Path, profile: Path, wire: Tripwire) -> Dom:
    wire.asked.clear()
    html = open_page(page, profile)
    dom = Dom(html)
    assert wire.asked == []
    assert "<title>owned" not in html and not [1 for tag, attrs in dom.tags if "data-owned" in attrs]
    return dom


@in_browser
def test_the_tripwire_and_the_mark_work_where_nothing_protects(tmp_path: Path) -> None:
    with tripwire() as server:
        page = tmp_path / "open.html"
        page.write_text("<!doctype html><title>page</title>" + raw(server.url), "utf-8")
        html = open_page(page, tmp_path / "profile")
        assert "<title>owned" in html and "data-owned" in html
        assert {"/fetch", "/script", "/picture", "/style"} <= set(server.asked)


@in_browser
def test_nothing_of_the_pool_runs_in_the_report(output: Path, wire: Tripwire, tmp_path: Path) -> None:
    dom = open_unharmed(output / "report.html", tmp_path, wire)
    assert not {tag for tag, _ in dom.tags} & {
        "script",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "noscript",
        "math",
    }
    assert not [name for _, attrs in dom.tags for name in attrs if name.startswith("on")]
    assert all((attrs["href"] or "").startswith("#") for tag, attrs in dom.tags if tag == "a")
    assert all((attrs["src"] or "").startswith("data:image/webp;base64,") for tag, attrs in dom.tags if tag == "img")


@in_browser
def test_captions_and_names_are_shown_as_they_are(output: Path, wire: Tripwire, tmp_path: Path) -> None:
    dom = Dom(open_page(output / "report.html", tmp_path))
    missing = [text for text in payloads(wire.url) if shown(text) not in dom.text]
    assert missing == []
    assert "<script>document.title='owned'<.tar" in dom.text and '" onload="x.jsonl' in dom.text
    assert "<script>document.title='owned'<.tar#broken0/" in dom.text


@in_browser
def test_the_policy_holds_where_escaping_would_not(output: Path, wire: Tripwire, tmp_path: Path) -> None:
    """The second wall alone: the payloads as raw HTML in the report's own page."""
    page = tmp_path / "raw.html"
    html = (output / "report.html").read_text("utf-8")
    page.write_text(html.replace("<main>", f"<main>{raw(wire.url)}"), "utf-8")
    open_unharmed(page, tmp_path / "profile", wire)


@in_browser
def test_nothing_of_the_pool_runs_in_the_page_of_a_calibration(wire: Tripwire, tmp_path: Path) -> None:
    page = tmp_path / "calibration.html"
    page.write_text(format_page(calibration(payloads(wire.url))), "utf-8")
    dom = open_unharmed(page, tmp_path / "profile", wire)
    assert not [tag for tag, _ in dom.tags if tag in ("script", "img", "iframe", "link")]
    assert shown(payloads(wire.url)[0]) in dom.text


def test_the_card_holds_no_markup_of_the_pool(output: Path, wire: Tripwire) -> None:
    card = (output / "README.md").read_text("utf-8")
    outside = re.sub(r"^(`{3,}).*?^\1$", "", card, flags=re.S | re.M)
    assert set(re.findall(r"<[a-zA-Z/!][^>]*>", outside)) == {"<details>", "</details>", "<summary>", "</summary>"}
    assert MARK not in outside and wire.url not in outside
    assert "<script" in card  # in the config's code block, whole


def raw(url: str) -> str:
    """The payloads as markup. Not the one that leaves the page, which would take the others with it."""
    return "".join(text for text in payloads(url) if "refresh" not in text)


def shown(text: str) -> str:
    """What a reader sees of a text in the page: its control characters as pictures of themselves."""
    parser = Dom("")
    parser.feed(esc(text)[:4000])
    parser.close()
    return parser.text


def calibration(evil: list[str]) -> Calibration:
    scores, labels = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, False, True, True])
    figures = Figures(evil[0], evil[1], evil[2], 0.25, 0.5, 1.0, 1.0, 1.0, scores, labels)
    left_out, settings = dict.fromkeys(evil, 1), {text: text for text in evil}
    return Calibration(evil[3], figures, figures, Interval(0.2, 0.3, 0.9, 100), False, left_out, settings)
