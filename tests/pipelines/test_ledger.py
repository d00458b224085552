"""Reading a finished run: its rows in order, by key, by SQL, and what is said where there is no ledger."""

import shutil
from pathlib import Path

import pytest

from pipelines.errors import NotFinished
from pipelines.ledger import LedgerBroken, fetched, find_rows, ledger_files, open_ledger, samples_by_unit, unit_of_file
from tests.pipelines.small_run import Remote
from transforms.storage import REMOTE


def test_rows_come_unit_by_unit_in_the_order_of_their_positions(finished):
    rows = [(unit, sample.position) for unit, sample in samples_by_unit(finished)]
    assert rows == [(0, i) for i in range(12)] + [(1, i) for i in range(8)]


def test_sql_sees_every_row(finished):
    with open_ledger(finished) as connection:
        found = connection.execute("SELECT fate, count(*) FROM ledger GROUP BY fate ORDER BY fate").fetchall()
    assert found == [("dropped", 4), ("failed", 1), ("kept", 15)]


def test_a_row_is_found_by_the_key_of_the_set(finished):
    [(unit, sample)] = find_rows(finished, "pair0~2")
    assert (unit, sample.position, sample.source_key) == (1, 0, "pair0")


def test_a_pools_key_finds_every_row_that_had_it(finished):
    assert [(unit, sample.key) for unit, sample in find_rows(finished, "pair3")] == [(0, "pair3"), (1, "pair3~2")]


def test_a_key_with_quotes_is_data(finished):
    assert find_rows(finished, "' OR 1=1 --") == []


def test_a_run_without_manifest_is_not_finished(tmp_path):
    with pytest.raises(NotFinished, match="expected a finished run"):
        find_rows(str(tmp_path), "pair0")


def test_a_ledger_that_is_gone_is_named(damaged):
    shutil.rmtree(damaged / "ledger")
    with pytest.raises(LedgerBroken, match="expected Parquet files, found none"), open_ledger(str(damaged)):
        pass


def test_a_file_that_is_no_parquet_is_named(damaged):
    (damaged / "ledger" / "000001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(LedgerBroken, match="000001.parquet: expected a ledger file"):
        list(samples_by_unit(str(damaged)))


def test_units_are_ordered_as_numbers(tmp_path):
    for name in ("1000000", "999999"):
        (tmp_path / "ledger").mkdir(exist_ok=True)
        (tmp_path / "ledger" / f"{name}.parquet").touch()
    assert [unit_of_file(uri) for uri in ledger_files(str(tmp_path))] == [999_999, 1_000_000]


def test_a_ledger_file_is_named_after_its_unit():
    with pytest.raises(LedgerBroken, match="expected a unit's number"):
        unit_of_file("out/ledger/part-0.parquet")


def test_a_copy_of_a_remote_file_goes_with_its_block(tmp_path, monkeypatch):
    monkeypatch.setitem(REMOTE, "mem", Remote)
    (tmp_path / "one").write_bytes(b"data")
    with fetched(f"mem://{tmp_path}/one") as path:
        assert Path(path).read_bytes() == b"data"
    assert not Path(path).exists()
    assert (tmp_path / "one").exists()


def test_a_remote_run_is_read_as_a_local_one(finished, monkeypatch):
    monkeypatch.setitem(REMOTE, "mem", Remote)
    assert list(samples_by_unit(f"mem://{finished}")) == list(samples_by_unit(finished))
    assert find_rows(f"mem://{finished}", "pair3") == find_rows(finished, "pair3")
