"""Real pages against what a reader saw on them (web_pages/): pictures at their places, no boilerplate left."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from configs.schema.web_page import PageRules
from tests.transforms.real_pages import DATA, real_pages
from transforms.page_content import Page, page_text, read_page
from transforms.page_pictures import PagePicture
from transforms.records import Text

EXPECTED = Path(__file__).parent / "web_pages"
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/web is absent")]


def expected(name: str) -> list[list[str]]:
    with (EXPECTED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]


def read(url: str) -> Page:
    return read_page(real_pages()[url], url, PageRules())


def neighbours(page: Page, name: str) -> tuple[str, str, str]:
    """The text before a kept picture, the text after it that is no caption, and its caption."""
    pieces = [p for p in page.pieces if isinstance(p, Text) or not p.removed]
    at = next(i for i, p in enumerate(pieces) if isinstance(p, PagePicture) and name in dict(p.sources).values())
    before = [p.value for p in pieces[:at] if isinstance(p, Text) and p.role != "caption"]
    after = [p.value for p in pieces[at + 1 :] if isinstance(p, Text) and p.role != "caption"]
    return before[-1] if before else "-", after[0] if after else "-", pieces[at].caption or "-"


@pytest.mark.parametrize(("url", "name", "before", "after", "caption"), expected("placed.tsv"))
def test_a_picture_stands_between_the_paragraphs_a_reader_saw(url, name, before, after, caption):
    found = neighbours(read(url), name)
    assert found[0].endswith(before) and found[1].startswith(after) and found[2].startswith(caption), found


def test_ten_pages_and_more_were_seen_by_eye_in_every_family():
    pages = Counter(url.split(".")[0] for url in {row[0] for row in expected("placed.tsv")})
    assert pages.total() >= 10 and len(pages) == 4


@pytest.mark.parametrize(("url", "anchor", "reason"), expected("absent.tsv"))
def test_nothing_of_navigation_and_adverts_is_left(url, anchor, reason):
    page = read(url)
    text = page_text(page)
    assert anchor not in text
    assert reason == "-" or reason in {removed.reason for removed in page.removed}


@pytest.mark.parametrize(("url", "anchor"), expected("kept.tsv"))
def test_what_only_resembles_a_sidebar_or_a_menu_is_kept(url, anchor):
    assert anchor in page_text(read(url))


def test_advert_pictures_are_listed_as_removed_and_never_kept():
    adverts = [
        (url, picture.removed)
        for url in real_pages()
        for picture in read(url).pieces
        if isinstance(picture, PagePicture)
        and any(value.endswith(("/ad.png", "/ads.png", "/sponsored.png")) for _, value in picture.sources)
    ]
    assert len(adverts) == 7 and all(reason for _, reason in adverts), adverts


def test_every_picture_of_every_page_is_a_piece():
    for url, html in real_pages().items():
        pictures = [
            p for p in read(url).pieces if isinstance(p, PagePicture) and p.element in ("img", "picture", "input")
        ]
        shown = re.sub(
            r"<!--.*?-->|<textarea.*?</textarea>|<style.*?</style>|<script.*?</script>|<title.*?</title>",
            "",
            html,
            flags=re.DOTALL,
        )
        assert len(pictures) == shown.count("<img") + shown.count(' type="image"'), url


def test_what_was_removed_adds_up():
    for url in real_pages():
        page = read(url)
        gone = Counter(p.removed != "" for p in page.pieces if isinstance(p, PagePicture))[True]
        assert sum(removed.pictures for removed in page.removed) == gone, url
        assert sum(removed.characters for removed in page.removed) <= page.characters
