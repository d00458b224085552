"""Bombs in tars, Parquet files and indexes: each ends in rows of a declared class, in bounded time, memory and disk."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.schema.caption import ReadRules
from tests.transforms.costs import measured
from tests.transforms.pools import captions, errors, failure_of, read_all, tar_bytes, write_tar
from tests.transforms.tar_blocks import header, pax_member
from transforms.parquet_pages import parse_page_header
from transforms.parquet_reader import read_column
from transforms.reading import list_units, read_unit
from transforms.tar_reader import open_tar

pytestmark = pytest.mark.slow


def test_ten_gigabytes_of_gzip(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(bytes(64 << 20), 9) * 160)
    with measured() as costs:
        (row,) = read_all(tmp_path / "x.tar.gz", ReadRules(max_unpacked_bytes=64 << 20))
    assert failure_of(row).error == "TarBroken"
    assert "more than 67108864 decompressed bytes" in failure_of(row).message
    assert costs.megabytes < 20 and costs.seconds < 5
    assert os.listdir(tmp_path / "staging") == []


def test_a_limit_on_unpacking_leaves_the_ratio_in_force(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(bytes(64 << 20), 9) * 8)
    problem = open_tar(str(tmp_path / "x.tgz"), str(tmp_path)).problem
    assert problem is not None and "more than 268435456 decompressed bytes" in problem.message


def write_dictionary(path: Path, column: str, size: int, rows: int) -> None:
    """One value of `size` bytes that stands in every row."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([b"x" * size], pa.binary()))
    table = pa.table({"image": pa.array([b"x"] * rows, pa.binary()), column: values})
    wide = {"dictionary_pagesize_limit": 1 << 30, "row_group_size": rows}
    pq.write_table(table, path, compression="zstd", store_schema=False, use_dictionary=[column], **wide)


@pytest.mark.parametrize("column", ["image", "caption"])
def test_a_parquet_of_one_value_in_every_row(tmp_path: Path, column: str) -> None:
    write_dictionary(tmp_path / "x.parquet", column, 8 << 20, 300)
    assert (tmp_path / "x.parquet").stat().st_size < 2000
    with measured() as costs:
        rows = read_rows(tmp_path / "x.parquet")
    assert rows == 300
    assert costs.megabytes < 100 and costs.seconds < 20


def read_rows(path: Path) -> int:
    """As the scan reads: a row is gone before the next one comes."""
    return sum(
        1 for unit in list_units([str(path)], ReadRules()) for _ in read_unit(unit.uri, unit, ReadRules(), "/tmp")
    )


def test_a_parquet_is_read_again_by_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.parquet_reader.WINDOW_BYTES", 40 << 20)
    write_dictionary(tmp_path / "x.parquet", "image", 8 << 20, 60)
    with measured() as costs, open(tmp_path / "x.parquet", "rb") as file:
        first, column = read_column(file, 50, "image")
    assert first <= 50 < first + len(column) < 60
    assert costs.megabytes < 120


def test_a_parquet_page_that_unpacks_a_thousandfold(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([bytes(300 << 20)], pa.binary())})
    pq.write_table(table, tmp_path / "x.parquet", compression="zstd", use_dictionary=False)
    del table
    with measured() as costs:
        (row,) = read_all(tmp_path / "x.parquet")
    assert failure_of(row).error == "ParquetBroken"
    assert "expected a page of at most 100 times its" in failure_of(row).message
    assert costs.megabytes < 20 and costs.seconds < 1


def test_a_parquet_of_more_rows_than_its_bytes_can_mean(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "x.parquet", "caption", 1, 2_000_000)
    (row,) = read_all(tmp_path / "x.parquet")
    assert "expected at most a row a byte, found 2000000 rows" in failure_of(row).message


def test_damaged_statistics_do_not_end_the_process(tmp_path: Path) -> None:
    """pyarrow's own `row_group(0).column(0)` does: it wants one count for each level, and finds one too many."""
    pq.write_table(pa.table({"image": pa.array([b"1", None], pa.binary()), "n": [1, 2]}), tmp_path / "x.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    for place in range(len(whole) - 500, len(whole) - 8):
        (tmp_path / "x.parquet").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert set(errors(read_all(tmp_path / "x.parquet"))) <= {"", "ParquetBroken", "PictureMissing"}


def test_a_page_header_is_read_or_refused() -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"a": ["x" * 100] * 9}), out, use_dictionary=False, compression="NONE")
    page, length = parse_page_header(out.getvalue()[4:400])
    assert page.unpacked == page.packed > 9 * 100 and page.values == 9 and 20 < length < 300
    for bad in (b"", b"\x15", b"\xff" * 40, b"\x15\x00\x15\x01\x15\x01\x00", b"\x1c" * 40):
        with pytest.raises(pa.ArrowInvalid):
            parse_page_header(bad)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "JsonBroken"),
        (b'{"a":' * 100_000, "JsonBroken"),
        (b'{"a": ' + b"9" * 900_000 + b"}", "JsonBroken"),
        (b'{"a": "' + b"x" * (2 << 20) + b'"}', "JsonTooLarge"),
    ],
)
def test_json_that_is_deep_long_or_large(tmp_path: Path, data: bytes, error: str) -> None:
    path = write_tar(tmp_path, {"a.jpg": b"1", "a.json": data})
    with measured() as costs:
        assert errors(read_all(path)) == [error]
    assert costs.megabytes < 50 and costs.seconds < 5


@pytest.mark.parametrize(("name", "error"), [("x.jsonl", "JsonTooLarge"), ("x.csv", "IndexBroken")])
def test_a_line_of_a_gigabyte(tmp_path: Path, name: str, error: str) -> None:
    with open(tmp_path / name, "wb") as file:
        file.write(b'image,caption\na.jpg,"' if name == "x.csv" else b'{"image": "')
        file.truncate(1 << 30)
    with measured() as costs:
        assert errors(read_all(tmp_path / name)) == [error]
    assert costs.megabytes < 50 and costs.seconds < 20


@pytest.mark.parametrize("size", [b"8000000000000000000", b"9" * 4000])
def test_a_pax_size_of_exabytes(tmp_path: Path, size: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(pax_member({b"size": size, b"path": b"a.jpg"}, bytes(header())))
    with measured() as costs:
        assert errors(read_all(tmp_path / "x.tar")) == ["TarTruncated"]
    assert costs.megabytes < 5 and costs.seconds < 1


CAPTIONS = {
    "too large": ("x" * (10 << 20), "CaptionTooLarge"),
    "nul": ("a\0b", ""),
    "bidi": ("\u202egpj.exe\u2066 stays", ""),
    "ansi": ("\x1b[2J\x1b]0;owned\x07", ""),
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_captions_of_control_characters_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    text, error = CAPTIONS[name]
    (row,) = read_all(write_tar(tmp_path, {"a.jpg": b"1", "a.txt": text.encode()}))
    assert errors([row]) == [error]
    assert error or captions(row) == [text]


def test_a_lone_surrogate_is_refused_however_it_comes(tmp_path: Path) -> None:
    members = {"a.jpg": b"1", "a.json": json.dumps({"caption": "\ud800"}).encode()}
    members |= {"b.jpg": b"1", "b.txt": "\ud800".encode("utf-8", "surrogatepass")}
    (tmp_path / "x.tar").write_bytes(tar_bytes(members))
    assert errors(read_all(tmp_path / "x.tar")) == ["CaptionSurrogate", "CaptionNotUtf8"]
