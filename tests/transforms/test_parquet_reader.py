"""Rows of Parquet files: every shape of picture and caption column, meta as JSON, damage as one failed row."""

import datetime
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.caption import ReadRules
from tests.transforms.pools import captions, data_of, errors, failure_of, read_all
from transforms.loaded import Loaded
from transforms.parquet_reader import read_parquet, row_groups
from transforms.records import Failure, Span, Unit, pictures

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(tmp_path: Path, columns: dict[str, Any], **options: Any) -> str:
    path = str(tmp_path / "pool.parquet")
    pq.write_table(pa.table(columns), path, **options)
    return path


def rows_of(tmp_path: Path, columns: dict[str, Any], rules: ReadRules | None = None) -> list[Loaded]:
    return read_all(write(tmp_path, columns), rules)


def test_plain_bytes_and_string_captions(tmp_path: Path) -> None:
    path = write(tmp_path, {"image": [b"A", b"BB"], "caption": ["a cat", "a dog\n"]})
    rows = read_all(path)
    assert [data_of(row) for row in rows] == [[b"A", None], [b"BB", None]]
    assert [captions(row) for row in rows] == [["a cat"], ["a dog"]]
    assert pictures(rows[1].sample)[0].source == Span(path, 1, 2, "parquet", "image")
    assert [(row.sample.key, row.sample.meta) for row in rows] == [("0", ""), ("1", "")]


def test_a_row_group_is_a_unit(tmp_path: Path) -> None:
    path = write(tmp_path, {"image": [b"%d" % i for i in range(5)]}, row_group_size=2)
    assert row_groups(path) == [(0, 2), (2, 4), (4, 5)]
    rows = read_all(path)
    places = [(row.sample.part, row.sample.position, row.sample.source_key) for row in rows]
    assert places == [(0, 0, "0"), (0, 1, "1"), (1, 0, "2"), (1, 1, "3"), (2, 0, "4")]
    assert [pictures(row.sample)[0].source.start for row in rows] == [0, 1, 2, 3, 4]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(3), pa.binary_view()])
def test_every_binary_type(tmp_path: Path, kind: pa.DataType) -> None:
    assert data_of(rows_of(tmp_path, {"image": pa.array([b"ABC"], kind)})[0]) == [b"ABC"]


def test_struct_of_bytes_and_path(tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "b.jpg").write_bytes(b"file")
    cells = [
        {"bytes": b"A", "path": "a.jpg"},
        {"bytes": None, "path": "pics/b.jpg"},
        {"bytes": None, "path": None},
        None,
    ]
    rows = rows_of(tmp_path, {"image": pa.array(cells, IMAGE)})
    assert errors(rows) == ["", "", "PictureMissing", "PictureMissing"]
    assert [data_of(row) for row in rows[:2]] == [[b"A"], [b"file"]]
    assert pictures(rows[1].sample)[0].source == Span(f"{tmp_path}/pics/b.jpg", 0, 4, "file", "pics/b.jpg")


def test_struct_without_path(tmp_path: Path) -> None:
    cells = pa.array([{"bytes": b"A"}, {"bytes": None}], pa.struct([("bytes", pa.binary())]))
    assert errors(rows_of(tmp_path, {"image": cells})) == ["", "PictureMissing"]


def test_a_column_of_paths(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"file")
    rows = rows_of(tmp_path, {"image": ["a.jpg", "none.jpg", "../up.jpg", None]})
    assert errors(rows) == ["", "FileMissing", "FileMissing", "PictureMissing"]
    assert failure_of(rows[1]).place == f"{tmp_path}/pool.parquet@1-2"


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None], pa.string()),
        pa.array(["a", None], pa.large_string()),
        pa.array(["a", None], pa.string_view()),
        pa.array([b"a", None], pa.binary()),
        pa.array(["a", None]).dictionary_encode(),
        pa.array([["a"], None], pa.list_(pa.string())),
        pa.array([["a"], []], pa.large_list(pa.string())),
    ],
    ids=str,
)
def test_caption_types_and_null_captions(tmp_path: Path, column: pa.Array) -> None:
    rows = rows_of(tmp_path, {"image": [b"1", b"2"], "caption": column})
    assert [captions(row) for row in rows] == [["a"], []]
    assert errors(rows) == ["", ""]


def test_a_list_gives_several_captions(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"image": [b"1"], "captions": [["a", "b"]]})
    assert captions(row) == ["a", "b"]


def test_a_null_in_a_list_of_captions(tmp_path: Path) -> None:
    assert errors(rows_of(tmp_path, {"image": [b"1"], "captions": [["a", None]]})) == ["JsonBroken"]


def test_a_caption_that_is_not_utf8_fails_its_row_only(tmp_path: Path) -> None:
    column = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"ok"]).buffers())
    rows = rows_of(tmp_path, {"image": [b"1", b"2"], "caption": column})
    assert errors(rows) == ["CaptionNotUtf8", ""]


def test_limits(tmp_path: Path) -> None:
    rules = ReadRules(max_picture_bytes=3, max_caption_bytes=4, max_json_bytes=20)
    columns = {"image": [b"1234", b"1", b"1"], "caption": ["a", "aaaaa", "a"], "note": ["", "", "x" * 20]}
    assert errors(rows_of(tmp_path, columns, rules)) == ["PictureTooLarge", "CaptionTooLarge", "JsonTooLarge"]


def test_other_columns_become_sorted_json(tmp_path: Path) -> None:
    columns = {
        "z": [1],
        "image": [b"1"],
        "a": [0.5],
        "nan": [float("nan")],
        "flag": [True],
        "none": pa.array([None], pa.string()),
        "day": [datetime.date(2024, 2, 3)],
        "sum": [Decimal("1.50")],
        "text": ["caption"],
        "alt_text": ["alt"],
        "blob": [b"\xff"],
        "nested": [[1]],
        "broken": pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers()),
        "key": ["d/7"],
    }
    (row,) = rows_of(tmp_path, columns)
    assert captions(row) == ["caption"]
    assert (row.sample.key, row.sample.source_key) == ("d_7", "d/7")
    assert row.sample.meta == json.dumps(json.loads(row.sample.meta), sort_keys=True, separators=(",", ":"))
    expected = {"a": 0.5, "alt_text": "alt", "broken": "\\xff", "day": "2024-02-03", "flag": True, "nan": None}
    assert json.loads(row.sample.meta) == {**expected, "none": None, "sum": "1.50", "z": 1}


def test_values_that_python_has_none_of_cost_no_file(tmp_path: Path) -> None:
    days = pa.array([2**31 - 1, 1], pa.date32())
    first, second = rows_of(
        tmp_path, {"image": [b"1", b"2"], "day": days, "key": pa.array([2**62, 1], pa.duration("s"))}
    )
    assert (first.sample.source_key, json.loads(first.sample.meta)) == (
        str(2**62),
        {"day": f"<value out of range: {2**31 - 1}>"},
    )
    assert (second.sample.source_key, json.loads(second.sample.meta)) == ("0:00:01", {"day": "1970-01-02"})
    rows = rows_of(tmp_path, {"image": [b"1"], "seen": pa.array([1], pa.timestamp("us", "Mars/Base"))})
    assert errors(rows) == ["ParquetBroken"]
    assert "expected values that Python or a text can hold, found ArrowInvalid: " in failure_of(rows[0]).message
    assert failure_of(rows[0]).place.endswith("@0-1")


def test_numeric_and_null_keys(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"image": [b"1", b"2"], "key": [41, None]})
    assert [row.sample.source_key for row in rows] == ["41", "1"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"img": [b"1"]}, "expected a picture column 'image', found ['img']"),
        ({"image": [1]}, "expected 'image' as binary, string or struct{bytes, path}, found int64"),
        ({"image": [b"1"], "caption": [1]}, "expected 'caption' as string or list of string, found int64"),
    ],
)
def test_columns_that_cannot_be_read(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    (row,) = rows_of(tmp_path, columns)
    place = f"{tmp_path}/pool.parquet@0-1"
    expected = f"expected a readable Parquet row group 0, found: {message}"
    assert row.sample.failure == Failure("ParquetBroken", expected, place)


@pytest.mark.parametrize("data", [b"PAR1", b"nonsense" * 50, b"PAR1" + b"\xff" * 60 + b"PAR1"])
def test_what_is_no_parquet(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(data)
    assert errors(read_all(tmp_path / "x.parquet")) == ["ParquetBroken"]


def test_a_cut_parquet(tmp_path: Path) -> None:
    path = Path(write(tmp_path, {"image": [b"1"]}))
    path.write_bytes(path.read_bytes()[:-5])
    assert errors(read_all(path)) == ["ParquetBroken"]


def test_damage_inside_keeps_the_rows_of_other_groups(tmp_path: Path) -> None:
    noise = random.Random(1)
    columns = {"image": [noise.randbytes(4000) for _ in range(4)]}
    path = Path(write(tmp_path, columns, row_group_size=2, compression="zstd", use_dictionary=False))
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)
    assert errors(read_all(path)) == ["ParquetBroken", "", ""]


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"")
    assert errors(read_all(tmp_path / "x.parquet")) == ["UnitEmpty"]


def test_no_rows(tmp_path: Path) -> None:
    assert rows_of(tmp_path, {"image": pa.array([], pa.binary())}) == []


def test_a_row_group_that_is_gone(tmp_path: Path) -> None:
    path = write(tmp_path, {"image": [b"1"]})
    (row,) = read_parquet(path, Unit(0, path, "parquet", 3, 6, 9), ReadRules())
    assert failure_of(row).message.endswith("expected a row group 3, found 1 row groups")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_parquet_ends_in_rows(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = Path(write(tmp_path_factory.mktemp("any"), {"image": [b"1", b"2"], "captions": [["a"], ["b"]]}))
    data = bytearray(path.read_bytes())
    for place, byte in changes:
        data[place % len(data)] = byte
    path.write_bytes(data)
    allowed = {"", "ParquetBroken", "PictureMissing", "PictureTooLarge", "FileMissing", "CaptionNotUtf8",
               "CaptionTooLarge"}  # fmt: skip
    assert {*errors(read_all(path))} <= allowed


def test_no_more_rows_than_fit_are_decoded_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.parquet_reader.BATCH_BYTES", 3000)
    rows = rows_of(tmp_path, {"image": [random.Random(i).randbytes(1000) for i in range(20)]})
    assert [row.sample.position for row in rows] == list(range(20))
    assert data_of(rows[19]) == [random.Random(19).randbytes(1000)]
