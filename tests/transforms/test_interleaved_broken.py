"""Foreign records of another shape: each is refused with what was expected and what was found."""

import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.caption import ReadRules
from tests.transforms.pools import tar_bytes
from transforms.interleaved_documents import RecordBroken, format_json
from transforms.interleaved_lists import OBELICS, parse_lists
from transforms.interleaved_mmc4 import parse_mmc4
from transforms.interleaved_reader import read_interleaved
from transforms.interleaved_rows import parse_rows
from transforms.interleaved_schemas import SCHEMAS
from transforms.interleaved_shards import parse_document
from transforms.interleaved_tokens import IMAGE, parse_tokens
from transforms.reading import list_units
from transforms.records import Sample, decode_sample, encode_sample
from transforms.shards import sample_json

BROKEN = [
    (OBELICS, {"images": ["a"], "texts": ["b"]}, "found both"),
    (OBELICS, {"images": [None], "texts": [None]}, "found neither"),
    (OBELICS, {"images": ["a"], "texts": []}, "one length"),
    (OBELICS, {"images": ["a"]}, "expected 'texts'"),
    (OBELICS, {"images": ["a"], "texts": [None], "metadata": "[{"}, "as JSON"),
    (OBELICS, {"images": ["a"], "texts": [None], "metadata": "[1]"}, "an object for an image"),
    (OBELICS, {"images": ["a"], "texts": [None], "metadata": "[{}, {}]"}, "found 2 entries"),
    (OBELICS, {"images": [3], "texts": [None]}, "expected text"),
    (OBELICS, {"images": [None], "texts": ["\ud800"]}, "surrogate"),
    (OBELICS, {"images": ["a"], "texts": [None], "general_metadata": "[]"}, "as an object"),
]


@pytest.mark.parametrize(("schema", "record", "found"), BROKEN)
def test_a_record_of_another_shape_says_what_was_expected(schema, record, found):
    with pytest.raises(RecordBroken, match=found):
        parse_lists(record, schema)


@pytest.mark.parametrize(
    ("parse", "record", "found"),
    [
        (parse_mmc4, {"text_list": [], "image_info": [{"matched_text_index": 0}]}, "matched_text_index"),
        (parse_mmc4, {"text_list": ["a"], "image_info": [], "similarity_matrix": [[1]]}, "similarity matrix of 0"),
        (parse_mmc4, {"text_list": "a", "image_info": []}, "a list of sentences"),
        (parse_tokens, {"text": IMAGE}, "expected 1 images"),
        (parse_rows, [{"position": 0, "modality": "audio"}], "found 'audio'"),
        (parse_rows, [{"position": "0", "modality": "text"}], "expected 'position'"),
        (parse_document, {"key": "a"}, "expected 'beamsift'"),
        (parse_document, {"beamsift": {"pieces": [{}]}}, "piece 0"),
        (parse_document, {"beamsift": {"pieces": [{"picture": 3}]}}, "piece 0"),
        (parse_document, {"beamsift": {"pieces": [{"picture": {"width": 2**40}}]}}, "sides of pixels"),
        (parse_document, {"beamsift": {"pieces": [{"picture": {"format": []}}]}}, "a known format"),
        (parse_document, {"beamsift": {"pieces": [{"text": "a", "measures": {"a": 2**70}}]}}, "measures"),
        (parse_document, {"beamsift": {"pieces": [{"text": "a", "drop": {}}]}}, "a drop of rule"),
        (parse_document, {"beamsift": {"pieces": [{"text": "a", "measures": {"a": []}}]}}, "measures"),
    ],
)
def test_other_schemas_say_what_was_expected(parse, record, found):
    with pytest.raises(RecordBroken, match=found):
        parse(record)


PIECE = st.sampled_from(["text", "picture", "role", "drop", "failure", "reference", "meta", "url", "measures"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)
LIST = st.lists(ANY, max_size=2)
FIELDS = {
    "images": LIST,
    "texts": LIST,
    "metadata": ANY | LIST,
    "general_metadata": ANY,
    "image_metadata": LIST,
    "text_list": LIST,
    "image_info": st.lists(st.dictionaries(st.just("matched_text_index"), st.integers(0, 1), max_size=1), max_size=2),
    "similarity_matrix": ANY | LIST,
    "text": ANY | st.just(IMAGE),
    "beamsift": st.fixed_dictionaries({"pieces": st.lists(st.dictionaries(PIECE, ANY, max_size=3), max_size=2)}),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_any_json_is_a_document_that_can_be_stored_or_a_broken_record(name):
    @settings(max_examples=80, deadline=None)
    @given(st.fixed_dictionaries({}, optional=FIELDS))
    def check(record):
        with suppress(RecordBroken):
            document = SCHEMAS[name].parse(record)
            meta = format_json(document.meta)
            sample = Sample("k", "s", 0, 0, document.pieces, "k", meta)
            assert decode_sample(encode_sample(sample)) == sample
            json.loads(sample_json(sample).decode())

    check()


def rows_of(path, schema, **rules):
    rules = ReadRules(**rules)
    units = list_units([str(path)], rules)
    return [row for unit in units for row in read_interleaved(unit.uri, unit, rules, str(path.parent), schema=schema)]


def classes(path, schema, **rules):
    return [row.sample.failure.error if row.sample.failure else "" for row in rows_of(path, schema, **rules)]


def test_a_value_that_python_has_none_of_costs_its_row(tmp_path):
    days = pa.array([2**31 - 1, 1], pa.date32())
    pq.write_table(
        pa.table({"texts": [["a", None]] * 2, "images": [[None, "x"]] * 2, "day": days}), tmp_path / "a.parquet"
    )
    assert classes(tmp_path / "a.parquet", "obelics")[0] == "RecordBroken"
    assert len(classes(tmp_path / "a.parquet", "obelics")) == 2


def test_damaged_files_are_rows(tmp_path):
    deep = b'{"images": [], "texts": [], "x": ' + b"[" * 900 + b"]" * 900 + b"}"
    (tmp_path / "a.jsonl").write_bytes(
        b"\n".join([b"\xff", deep, b"[" * 5000, b'{"images": [], "texts": []}', b"{" * 99])
    )
    assert classes(tmp_path / "a.jsonl", "mint")[0::2] == ["JsonBroken", "JsonBroken", "JsonBroken"]
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + bytes(200) + b"PAR1")
    assert classes(tmp_path / "b.parquet", "obelics") == ["ParquetBroken"]
    (tmp_path / "c.tar").write_bytes(b"")
    assert classes(tmp_path / "c.tar", "mint") == ["UnitEmpty"]
    good = b'{"images": ["n"], "texts": [null]}'
    whole = tar_bytes({"a.json": good, "a.jpg": b"\xff\xd8\xff", "b.jpg": b"x", "c.json": b"{", "d.json": good})
    (tmp_path / "c.tar").write_bytes(whole)
    assert classes(tmp_path / "c.tar", "mint") == ["", "RecordBroken", "JsonBroken", ""]
    frames = tar_bytes({"a.json": b'{"images": ["n", "m"], "texts": [null, null]}', "a.tiff": b"II*\0" + bytes(9)})
    (tmp_path / "d.tar").write_bytes(frames)
    assert classes(tmp_path / "d.tar", "mint", max_picture_bytes=9) == ["PictureTooLarge"]
    assert [bytes(row.data[0]) for row in rows_of(tmp_path / "c.tar", "mint", max_picture_bytes=2)[:1]] == [
        b"\xff\xd8\xff"
    ]
    (tmp_path / "c.tar").write_bytes(whole[:1024])
    assert classes(tmp_path / "c.tar", "mint") == [""]
    (tmp_path / "c.tar").write_bytes(whole[: 512 + 5])
    assert classes(tmp_path / "c.tar", "mint") == ["TarTruncated"]


@pytest.mark.parametrize("pictures", [["0.jpg", "1.jpg", "2.jpg"], ["jpg"], ["left.jpg", "right.jpg", "x.jpg"]])
def test_members_that_do_not_answer_to_the_pictures_fail_the_row(tmp_path, pictures):
    good = b'{"images": ["n", "m"], "texts": [null, null]}'
    (tmp_path / "c.tar").write_bytes(tar_bytes({"a.json": good, **{f"a.{name}": b"\xff\xd8\xff" for name in pictures}}))
    assert classes(tmp_path / "c.tar", "mint") == ["PictureMissing" if len(pictures) > 1 else "PictureTruncated"]


def test_a_picture_outside_the_records_folder_is_not_read(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps({"text": IMAGE, "images": ["../secret.jpg"]}))
    (row,) = rows_of(tmp_path / "in" / "a.jsonl", "data-juicer")
    assert row.sample.failure is None and row.data == [None]
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps({"text": IMAGE, "images": ["b.jpg"]}))
    (tmp_path / "in" / "b.jpg").write_bytes(b"x")
    assert rows_of(tmp_path / "in" / "a.jsonl", "data-juicer")[0].data == [b"x"]
