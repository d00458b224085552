"""Inputs become the same units however they are listed; a unit that cannot be read is one failed row."""

import os
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from tests.transforms.pools import data_of, errors, failure_of, tar_bytes, write_tar
from transforms.loaded import Loaded
from transforms.reading import kind_of, limit_units, list_units, read_input, read_unit
from transforms.records import Unit
from transforms.storage import REMOTE, LocalStorage, Storage, download

RULES = ReadRules(rows_per_chunk=2)


def make_pool(folder: Path) -> None:
    (folder / "b.tar").write_bytes(tar_bytes({"a.jpg": b"1"}))
    (folder / "a.jsonl").write_text('{"image": "x"}\n' * 3)
    pq.write_table(pa.table({"image": [b"1", b"2", b"3"]}), folder / "c.parquet", row_group_size=2)
    (folder / "d.csv").write_text("image\nx\n")


def test_units_in_order_of_uri_and_part(tmp_path: Path) -> None:
    make_pool(tmp_path)
    units = list_units([f"{tmp_path}/*"], RULES)
    found = [(u.index, Path(u.uri).name, u.kind, u.part, u.start, u.end) for u in units]
    assert found == [
        (0, "a.jsonl", "folder", 0, 0, 30),
        (1, "a.jsonl", "folder", 1, 30, 45),
        (2, "b.tar", "tar", 0, 0, 10240),
        (3, "c.parquet", "parquet", 0, 0, 2),
        (4, "c.parquet", "parquet", 1, 2, 3),
        (5, "d.csv", "folder", 0, 6, 8),
    ]
    assert units[2].size == 10240
    assert units[2].modified == os.stat(tmp_path / "b.tar").st_mtime


def test_units_do_not_depend_on_how_the_inputs_are_listed(tmp_path: Path) -> None:
    make_pool(tmp_path)
    inputs = [
        f"{tmp_path}/d.csv",
        f"{tmp_path}/./c.parquet",
        f"{tmp_path}/*.tar",
        f"file://{tmp_path}/*",
        f"{tmp_path}/b.tar",
    ]
    assert list_units(inputs, RULES) == list_units([f"{tmp_path}/*"], RULES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.TAR", "tar"), ("x.tar.gz", "tar"), ("x.tgz", "tar"), ("x.parquet", "parquet"), ("x.csv", "folder")],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_an_input_that_names_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"input '.*/none\*\.tar': expected at least one file, found none"):
        list_units([f"{tmp_path}/none*.tar"], RULES)


def test_an_unknown_extension(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(ConfigError, match=r"README.md': expected a file of .tar .tar.gz"):
        list_units([f"{tmp_path}/*"], RULES)


def test_a_scheme_nobody_serves() -> None:
    with pytest.raises(ConfigError, match="input 'nowhere://x.tar': .*found nowhere://"):
        list_units(["nowhere://x.tar"], RULES)


def test_a_storage_whose_package_is_missing() -> None:
    def storage_of(uri: str) -> Storage:
        raise ImportError("expects the package boto3")

    with pytest.raises(ConfigError, match="input 's3://x.tar': expects the package boto3"):
        list_units(["s3://x.tar"], RULES, storage_of)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.tar", "wb"):
        pass
    with pytest.raises(ConfigError, match="expected a name in UTF-8"):
        list_units([f"{tmp_path}/*.tar"], RULES)


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl", "x.tar"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    class Locked(LocalStorage):
        def open(self, uri: str):  # type: ignore[no-untyped-def]
            raise PermissionError(13, "Permission denied", uri)

    (tmp_path / name).write_bytes(b"x")
    (unit,) = list_units([f"{tmp_path}/{name}"], RULES, lambda uri: Locked())
    (tmp_path / name).unlink()
    (row,) = read_unit(unit.uri, unit, RULES, str(tmp_path))
    assert failure_of(row).error == "UnitUnreadable"
    assert failure_of(row).message.startswith(f"expected a readable {unit.kind}, found FileNotFoundError: ")
    assert failure_of(row).place == f"{unit.uri}@{unit.start}-{unit.end}"


def test_an_error_in_the_middle_takes_the_next_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pool(tmp_path)
    (unit,) = list_units([f"{tmp_path}/b.tar"], RULES)

    rows = list(read_unit(unit.uri, unit, RULES, str(tmp_path)))
    monkeypatch.setitem(read_unit.__globals__, "_READERS", {"tar": lambda *a: iter_then_fail(rows)})
    again = list(read_unit(unit.uri, unit, RULES, str(tmp_path)))
    assert errors(again) == ["", "UnitUnreadable"]
    assert [row.sample.position for row in again] == [0, 1]


def iter_then_fail(rows: list[Loaded]):  # type: ignore[no-untyped-def]
    yield from rows
    raise OSError("disk")


def test_an_error_of_the_consumer_is_not_taken_for_the_readers(tmp_path: Path) -> None:
    make_pool(tmp_path)
    (unit,) = list_units([f"{tmp_path}/b.tar"], RULES)
    with pytest.raises(OSError, match="mine"):
        for _ in read_unit(unit.uri, unit, RULES, str(tmp_path)):
            raise OSError("mine")


class Remote(LocalStorage):
    """`mem:///path` for the local /path, which has to be fetched before it is read."""

    def open(self, uri: str) -> BinaryIO:
        return super().open(uri.removeprefix("mem://"))

    def fetch(self, uri: str, folder: str) -> str:
        return download(self, uri, folder)


def three_tars(folder: Path) -> list[Unit]:
    """Units of 3, 1 and 2 rows."""
    for name, count in (("a", 3), ("b", 1), ("c", 2)):
        write_tar(folder, {f"{name}{i}.jpg": b"%d" % i for i in range(count)}, f"{name}.tar")
    return list_units([f"{folder}/*.tar"], RULES)


def keys_of(units: list[Unit], staging: Path) -> list[str]:
    return [row.sample.key for unit in units for row in read_input(unit, RULES, str(staging))]


@pytest.mark.parametrize(
    ("limit", "keys"),
    [
        (0, []),
        (1, ["a0"]),
        (3, ["a0", "a1", "a2"]),
        (5, ["a0", "a1", "a2", "b0", "c0"]),
        (6, ["a0", "a1", "a2", "b0", "c0", "c1"]),
        (99, ["a0", "a1", "a2", "b0", "c0", "c1"]),
    ],
)
def test_a_limit_cuts_the_pool_in_the_order_of_its_units(tmp_path: Path, limit: int, keys: list[str]) -> None:
    assert keys_of(limit_units(three_tars(tmp_path), limit, RULES, str(tmp_path)), tmp_path) == keys


def test_a_limit_keeps_the_units_it_reaches_and_changes_nothing_else_of_them(tmp_path: Path) -> None:
    units = three_tars(tmp_path)
    cut = limit_units(units, 4, RULES, str(tmp_path))
    assert [replace(unit, limit=-1) for unit in cut] == units[:2]


def test_the_limit_of_a_unit(tmp_path: Path) -> None:
    unit = three_tars(tmp_path)[0]
    found = [keys_of([replace(unit, limit=limit)], tmp_path) for limit in (-1, 0, 2)]
    assert found == [["a0", "a1", "a2"], [], ["a0", "a1"]]


def test_a_file_that_is_deleted_before_it_is_fetched_is_one_failed_row(tmp_path: Path) -> None:
    unit = three_tars(tmp_path)[0]
    Path(unit.uri).unlink()
    (row,) = read_input(unit, RULES, str(tmp_path))
    assert (failure_of(row).error, row.sample.position) == ("UnitUnreadable", 0)
    assert failure_of(row).message.startswith("expected a readable tar, found FileNotFoundError: ")
    assert failure_of(row).place == f"{unit.uri}@0-10240"


def test_a_failed_row_counts_toward_the_limit(tmp_path: Path) -> None:
    units = three_tars(tmp_path)
    Path(units[0].uri).unlink()
    cut = limit_units(units, 2, RULES, str(tmp_path))
    rows = [row for unit in cut for row in read_input(unit, RULES, str(tmp_path))]
    assert [row.sample.source for row in rows] == [units[0].uri, units[1].uri]
    assert errors(rows) == ["UnitUnreadable", ""]


def remote_unit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """Three rows behind mem://, and an empty folder `staging`."""
    monkeypatch.setitem(REMOTE, "mem", Remote)
    unit = three_tars(folder)[0]
    (folder / "staging").mkdir()
    return replace(unit, uri=f"mem://{unit.uri}")


def test_a_remote_file_is_fetched_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, staging = remote_unit(tmp_path, monkeypatch), tmp_path / "staging"
    rows = read_input(unit, RULES, str(staging))
    first = next(rows)
    assert [path.name.endswith("-a.tar") for path in staging.iterdir()] == [True]
    found = [first, *rows]
    assert list(staging.iterdir()) == []
    assert [data_of(row) for row in found] == [[b"0"], [b"1"], [b"2"]]
    assert {row.sample.source for row in found} == {unit.uri}
    assert Path(unit.uri.removeprefix("mem://")).is_file()


def test_the_copy_goes_where_a_limit_ends_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, staging = remote_unit(tmp_path, monkeypatch), tmp_path / "staging"
    assert keys_of([replace(unit, limit=1)], staging) == ["a0"]
    assert list(staging.iterdir()) == []


def test_a_remote_file_that_is_gone_is_one_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, staging = remote_unit(tmp_path, monkeypatch), tmp_path / "staging"
    Path(unit.uri.removeprefix("mem://")).unlink()
    assert errors(list(read_input(unit, RULES, str(staging)))) == ["UnitUnreadable"]
    assert list(staging.iterdir()) == []
