"""What a page says of itself."""

import pytest

from configs.schema.web_page import PageRules
from transforms.page_metadata import PageMetadata, read_metadata
from transforms.page_tree import parse_tree


def metadata(html: str) -> PageMetadata:
    return read_metadata(parse_tree(html, PageRules()))


def test_everything_a_page_may_say():
    found = metadata(
        "<html lang=de><head><title> A &amp;\n B </title><link rel=canonical href=/c>"
        "<meta name=description content='D  d'>"
        "<meta property=og:image content=/i.png><meta property=article:published_time content=2020-01-02></head>"
    )
    assert found == PageMetadata("A & B", "de", "/c", "D d", "/i.png", "2020-01-02")


@pytest.mark.parametrize(
    ("html", "field", "value"),
    [
        ("<svg><title>No</title></svg><title>Yes</title>", "title", "Yes"),
        ("<meta property=og:title content=T>", "title", "T"),
        ("<body xml:lang=fr>", "language", "fr"),
        ("<meta http-equiv=Content-Language content=zh-CN>", "language", "zh-CN"),
        ("<meta property=og:url content=http://a.example/x>", "canonical", "http://a.example/x"),
        ("<time pubdate datetime=2021-01-01>", "published", "2021-01-01"),
        ("<time itemprop=datePublished datetime=2021-01-01>", "published", "2021-01-01"),
        ('<script type=application/ld+json>{"datePublished": "2022-03-04"}</script>', "published", "2022-03-04"),
        ("<p>none", "published", ""),
    ],
)
def test_other_places_it_may_say_it(html, field, value):
    assert getattr(metadata(html), field) == value
