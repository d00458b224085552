"""The report's side-by-side captions: facts marked, nothing of a text is markup, and nothing of a model's runs."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.recaption_queries import Refined
from pipelines.recaption_rules import RECAPTION_RULES
from pipelines.report_pages.recaptions import marked, pair_card, recaptions
from pipelines.report_pages.thumbnails import Thumbnails
from pipelines.report_queries import Row
from recaption.facts import Fact
from tests.pipelines.browser import CHROMIUM, open_page, tripwire
from tests.pipelines.hostile_run import MARK, payloads
from tests.pipelines.recaption_run import asking
from tests.pipelines.small_run import jpeg
from tests.pipelines.whole_runs import run_here
from tests.recaption.server import serving
from tests.transforms.pools import write_tar

LOST, KEPT = Fact("place", ("paris",), "Paris"), Fact("number", ("2",), "Two")


def nowhere(*_: object) -> bytes:
    raise OSError("no pool")


def refined(original: str, text: str, rule: str | None = None, **more) -> Refined:
    row = Row("k", "kept", None, None, None, None, original, len(original), "", "", 0, 0, "", 1, 1)
    told = {"before": 0.31, "after": 0.29, "text_from": "caption", "detail": None, "value": 1, "limit": 0, "tokens": 9}
    return Refined(row, text, len(text), rule, **(told | more))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Two dogs", '<mark class="same">Two</mark> dogs'),
        ("Two in Paris", '<mark class="same">Two</mark> in <mark class="gone">Paris</mark>'),
        ("<b>Two</b>", '&lt;b&gt;<mark class="same">Two</mark>&lt;/b&gt;'),
        ("nothing & <i>", "nothing &amp; &lt;i&gt;"),
        ("Two, Two", '<mark class="same">Two</mark>, Two'),
    ],
)
def test_facts_are_marked_where_they_stand_and_text_is_text(text, html):
    assert marked(text, [("gone", [LOST]), ("same", [KEPT])]) == f'<bdi dir="auto">{html}</bdi>'


def test_marks_do_not_overlap():
    both = [("gone", [Fact("quote", ("two paris",), "Two Paris"), LOST])]
    assert marked("Two Paris", both) == '<bdi dir="auto"><mark class="gone">Two Paris</mark></bdi>'
    assert marked("", both) == ""


def test_a_card_says_what_was_lost_added_and_how_the_scores_moved():
    html = pair_card(
        refined("Two dogs in Paris", "Two dogs by the Louvre.", "recaption_fact_lost", detail="place Paris"),
        Thumbnails(nowhere),
    )
    assert '<mark class="gone">Paris</mark>' in html and '<mark class="new">Louvre</mark>' in html
    assert html.count('<mark class="same">Two</mark>') == 2
    assert "recaption_fact_lost" in html and "place Paris" in html
    assert "CLIP 0.3100 → 0.2900" in html and "−0.0200" in html


def test_a_text_that_never_came_shows_why_and_no_empty_block():
    html = pair_card(refined("A dog", "", "recaption_failed", detail="CaptionerTimeout: <b>"), Thumbnails(nowhere))
    assert "CaptionerTimeout: &lt;b&gt;" in html and "Refined" not in html


def test_the_section_has_the_sums():
    counts = {"asked": 10, "accepted": 7, "text": 4, "tokens_in": 9000, "tokens_out": 500, "cost": 0.0125}
    manifest = type("M", (), {"config": {}, "counts": {"recaption": {**counts, "turned_away": {"recaption_cut": 3}}}})
    html = recaptions(manifest, RECAPTION_RULES, ([], []), [("<m>", "refine-1", 10)], Thumbnails(nowhere))
    plain = re.sub(r"<[^>]*>", " ", html)
    assert re.search(r"accepted\s+7\s+70.0% of asked", plain) and re.search(r"turned away\s+3\s+30.0%", plain)
    assert "9,000 tokens read, 500 written, cost 0.0125." in plain and "&lt;m&gt;" in html


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.mark.beam
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_what_a_hostile_model_writes_does_not_run(tmp_path: Path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with tripwire() as wire:
        evil = [text.replace("\0", "") for text in payloads(wire.url)]
        members = []
        for number, text in enumerate(evil):
            members += [(f"{number}.jpg", jpeg(number)), (f"{number}.txt", f"Boat {number} {text}".encode())]
        write_tar(tmp_path, members, "evil.tar")
        written = iter([*evil, *evil])
        lax = [
            *("--set", "caption.enabled=false", "--set", "recaption.guard.max_facts_lost=99"),
            *("--set", "recaption.captioner.server.concurrency=1"),
        ]
        with serving(write=lambda _: next(written) + " It is a boat.") as served:
            assert run_here([f"{tmp_path}/evil.tar"], tmp_path / "out", *asking(served, *lax)) == 0
        wire.asked.clear()
        html = open_page(tmp_path / "out/report.html", tmp_path / "profile")
        assert wire.asked == [] and "<title>owned" not in html
    page = Tags(html)
    assert "recaptions" in [attrs.get("id") for _, attrs in page.found] and "It is a boat." in page.text
    assert MARK in page.text and not {tag for tag, _ in page.found} & {"script", "iframe", "object", "base", "link"}
    assert not [1 for _, attrs in page.found if "data-owned" in attrs or any(n.startswith("on") for n in attrs)]
