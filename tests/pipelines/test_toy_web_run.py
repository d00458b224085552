"""The whole pipeline on the toy web, whose truth is known: what each picture and each document goes by.

The rules alone are held against the same truth in tests/transforms/test_toy_web.py; this is what a run makes of an
archive, pages read from HTML and pictures found by their addresses.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("zxingcpp")
pytest.importorskip("adblock")

from pipelines.cli import main
from pipelines.ledger import samples_by_unit
from tests.world.web_pages import WebPage, write_web
from transforms.records import Drop, Sample, pictures

pytestmark = pytest.mark.beam

LEAST = 0.98
RULES = (
    "picture_tracker", "picture_decoration", "picture_too_small", "picture_too_narrow", "picture_too_wide",
    "picture_blurred", "picture_repeated", "picture_shared", "picture_code", "picture_advert",
)  # fmt: skip


@cache
def judged() -> list[tuple[WebPage, Sample]]:
    """Each page with the row that a run made of it."""
    folder = Path(mkdtemp(prefix="beamsift-toy-web-"))
    drawn = write_web(folder, 11, 160)
    lists = ["--set", f"adverts.lists=[{folder}/adverts.txt]", "--set", f"safety.words={folder}/unsafe.txt"]
    inputs = ["--input", str(folder / "raw/pages.warc.gz"), "--output", str(folder / "out")]
    assert main(["run", "interleaved_web", *inputs, *lists]) == 0
    rows = {row.sample.source_key: row.sample for row in samples_by_unit(str(folder / "out"))}
    return [(page, rows[page.url]) for page in drawn]


def picture_pairs() -> list[tuple[str, frozenset[str]]]:
    """(rule that dropped it, its true faults) of every picture."""
    pairs = []
    for page, sample in judged():
        found = {picture.url: picture for picture in pictures(sample)}
        for truth in page.pictures:
            pairs.append((rule_of(found[truth.url].drop, truth.faults), truth.faults))
    return pairs


def rule_of(drop: Drop | None, faults: frozenset[str]) -> str:
    """A block that the page's reader takes for an advert went before any rule on its picture was asked."""
    if drop and drop.rule == "picture_outside_content" and drop.detail == "advert" and "picture_advert" in faults:
        return first_of(faults)
    return drop.rule if drop else ""


def first_of(faults: frozenset[str]) -> str:
    return next((rule for rule in RULES if rule in faults), "")


@pytest.mark.parametrize("rule", RULES)
def test_pictures_go_by_what_is_wrong_with_them(rule):
    pairs = picture_pairs()
    first = [first_of(faults) for _, faults in pairs]
    told = [found for found, _ in pairs]
    both = sum(found == true == rule for found, true in zip(told, first, strict=True))
    found, true = Counter(told)[rule], Counter(first)[rule]
    assert true >= 5
    assert min(both / max(found, 1), both / true) >= LEAST, (both, found, true)


@pytest.mark.parametrize("rule", ["document_too_few_words", "document_album", "document_duplicate"])
def test_documents_go_by_what_is_wrong_with_them(rule):
    pairs = [(sample.drop.rule if sample.drop else "", page.faults) for page, sample in judged()]
    found = [faults for told, faults in pairs if told == rule]
    true = [told for told, faults in pairs if rule in faults]
    assert len(true) >= 5
    assert sum(rule in faults for faults in found) >= LEAST * len(found)
    assert sum(told != "" for told in true) >= LEAST * len(true)


def test_kept_are_the_documents_without_a_fault():
    assert [page.url for page, sample in judged() if sample.alive == bool(page.faults)] == []
