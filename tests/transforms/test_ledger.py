"""The ledger: one plain row for each sample, from which the sample comes back."""

import pyarrow as pa
import pytest
from hypothesis import given

from tests.transforms.random_samples import SAMPLES
from transforms.ledger import Measure, chosen_caption, format_row, ledger_schema, ledger_table, parse_row
from transforms.records import Drop, Failure, Picture, Recipe, Sample, Span, Text

MEASURES = {
    "words": Measure("int64", "words", "Words of the caption"),
    "entropy": Measure("double", "bits", "Entropy of the grey histogram"),
    "copies": Measure("int64", "copies", "Copies of the picture"),
    "language": Measure("string", "ISO 639-1", "Language of the caption"),
}
PICTURE = Picture(
    Span("pool/a.tar", 512, 900, "tar", "1.jpg"), "jpeg", 640, 480, b"s" * 32, b"p" * 16, {"entropy": 7.25}
)
CAPTION = Text("a red bus", measures={"words": 3, "language": "en"})
DROP = Drop("image_duplicate", 2, 1, "the kept one")
FAILURE = Failure("PictureEmpty", "expected a picture, found zero bytes", "pool/a.tar#1.jpg")


def row(*pieces: Picture | Text, **changes: object) -> Sample:
    return Sample(**{"key": "k", "source": "pool/a.tar", "part": 2, "position": 7, "pieces": pieces} | changes)


@given(SAMPLES)
def test_a_row_is_invertible(sample):
    assert parse_row(format_row(sample, MEASURES)) == sample


def test_a_row_in_full():
    found = format_row(row(PICTURE, CAPTION, Text("a bus"), measures={"copies": 1}, source_key="./1"), MEASURES)
    del found["record"]
    identity = {"key": "k", "source": "pool/a.tar", "part": 2, "position": 7, "source_key": "./1", "fate": "kept"}
    place = {"uri": "pool/a.tar", "container": "tar", "start": 512, "end": 900, "member": "1.jpg"}
    picture = {"format": "jpeg", "width": 640, "height": 480, "sha256": b"s" * 32, "pixels": b"p" * 16}
    texts = {"caption": "a red bus", "captions": ["a red bus", "a bus"]}
    measures = {"words": 3, "entropy": 7.25, "copies": 1, "language": "en"}
    assert found == identity | place | picture | {"likeness": b"", "look": b""} | texts | measures


def test_a_drop_says_rule_value_limit_and_detail():
    found = format_row(row(drop=DROP), {})
    assert [found[name] for name in ("fate", "rule", "value", "limit", "detail")] == [
        *("dropped", "image_duplicate", 2, 1, "the kept one")
    ]


def test_a_failure_says_class_message_and_place_and_hides_a_drop():
    found = format_row(row(failure=FAILURE, drop=DROP), {})
    assert [found[name] for name in ("fate", "error", "place")] == ["failed", "PictureEmpty", "pool/a.tar#1.jpg"]
    assert "rule" not in found


@pytest.mark.parametrize(
    ("captions", "chosen"),
    [
        ((), None),
        ((Text("a"), Text("b")), "a"),
        ((Text("a", drop=DROP), Text("b")), "b"),
        ((Text("a", drop=DROP), Text("b", drop=DROP)), "a"),
        ((Text("title", role="heading"), Text("b")), "b"),
    ],
)
def test_the_chosen_caption(captions, chosen):
    found = chosen_caption(row(*captions))
    assert (found.value if found else None) == chosen


def test_measures_of_the_chosen_caption_are_shown():
    marked = Text("bus", measures={"words": 1}, drop=DROP)
    assert format_row(row(marked, CAPTION), MEASURES)["words"] == 3


def test_a_picture_that_is_made_has_no_span():
    found = format_row(row(Picture(Recipe("draw", {"seed": 1}), "png", 8, 8)), MEASURES)
    assert found["format"] == "png" and "uri" not in found


def test_a_table_has_the_schema_whatever_the_rows_lack():
    samples = [row(PICTURE, CAPTION), row(failure=FAILURE), row(PICTURE, CAPTION, drop=DROP)]
    table = ledger_table(samples, MEASURES)
    assert table.schema == ledger_schema(MEASURES)
    assert table.column("fate").to_pylist() == ["kept", "failed", "dropped"]
    assert table.column("words").to_pylist() == [3, None, 3]
    assert [parse_row(found) for found in table.select(["record"]).to_pylist()] == samples


def test_a_value_that_no_double_holds_exactly_is_rounded():
    forged = row(drop=Drop("image_too_many_pixels", (2**31 - 1) ** 2, 89_478_485))
    assert ledger_table([forged], {}).column("value").to_pylist() == [float((2**31 - 1) ** 2)]


def test_an_empty_table_has_the_schema():
    assert ledger_table([], MEASURES).schema == ledger_schema(MEASURES)


def test_a_measure_of_another_kind_stops():
    wrong = row(Text("a", measures={"words": "three"}))
    with pytest.raises(pa.ArrowInvalid):
        ledger_table([wrong], MEASURES)


def test_columns_follow_the_measures():
    assert ledger_schema({}).names[-2:] == ["captions", "record"]
    assert ledger_schema(MEASURES).names[-5:] == [*MEASURES, "record"]
    assert [str(ledger_schema(MEASURES).field(name).type) for name in MEASURES] == [
        "int64",
        "double",
        "int64",
        "string",
    ]
