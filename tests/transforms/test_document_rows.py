"""Documents of foreign sets as rows: where pictures are, what is kept of what the record says, what is refused."""

import json

import pytest

from configs.schema.web import WebConfig
from transforms.document_rows import document_row
from transforms.interleaved_documents import reference
from transforms.loaded import Loaded
from transforms.records import Failure, Picture, Piece, Recipe, Sample, Span, Text, Unit, pictures
from transforms.web_resources import addresses_of

CFG = WebConfig.model_validate(
    {"read": {"max_picture_bytes": 3, "max_document_bytes": 500, "max_page_pieces": 4, "max_url_characters": 40}}
)
CELL = Span("a.parquet", 0, 1, "parquet", "images[0]")


def row(pieces: list[Piece], meta: str = "", schema: str = "obelics", kind: str = "parquet") -> Sample:
    data = [b"ab" if isinstance(p, Picture) and isinstance(p.source, Span) and p.source.uri else None for p in pieces]
    sample = Sample("a-0", "a.parquet", 0, 0, tuple(pieces), "a-0", meta)
    return document_row(Loaded(sample, list(data)), Unit(0, "a.parquet", kind, schema=schema), CFG)


def test_a_picture_with_bytes_is_a_span_and_one_without_is_asked_for():
    named = reference("http://x.example/a.jpg", {"alt": "boats"})
    found = row([Text("one two"), Picture(CELL), Text("three"), Picture(named.source, url=named.url, meta=named.meta)])
    first, second = pictures(found)
    assert (first.source, first.measures) == (CELL, {"place": round(7 / 12, 4)})
    assert isinstance(second.source, Recipe) and addresses_of(second.source) == ["http://x.example/a.jpg"]
    assert (second.meta, second.measures) == ('{"alt":"boats"}', {"place": 1.0})
    assert {name: found.measures[name] for name in ("texts", "pictures", "text_words")} == {
        "texts": 2, "pictures": 2, "text_words": 3
    }  # fmt: skip


@pytest.mark.parametrize(("url", "asked"), [("", []), ("name.jpg", ["name.jpg"]), ("http://x/" + "a" * 40, [])])
def test_a_name_is_asked_for_and_an_address_too_long_is_none(url, asked):
    source = pictures(row([Text("a"), reference(url, None)]))[0].source
    assert isinstance(source, Recipe) and addresses_of(source) == asked


def test_a_document_is_called_by_its_address_where_its_record_has_no_key():
    meta = '{"url":"http://x.example/p","date":"2025-01-02T00:00:00Z"}'
    found = row([Text("a"), reference("http://x.example/a.jpg", None)], meta)
    assert (found.key, found.source_key) == ("http___x_example_p", "http://x.example/p")
    assert pictures(found)[0].source.arguments["seconds"] == 1735776000
    assert row([Text("a")], meta, "mint", "tar").source_key == "a-0"
    assert row([Text("a")], '{"url":"no address"}').source_key == "a-0"
    assert row([Text("a")], '{"pool":{"key":"k","url":"http://x.example/p"}}').source_key == "http://x.example/p"


def test_what_somebody_measured_or_decided_is_left():
    marked = Picture(CELL, "jpeg", 9, 7, b"s", measures={"short_side": 7}, failure=Failure("PictureEmpty", "", ""))
    found = row([Text("a", measures={"words": 1}), marked], schema="beamsift", kind="tar")
    assert found.pieces == (Text("a"), Picture(CELL, measures={"place": 1.0}))


def test_a_size_that_a_record_states_is_said_of_the_picture_and_no_fact():
    stated = Picture(CELL, width=30, height=20, meta='{"page":3}')
    (found,) = pictures(row([stated, Text("a")], schema="omnicorpus"))
    assert (json.loads(found.meta), found.width, found.height) == ({"height": 20, "page": 3, "width": 30}, 0, 0)


@pytest.mark.parametrize(
    ("said", "told"), [(0.31234567, 0.3123), (None, None), ("x", None), (True, None), (1e999, None)]
)
def test_mmc4_says_which_sentence_a_picture_is_given_to(said, told):
    meta = json.dumps({"matched_sim": said}) if said != 1e999 else '{"matched_sim":Infinity}'
    given = Picture(CELL, meta=meta)
    (found,) = pictures(row([Text("a"), given, Text("b")], schema="mmc4", kind="folder"))
    assert found.measures == {"matched_text_index": 1, "place": 0.5} | ({"matched_sim": told} if told else {})


def test_what_is_too_large_fails_the_document_or_its_picture():
    assert row([Text("x" * 501)]).failure == Failure(
        "DocumentTooLarge", "expected texts and fields of at most 500 bytes, found 501", "a.parquet#a-0"
    )
    assert row([Text("é" * 251)]).failure.error == "DocumentTooLarge"
    deep = row([Text("a"), Picture(CELL, meta='{"a":' + "[" * 100 + "]" * 100 + "}")])
    assert deep.failure.message == "expected fields nested at most 100 deep, found 101"
    assert row([Text("a"), Picture(CELL, meta='{"a":"' + "[" * 200 + '"}')]).failure is None
    assert row([Text("a")] * 5).failure.error == "PageTooManyPieces"
    sample = Sample("a-0", "a.parquet", 0, 0, (Picture(CELL), Text("a")), "a-0")
    found = document_row(Loaded(sample, [b"abcd", None]), Unit(0, "a.parquet", "parquet", schema="obelics"), CFG)
    assert found.alive and pictures(found)[0].failure.error == "PictureTooLarge"


def test_a_row_that_could_not_be_read_stays_as_it_is():
    sample = Sample("a-0", "a.parquet", 0, 0, failure=Failure("JsonBroken", "m", "p"))
    assert document_row(Loaded(sample), Unit(0, "a.parquet", "folder", schema="mmc4"), CFG) == sample
