"""A document's card in the report: what it says of the page, and why a picture went."""

import re
from base64 import b64encode

import pytest
from PIL import Image

from pipelines.finish import picture_source
from pipelines.report_pages.documents import PIECES, document_card, documents, picture_row
from pipelines.report_pages.thumbnails import Thumbnails
from tests.world.files import as_png
from transforms.data_uris import data_uri_recipe
from transforms.materialise import SpanReader, materialise
from transforms.records import Drop, Failure, Picture, Sample, Span, Text

SPAN = Span("a.warc", 0, 9, "warc")
OUTSIDE = Drop("picture_outside_content", 1, 0, "footer")


class Drawn:
    """Thumbnails of pictures that nobody opens."""

    def prepare(self, rows):
        list(rows)

    def image(self, row):
        return "<img>"


def card(*pieces: Picture | Text, **measures: float | str) -> str:
    sample = Sample("k", "a.warc", 0, 0, pieces, "http://e.example/", '{"title":"A & B"}', measures=measures)
    return document_card(sample, Drawn())


def seen(told: str) -> str:
    return re.sub(r"<[^>]*>", "", told)


def test_a_card_begins_with_what_the_page_is():
    pieces = (Text("t", "paragraph"), Picture(SPAN), Picture(SPAN, drop=Drop("picture_code", 0.4, 0.05)))
    told = seen(card(*pieces, Picture(SPAN, drop=OUTSIDE), text_words=1234, language="en", language_confidence=0.99))
    assert told.startswith("A &amp; B") and "1,234 words · en 0.99 · 1 of 2 pictures stay" in told
    assert "1 picture outside the content" in told
    assert "0 of 0 pictures stay" in card(Text("t", "paragraph"))


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (Picture(SPAN, drop=Drop("picture_too_wide", 2.473, 2)), "picture_too_wide 2.473, limit 2"),
        (Picture(SPAN, drop=Drop("picture_decoration", 1, 0, "logo")), "picture_decoration logo"),
        (Picture(SPAN, drop=Drop("picture_unresolved", 0, 1, "http://e.example/<a>")), "picture_unresolved http://e"),
        (Picture(SPAN, failure=Failure("PictureTruncated", "cut", "a.warc@0-9")), "PictureTruncated"),
    ],
)
def test_a_picture_that_went_says_why_and_no_number_that_is_none(picture, reason):
    told = card(Text("t", "paragraph"), picture)
    assert 'class="piece gone"' in told and "<a>" not in told
    assert reason in seen(told)


def test_a_long_document_says_how_much_is_left():
    assert "5 further pieces" in card(*[Text("t", "paragraph")] * (PIECES + 5))
    assert documents([], Drawn()) == ""


def test_a_picture_inside_its_record_is_fetched_from_there(tmp_path):
    inline = "data:image/png;base64," + b64encode(as_png(Image.new("RGB", (8, 8), "red"))).decode()
    (tmp_path / "a.jsonl").write_text(f'{{}}\n{{"url":"{inline}"}}\n')
    line = Span(str(tmp_path / "a.jsonl"), 3, 3 + len(inline) + 10, "file")
    shown = picture_row(Picture(data_uri_recipe(inline, line), width=8, height=8), Sample("k", "a", 0, 0))
    with SpanReader(str(tmp_path)) as spans:
        drawn = Thumbnails(lambda *place: materialise(picture_source(*place), spans))
        assert "<img" in drawn.image(shown)
        assert "in no file of its own" in drawn.image(shown._replace(uri=None))
