"""Staged copies of Parquet files: only what was asked for, and of a damaged file the rows that it gives itself."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from configs.schema.caption import ReadRules
from tests.transforms.pools import errors
from transforms.materialise import SpanReader
from transforms.reading import list_units, read_input
from transforms.records import Span, Unit
from transforms.staging import stage_unit
from transforms.storage import REMOTE, LocalStorage, download

ROWS = [b"1" * 40, None, b"3" * 40, b"4" * 40]


class Remote(LocalStorage):
    """`mem:///path` for the local /path, which has to be staged before it is read."""

    def open(self, uri: str) -> BinaryIO:
        return super().open(uri.removeprefix("mem://"))

    def fetch(self, uri: str, folder: str) -> str:
        return download(self, uri, folder)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two row groups, behind mem:// too."""
    monkeypatch.setitem(REMOTE, "mem", Remote)
    table = pa.table({"image": pa.array(ROWS, pa.binary()), "n": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2, compression="none")
    return tmp_path / "x.parquet"


def footer_start(data: bytes) -> int:
    return len(data) - int.from_bytes(data[-8:-4], "little") - 8


def read_staged(units: list[Unit], staging: Path) -> list[str]:
    staged = [replace(unit, uri=f"mem://{unit.uri}") for unit in units]
    return errors([row for unit in staged for row in read_input(unit, ReadRules(), str(staging))])


def read_again(pool: Path, staging: Path) -> list[bytes]:
    """What the last row holds; nothing where the file cannot be read again."""
    with SpanReader(str(staging)) as reader:
        try:
            return [bytes(reader.read(Span(f"mem://{pool}", 3, 4, "parquet", "image")))]
        except OSError:
            return []


def test_damaged_statistics_of_a_remote_file_do_not_end_the_process(pool: Path, tmp_path: Path) -> None:
    """pyarrow's own `row_group(0).column(0)` does, as tests/transforms/test_hostile_pools.py says."""
    units, whole, found = list_units([str(pool)], ReadRules()), pool.read_bytes(), []
    for place in range(footer_start(whole), len(whole) - 8):
        pool.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        rows = errors([row for unit in units for row in read_input(unit, ReadRules(), str(tmp_path))])
        assert read_staged(units, tmp_path / "staging") == rows, place
        found += read_again(pool, tmp_path / "staging")
    assert {*found} <= {ROWS[2], ROWS[3]} and found.count(ROWS[3]) > 100
    assert list((tmp_path / "staging").iterdir()) == []


def test_of_a_row_group_only_its_bytes_are_copied(pool: Path, tmp_path: Path) -> None:
    units = list_units([str(pool)], ReadRules())
    copies = [Path(stage_unit(Remote(), replace(unit, uri=f"mem://{pool}"), str(tmp_path))) for unit in units]
    end = footer_start(pool.read_bytes())  # whose statistics hold values too
    held = [[body in copy.read_bytes()[:end] for body in ROWS if body] for copy in copies]
    assert {copy.read_bytes()[end:] for copy in copies} == {pool.read_bytes()[end:]}
    assert held == [[True, False, False], [False, True, True]]
