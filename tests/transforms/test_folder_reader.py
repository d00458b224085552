"""Indexes beside pictures: chunks hold whole records, and bad lines fail alone."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.caption import ReadRules
from tests.transforms.pools import captions, data_of, errors, failure_of, read_all, read_index
from transforms import folder_reader
from transforms.folder_reader import read_folder, split_index
from transforms.loaded import Loaded
from transforms.records import Span, Unit, pictures


def test_jsonl(tmp_path: Path) -> None:
    line = '{"image": "a.jpg", "caption": "a cat", "n": 1}'
    text = f'{line}\r\n\n  \n{{"image": "a.jpg", "key": "d/2", "captions": ["x", "y"]}}'
    rows = read_index(tmp_path, "i.jsonl", text)
    assert [captions(row) for row in rows] == [["a cat"], ["x", "y"]]
    assert [row.sample.source_key for row in rows] == ["0", "d/2"]
    assert rows[0].sample.meta == line
    assert pictures(rows[0].sample)[0].source == Span(f"{tmp_path}/a.jpg", 0, 2, "file", "a.jpg")
    assert data_of(rows[0]) == [b"AA", None]


def test_several_pictures_in_a_line(tmp_path: Path) -> None:
    (row,) = read_index(tmp_path, "i.jsonl", '{"image": ["a.jpg", "./a.jpg"]}')
    assert data_of(row) == [b"AA", b"AA"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "JsonBroken"),
        ("[]", "JsonBroken"),
        (r'{"image": "a.jpg", "caption": "\ud800"}', "CaptionSurrogate"),
        ('{"image": "a.jpg", "caption": 7}', "JsonBroken"),
        ('{"image": "a.jpg", "caption": "' + "x" * 40 + '"}', "CaptionTooLarge"),
        ('{"n": "' + "x" * 100 + '"}', "JsonTooLarge"),
        ('{"caption": "x"}', "PictureMissing"),
        ('{"image": []}', "PictureMissing"),
        ('{"image": 7}', "FileMissing"),
        ('{"image": [null]}', "FileMissing"),
        ('{"image": "none.jpg"}', "FileMissing"),
    ],
)
def test_a_bad_line_fails_alone(tmp_path: Path, line: str, error: str) -> None:
    rules = ReadRules(max_json_bytes=99, max_caption_bytes=39)
    rows = read_index(tmp_path, "i.jsonl", f'{line}\n{{"image": "a.jpg"}}\n', rules)
    assert errors(rows) == [error, ""]
    assert failure_of(rows[0]).place == f"{tmp_path}/i.jsonl@0-{len(line) + 1}"


def test_a_line_of_just_the_limit(tmp_path: Path) -> None:
    line = '{"image":"a.jpg"}'
    assert errors(read_index(tmp_path, "i.jsonl", line + "\r\n", ReadRules(max_json_bytes=len(line)))) == [""]
    assert errors(read_index(tmp_path, "i.jsonl", line, ReadRules(max_json_bytes=len(line) - 1))) == ["JsonTooLarge"]


def test_a_line_longer_than_a_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_reader, "MAX_LINE", 8)
    text = '{"image": "a.jpg", "caption": "long"}\n' + " " * 30 + '\n{"image": "a.jpg"}'
    assert [captions(row) for row in read_index(tmp_path, "i.jsonl", text)] == [["long"], []]


def test_csv(tmp_path: Path) -> None:
    text = '\ufeffimage,caption,zeta,alpha\r\na.jpg,"two\nlines, ""quoted""",1,猫\r\n\r\na.jpg,,2,x'
    rows = read_index(tmp_path, "i.CSV", text)
    assert [captions(row) for row in rows] == [['two\nlines, "quoted"'], [""]]
    assert rows[0].sample.meta == '{"alpha":"猫","zeta":"1"}'
    assert data_of(rows[0]) == [b"AA", None]
    assert failure_free(rows)


def failure_free(rows: list[Loaded]) -> bool:
    return set(errors(rows)) == {""}


def test_csv_keys_and_no_other_columns(tmp_path: Path) -> None:
    rows = read_index(tmp_path, "i.csv", "key,image\nk/1,a.jpg\n,a.jpg\n")
    assert [(row.sample.source_key, row.sample.meta) for row in rows] == [("k/1", ""), ("1", "")]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (b"a.jpg", "IndexBroken"),
        (b"a.jpg,x,y", "IndexBroken"),
        (b"a.jpg,\xff", "CaptionNotUtf8"),
        (b",x", "PictureMissing"),
        (b"\xff.jpg,x", "FileMissing"),
    ],
)
def test_a_bad_record_fails_alone(tmp_path: Path, record: bytes, error: str) -> None:
    rows = read_index(tmp_path, "i.csv", b"image,caption\n" + record + b"\na.jpg,fine\n")
    assert errors(rows) == [error, ""]


@pytest.mark.parametrize(
    "tail", ['a.jpg,"open\na.jpg,x\n', 'a.jpg,"a"b\na.jpg,x\n', "a.jpg,x\ry\n", f"a.jpg,{'x' * 140_000}\n"]
)
def test_a_record_that_no_parser_accepts_ends_the_index(tmp_path: Path, tail: str) -> None:
    rows = read_index(tmp_path, "i.csv", f"image,caption\na.jpg,fine\n{tail}")
    assert errors(rows) == ["", "IndexBroken"]
    assert failure_of(rows[1]).place.startswith(f"{tmp_path}/i.csv@14-")


def test_a_csv_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_reader, "MAX_LINE", 16)
    rows = read_index(tmp_path, "i.csv", "image,caption\na.jpg,0123456789012345678\n")
    assert errors(rows) == ["IndexBroken"]


@pytest.mark.parametrize("header", ["picture,caption", "image,image", "\n", "\ufeff"])
def test_a_header_that_cannot_be(tmp_path: Path, header: str) -> None:
    assert errors(read_index(tmp_path, "i.csv", f"{header}\na.jpg,x\n")) == ["IndexBroken"]


def test_zero_bytes(tmp_path: Path) -> None:
    assert errors(read_index(tmp_path, "i.jsonl", "")) == ["UnitEmpty"]
    assert errors(read_index(tmp_path, "i.csv", "")) == ["UnitEmpty"]


def test_no_records(tmp_path: Path) -> None:
    assert read_index(tmp_path, "i.jsonl", "\n\n") == []
    assert read_index(tmp_path, "i.csv", "image,caption\n") == []


def test_chunks_of_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    path.write_bytes(b"11\n\n22\n33")
    assert split_index(str(path), 2) == [(0, 7), (7, 9)]
    assert split_index(str(path), 1) == [(0, 3), (4, 7), (7, 9)]


def test_chunks_of_csv_leave_quoted_line_breaks_whole(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_bytes(b'image\n"a\nb"\n"c""\n"\nd')
    assert split_index(str(path), 1) == [(6, 12), (12, 19), (19, 20)]


def test_rows_are_numbered_over_the_chunks(tmp_path: Path) -> None:
    rows = read_index(tmp_path, "i.csv", "image,n\n" + "a.jpg,x\n" * 5, ReadRules(rows_per_chunk=2))
    assert [row.sample.source_key for row in rows] == ["0", "1", "2", "3", "4"]
    assert [(row.sample.part, row.sample.position) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


cells = st.text(st.sampled_from('a",\n\r é'), max_size=6)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(cells, cells), max_size=8), st.integers(1, 4))
def test_chunks_together_are_the_index(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]], rows_per_chunk: int
) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("image", "caption"), *((f"x{a}", b) for a, b in records)])
    path = tmp_path_factory.mktemp("csv") / "i.csv"
    path.write_bytes(buffer.getvalue().encode())
    chunks = split_index(str(path), rows_per_chunk)
    assert len(chunks) == -(-len(records) // rows_per_chunk)
    rules = ReadRules(rows_per_chunk=rows_per_chunk)
    rows = [row for part, (start, end) in enumerate(chunks)
            for row in read_folder(str(path), Unit(0, str(path), "folder", part, start, end), rules)]  # fmt: skip
    expected = [b[:-2] if b.endswith("\r\n") else b.removesuffix("\n") for _, b in records]
    assert [captions(row) for row in rows] == [[text] for text in expected]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["i.csv", "i.jsonl"]))
def test_any_bytes_end_in_documented_rows(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes((b"image,caption\n" if name == "i.csv" else b"") + data)
    allowed = {"UnitEmpty", "JsonBroken", "CaptionSurrogate", "IndexBroken", "PictureMissing", "FileMissing",
               "CaptionNotUtf8"}  # fmt: skip
    assert {*errors(read_all(path))} <= allowed
