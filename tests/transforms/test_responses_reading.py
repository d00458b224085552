"""Conversations as rows: keys, what is kept of a record, pictures that are not there."""

import json
import time
from base64 import b64encode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.sft import ConversationReadRules, reading_rules
from tests.pipelines.small_run import jpeg
from transforms.conversations import pieces_conversation
from transforms.interleaved_documents import RecordBroken
from transforms.materialise import SpanReader, materialise
from transforms.reading import list_units, read_input
from transforms.records import Picture, Text, encode_sample
from transforms.responses_measures import measure_conversation
from transforms.responses_reading import KINDS, fields_of, parse_record, readers

NAMES = (
    "messages", "conversations", "role", "from", "content", "value", "type", "text", "image", "images", "videos",
    "frames", "seconds", "beamsift", "pieces", "picture", "reasoning_content", "url", "meta",
)  # fmt: skip
FIELDS = ConversationReadRules(max_pictures=3)
RULES = reading_rules(FIELDS)


def read(folder, *records):
    (folder / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    [unit] = list_units([str(folder / "a.jsonl")], RULES, kinds=KINDS)
    return list(read_input(unit, RULES, str(folder / "staging"), readers(FIELDS)))


def talk(**fields):
    return {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], **fields}


def test_a_record_is_named_by_its_first_key_field(tmp_path):
    rows = read(tmp_path, talk(id="x/1.jpg"), talk(key=7, id="y"), talk(), talk(id=None))
    assert [row.sample.source_key for row in rows] == ["x/1.jpg", "7", "a-2", "a-3"]
    assert [row.sample.key for row in rows] == ["x_1_jpg", "7", "a-2", "a-3"]


def test_all_fields_but_the_turns_are_kept_whatever_their_names(tmp_path):
    [row] = read(tmp_path, talk(id="k", key="j", pool={"a": 1}, reference="7", images=[]))
    assert fields_of(row.sample) == {"id": "k", "key": "j", "pool": {"a": 1}, "reference": "7"}
    assert [piece.value for piece in row.sample.pieces] == ["q", "a"]


def test_pictures_come_with_their_bytes_where_they_are_shown(tmp_path):
    (tmp_path / "p.jpg").write_bytes(jpeg(1, 64))
    record = talk(images=["p.jpg"])
    record["messages"][0]["content"] = "before <image> after"
    [row] = read(tmp_path, record)
    assert [type(piece) for piece in row.sample.pieces] == [Text, Picture, Text, Text]
    assert [data and bytes(data) == jpeg(1, 64) for data in row.data] == [None, True, None, None]


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (["gone.jpg"], "FileMissing", "expected a picture 'gone.jpg' beside the records or in their tar, found none"),
        (["../a.jpg"], "FileMissing", "expected a picture '../a.jpg' beside"),
        (["http://site.example/a.jpg"], "FileMissing", "expected a picture 'http://site.example/a.jpg' beside"),
        ([""], "PictureMissing", "expected a file for picture 0, found none"),
        (["a.jpg"] * 4, "RecordBroken", "expected at most 3 pictures, found 4"),
    ],
)
def test_a_picture_that_is_not_there_fails_the_row(tmp_path, images, error, message):
    record = talk(images=images)
    record["messages"][0]["content"] = "<image>" * len(images)
    [row] = read(tmp_path, record)
    assert row.sample.failure.error == error
    assert row.sample.failure.message.startswith(message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pass_rate": 85}, "expected pass_rate from 0 to 1, found 85"),
        ({"pass_rate": -0.1}, "expected pass_rate from 0 to 1, found -0.1"),
        ({"pass_rate": "0.5"}, "expected pass_rate from 0 to 1, found '0.5'"),
        ({"pass_rate": True}, "expected pass_rate from 0 to 1, found True"),
        ({"verifiable": "yes"}, "expected verifiable true or false, found 'yes'"),
        ({"verifiable": 1}, "expected verifiable true or false, found 1"),
    ],
)
def test_a_field_that_decides_and_says_something_else_fails_the_row(tmp_path, fields, message):
    [row, none] = read(tmp_path, talk(id="k", **fields), talk(pass_rate=None, verifiable=None))
    assert (row.sample.failure.error, row.sample.failure.message) == ("RecordBroken", message)
    assert (row.sample.key, none.sample.failure) == ("k", None)


def test_what_is_no_conversation_is_broken():
    with pytest.raises(RecordBroken, match="expected a list of messages"):
        parse_record({"text": "x"}, 3)
    with pytest.raises(RecordBroken, match="found a caption"):
        parse_record({"beamsift": {"pieces": [{"text": "x", "role": "caption"}]}}, 3)


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["user", "gpt"])
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6))
def test_any_record_is_a_conversation_or_broken(record):
    try:
        document = parse_record(record, 3)
    except RecordBroken:
        return
    assert document.pieces


@pytest.mark.parametrize(
    "record",
    [
        talk(images=["a"] * 300_000) | {"messages": [{"role": "user", "content": "<image>" * 300_000}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 200_000}]},
        {"messages": [{"role": "assistant", "content": "<|begin_of_box|>" * 100_000}]},
        {"messages": [{"role": "assistant", "content": "\\[" * 100_000 + "\\(" * 100_000 + "$$ " * 100_000}]},
        {"messages": [{"role": "assistant", "content": "``` " * 100_000 + "Wait, let me check. " * 20_000}]},
        {
            "messages": [
                {"role": "assistant", "content": "<|begin_of_box|>" + "\\boxed{" * 100_000 + "<|end_of_box|>"}
            ],
            "reference": "1",
        },
    ],
    ids=["pictures", "parts", "boxes", "formulas", "code", "wrapped"],
)
def test_hostile_records_cost_little(record):
    started = time.process_time()
    try:
        document = parse_record(record, 3)
    except RecordBroken:
        document = None
    if document:
        measure_conversation(pieces_conversation(document.pieces), document.meta, FIELDS)
    assert time.process_time() - started < 6


@pytest.mark.parametrize("picture", [{"bytes": jpeg(1, 64), "path": None}, jpeg(1, 64)], ids=["struct", "bytes"])
def test_parquet_with_one_picture_a_row(tmp_path, picture):
    asked = {"role": "user", "content": "<image>q"}
    talk = [asked, {"role": "assistant", "content": "a"}]
    rows = [{"messages": talk, "image": picture}, {"messages": talk[1:], "image": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    [unit] = list_units([str(tmp_path / "a.parquet")], RULES, kinds=KINDS)
    shown, none = read_input(unit, RULES, str(tmp_path / "staging"), readers(FIELDS))
    assert (shown.sample.failure, none.sample.failure) == (None, None)
    [span] = [piece.source for piece in shown.sample.pieces if isinstance(piece, Picture)]
    with SpanReader(str(tmp_path)) as spans:
        assert spans.read(span) == bytes(next(filter(None, shown.data))) == jpeg(1, 64)


def test_pictures_named_by_objects(tmp_path):
    (tmp_path / "p.jpg").write_bytes(jpeg(1, 64))
    parts = [{"type": "image_url", "image_url": {"url": "p.jpg"}}, {"type": "image", "image": {"path": "p.jpg"}}]
    record = {"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": parts}]}
    named = talk(images=[{"bytes": None, "path": "p.jpg"}])
    named["messages"][0]["content"] = "<image>q"
    one, two = read(tmp_path, record, named)
    assert [piece.url for piece in one.sample.pieces if isinstance(piece, Picture)] == ["p.jpg"] * 2
    assert one.sample.pieces[0].role == "system"
    assert [row.sample.failure for row in (one, two)] == [None, None]


def inline(data):
    return f"data:image/jpeg;base64,{b64encode(data).decode()}"


def test_pictures_inside_the_record_are_found_in_its_line_again(tmp_path):
    (tmp_path / "p.jpg").write_bytes(jpeg(3, 64))
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in (inline(jpeg(1, 64)), "p.jpg")]
    record = {"messages": [{"role": "user", "content": [*parts, {"type": "text", "text": 'a "data:" é'}]}]}
    _, row = read(tmp_path, talk(), record)
    assert row.sample.failure is None
    shown = [piece for piece in row.sample.pieces if isinstance(piece, Picture)]
    assert [piece.url for piece in shown] == ["", "p.jpg"]
    with SpanReader(str(tmp_path)) as spans:
        assert [materialise(piece.source, spans) for piece in shown] == [jpeg(1, 64), jpeg(3, 64)]
    assert [bytes(data) for data in row.data if data] == [jpeg(1, 64), jpeg(3, 64)]
    assert len(encode_sample(row.sample)) < 1000


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("data:image/png;base64,A", "expected base64, found 1 digits"),
        ("data:nothing", "expected a data: URI, found 'data:nothing'"),
        ("data:image/é;base64,QUJD", "expected a data: URI that JSON writes as it is, found one with escapes in it"),
    ],
)
def test_a_picture_inside_the_record_that_is_none_breaks_it(tmp_path, uri, message):
    [row] = read(tmp_path, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": uri}]}]})
    assert (row.sample.failure.error, row.sample.failure.message) == ("RecordBroken", message)


def test_a_picture_inside_a_record_of_parquet_is_refused_and_not_kept_as_text(tmp_path):
    asked = {"role": "user", "content": "<image>q"}
    rows = [{"messages": [asked, {"role": "assistant", "content": "a"}], "images": [inline(jpeg(1, 64))]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    [unit] = list_units([str(tmp_path / "a.parquet")], RULES, kinds=KINDS)
    [row] = read_input(unit, RULES, str(tmp_path / "staging"), readers(FIELDS))
    assert row.sample.failure.message.startswith("expected a data: URI in JSONL alone, found one of")
    assert (row.sample.pieces, row.data, row.pixels) == ((), [], [])


def test_parquet_with_the_pictures_in_it(tmp_path):
    asked = {"role": "user", "content": "<image>q"}
    rows = [
        {"id": "one", "messages": [asked, {"role": "assistant", "content": "a"}], "images": [{"bytes": jpeg(1, 64)}]},
        {"id": "two", "messages": [asked, {"role": "assistant", "content": "a"}], "images": [{"bytes": None}]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist([{"raw": b"x", **rows[0]}]), tmp_path / "b.parquet")
    units = list_units([str(tmp_path / "*.parquet")], RULES, kinds=KINDS)
    read = [row for unit in units for row in read_input(unit, RULES, str(tmp_path / "staging"), readers(FIELDS))]
    assert [row.sample.source_key for row in read] == ["one", "two", "b-0"]
    assert [row.sample.failure and row.sample.failure.error for row in read] == [None, "PictureMissing", "RecordBroken"]
    assert bytes(next(data for data in read[0].data if data)) == jpeg(1, 64)
