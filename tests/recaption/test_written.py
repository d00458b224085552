"""What is written in the picture supports what a refined text adds."""

import numpy as np
import pytest

pytest.importorskip("rapidocr")

from classifiers.errors import ModelError
from classifiers.text_reader import PictureUnread, TextReader
from configs.schema.caption import CaptionConfig
from configs.schema.recaption import GuardRules
from pipelines import caption
from recaption.captioner import Answer
from recaption.checker import RecaptionChecker, Refined
from tests.recaption.signs import sign
from transforms.recaptions import check_recaption
from transforms.records import Text

ORIGINAL = "Two boats in the harbour of Lisbon"
SHOWN = 'Two boats in the harbour of Lisbon, beside a sign that says "HARBOUR CAFE".'
NOT_SHOWN = 'Two boats in the harbour of Lisbon, beside a sign that says "FISH MARKET".'
NOTHING_ADDED = "Two boats lie in the calm harbour of Lisbon."


class Counted:
    """A reader that says what it was made with, and counts the pictures."""

    def __init__(self, *lines, fails=False):
        self.lines, self.fails, self.read_pictures = list(lines), fails, 0

    def load(self):
        pass

    def fingerprint(self):
        return "counted"

    def read(self, pixels):
        self.read_pictures += 1
        if self.fails:
            raise PictureUnread("expected a picture that can be read")
        return self.lines


@pytest.fixture(scope="module")
def reader():
    loaded = TextReader()
    loaded.load()
    return loaded


def judged(refined, reader, pixels=None, **limits):
    """(rule that turned the text away, its measures)."""
    rules = GuardRules(ocr=reader is not None, **limits)
    checker = RecaptionChecker(rules, None, reader)
    pixels = np.zeros((9, 9, 3), np.uint8) if pixels is None else pixels
    [(score, measures)] = checker.predict([Refined(pixels, Answer(refined), (ORIGINAL,), ())])
    drop = check_recaption(Text(refined, measures=measures), rules)
    assert score is None
    return drop and drop.rule, measures


def test_a_quote_that_the_picture_shows_is_supported_with_ocr_only(reader):
    picture = sign("HARBOUR CAFE")
    rule, measures = judged(SHOWN, None, picture)
    assert rule == "recaption_fact_unsupported" and "written" not in measures
    rule, measures = judged(SHOWN, reader, picture)
    assert rule is None and measures["written"] == "HARBOUR CAFE"
    assert (measures["facts_added"], measures["facts_unsupported"]) == (1, 0)


def test_a_quote_that_the_picture_does_not_show_stays_unsupported(reader):
    rule, measures = judged(NOT_SHOWN, reader, sign("HARBOUR CAFE"))
    assert rule == "recaption_fact_unsupported"
    assert (measures["unsupported"], measures["written"]) == ("quote FISH MARKET", "HARBOUR CAFE")


def test_a_quote_over_two_lines_is_supported(reader):
    rule, measures = judged(SHOWN, reader, sign("HARBOUR", "CAFE"))
    assert rule is None and measures["written"] == "HARBOUR | CAFE"


def test_names_and_numbers_are_read_too():
    assert judged("Two boats in Lisbon's harbour, with the Santa Maria.", Counted(("SANTA MARIA", 0.9)))[0] is None
    assert judged("Two boats in Lisbon's harbour, one with the number 4711.", Counted(("No 4711", 0.9)))[0] is None


def test_a_line_it_is_not_sure_of_is_no_evidence():
    line = ("HARBOUR CAFE", 0.5)
    assert judged(SHOWN, Counted(line))[0] is None
    assert judged(SHOWN, Counted(line), ocr_min_confidence=0.51)[0] == "recaption_fact_unsupported"
    assert judged(SHOWN, Counted(line), ocr_min_confidence=0.51)[1]["written"] == ""


def test_a_picture_is_read_only_where_nothing_else_supports_a_fact():
    reader = Counted(("HARBOUR CAFE", 0.9))
    assert judged(NOTHING_ADDED, reader)[0] is None and reader.read_pictures == 0
    assert judged(SHOWN, reader)[0] is None and reader.read_pictures == 1


def test_a_picture_that_cannot_be_read_is_no_evidence_and_costs_no_row():
    rule, measures = judged(SHOWN, Counted(fails=True))
    assert rule == "recaption_fact_unsupported"
    assert measures["written_error"] == "expected a picture that can be read" and "written" not in measures


def test_long_writing_is_cut():
    assert len(judged(SHOWN, Counted(("HARBOUR CAFE", 0.9), ("x" * 500, 0.9)))[1]["written"]) == 300


def test_the_checkers_fingerprint_knows_the_reader_and_its_limit():
    def known(reader, **limits):
        return RecaptionChecker(GuardRules(**limits), None, reader).fingerprint()

    assert len({known(None), known(Counted()), known(Counted(), ocr_min_confidence=0.6)}) == 3
    assert known(None) == known(None, ocr_min_confidence=0.6), "off, it decides nothing"


def test_ocr_alone_makes_the_visit_look_at_pictures_and_changes_what_a_run_is_known_by():
    def cfg(ocr, enabled=True):
        changes = {"relevance": {"enabled": False}, "recaption": {"enabled": enabled, "guard": {"ocr": ocr}}}
        return CaptionConfig.model_validate(changes)

    assert caption.check_recaptions(cfg(True)).looks and not caption.check_recaptions(cfg(False)).looks
    assert (
        caption.models_fingerprint(cfg(True))
        == f"{caption.models_fingerprint(cfg(False))}+{TextReader().fingerprint()}"
    )
    assert caption.models_fingerprint(cfg(True, enabled=False)) == ""


def test_a_run_that_cannot_read_stops_before_it_begins(monkeypatch):
    def missing(self):
        raise ModelError("no rapidocr")

    monkeypatch.setattr(caption.TextReader, "check_installed", missing)
    cfg = CaptionConfig.model_validate(
        {"relevance": {"enabled": False}, "recaption": {"enabled": True, "guard": {"ocr": True}}}
    )
    with pytest.raises(ModelError, match="no rapidocr"):
        caption.check_models(cfg)
