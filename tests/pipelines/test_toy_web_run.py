"""The whole pipeline on the toy web, whose truth is known: what each picture and each document goes by.

The rules alone are held against the same truth in tests/transforms/test_toy_web.py; this is what a run makes of an
archive, pages read from HTML and pictures found by their addresses. The same table: python -m tests.world.web_score.
"""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("zxingcpp")
pytest.importorskip("adblock")

from tests.world.score import RuleScore
from tests.world.web_oddities import PICTURES, TEXTS
from tests.world.web_pages import WebPage
from tests.world.web_score import DOCUMENT_ORDER, PICTURE_ORDER, REQUIRED, run_toy_web, score_web
from transforms.records import Sample

pytestmark = pytest.mark.beam

NAMES = [*PICTURE_ORDER, *DOCUMENT_ORDER]


@cache
def judged() -> list[tuple[WebPage, Sample]]:
    return run_toy_web(Path(mkdtemp(prefix="beamsift-toy-web-")), 11, 160)


@cache
def scores() -> dict[str, RuleScore]:
    return {one.rule: one for one in score_web(judged())}


@pytest.mark.parametrize("rule", NAMES)
def test_pictures_and_documents_go_by_what_is_wrong_with_them(rule):
    one = scores()[rule]
    assert one.planted >= 5, "every rule needs its case"
    assert min(one.precision, one.recall) >= REQUIRED, one


def test_every_rule_that_needs_no_model_is_scored():
    assert list(scores()) == NAMES
    assert {*TEXTS, *PICTURES} <= {*NAMES}


def test_kept_are_the_documents_without_a_fault():
    assert [page.url for page, sample in judged() if sample.alive == bool(page.faults)] == []
