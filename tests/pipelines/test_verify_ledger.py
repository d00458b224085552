"""Verifying a ledger: rows that are lost, repeated, out of order, or decided otherwise than they measure."""

import pyarrow.parquet as pq
from msgspec.structs import replace

from pipelines.caption_rules import MEASURES
from tests.pipelines.damage import PLACES, problems, rewrite_ledger
from transforms.ledger import ledger_table
from transforms.records import decode_sample


def test_a_row_missing_from_the_ledger(damaged):
    rewrite_ledger(damaged, lambda s: None if s.key == "terse" else s)
    told = problems(damaged)
    assert set(told) == {"ledger adds up to the manifest"}
    assert told["ledger adds up to the manifest"][:2] == [
        "ledger: 20 rows | 19 rows",
        "ledger, dropped caption_too_few_words: 1 rows | 0 rows",
    ]


def test_a_kept_row_missing_from_the_ledger(damaged):
    rewrite_ledger(damaged, lambda s: None if s.key == "pair2" else s)
    assert PLACES in problems(damaged)


def test_a_key_twice_in_the_ledger(damaged):
    rewrite_ledger(damaged, lambda s: replace(s, key="tiny") if s.key == "terse" else s)
    assert problems(damaged)["ledger keys unique"] == ["ledger, key tiny: 1 row | 2 rows"]


def test_rows_of_the_ledger_out_of_order(damaged):
    path = damaged / "ledger" / "000000.parquet"
    rows = [decode_sample(record) for record in pq.read_table(path)["record"].to_pylist()]
    pq.write_table(ledger_table([rows[1], rows[0], *rows[2:]], MEASURES), path)
    assert problems(damaged)["ledger rows in pool order"] == [
        "ledger of unit 0, key pair0: a position after 1 | position 0"
    ]


def test_a_fate_that_does_not_follow_from_the_measures(damaged):
    rewrite_ledger(damaged, lambda s: replace(s, drop=replace(s.drop, value=199)) if s.key == "tiny" else s)
    assert problems(damaged) == {
        "fates follow from measures": [
            "ledger, key tiny: dropped image_too_small (120, limit 200) | dropped image_too_small (199, limit 200)"
        ]
    }


def test_a_ledger_file_that_is_gone(damaged):
    (damaged / "ledger" / "000001.parquet").unlink()
    told = problems(damaged)
    assert told["files"] == ["ledger/000001.parquet: a file | none"]
    assert "ledger adds up to the manifest" in told


def test_a_ledger_file_that_is_no_parquet(damaged):
    (damaged / "ledger" / "000001.parquet").write_bytes(b"x")
    assert "ledger readable" in problems(damaged)


def test_a_damaged_ledger_file_is_told(damaged):
    path = damaged / "ledger" / "000001.parquet"
    data = bytearray(path.read_bytes())
    data[40 : len(data) // 2] = bytes(len(data) // 2 - 40)
    path.write_bytes(data)
    assert problems(damaged)
