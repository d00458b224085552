"""The Beam verbs: the rows, tallies and shards they write, and what stops a run."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from tests.transforms.beam.small_run import Plan, asked, last_records, ledger, members, png, run, write_pool, written
from transforms.beam.write_ledger import Tally
from transforms.beam.write_shards import ShardRecord
from transforms.ledger import parse_row
from transforms.records import Unit

pytestmark = pytest.mark.beam


@pytest.fixture
def units(tmp_path) -> list[Unit]:
    return write_pool(tmp_path)


@pytest.fixture
def plan(tmp_path) -> Plan:
    return Plan(f"{tmp_path}/out", f"{tmp_path}/log")


def test_every_row_gets_its_fate_in_the_pools_order(plan, units):
    run(plan, units)
    found = [(row["key"], row["fate"], row["rule"] or row["error"], row["greyness"]) for row in ledger(plan)]
    assert found == [
        ("0", "dropped", "too_dark", 10.0),
        ("1", "kept", None, 200.0),
        ("2", "dropped", "image_duplicate", None),
        ("0~2", "kept", None, 90.0),
        ("1~2", "failed", "PictureUndecodable", None),
        ("2~2", "dropped", "caption_missing", None),
    ]
    assert [row["detail"] for row in ledger(plan)][2] == "0~2"
    assert [parse_row(row).key for row in ledger(plan)] == [row["key"] for row in ledger(plan)]
    assert asked(plan) == {"load": 1, "scan": 6, "predict": 3}


def test_tallies_and_shards_add_up(plan, units):
    run(plan, units)
    tallies = sorted(last_records(plan, "tallies", Tally), key=lambda tally: tally.unit)
    assert [(t.read, t.kept, t.dropped, t.failed) for t in tallies] == [
        (3, 1, {"image_duplicate": 1, "too_dark": 1}, {}),
        (3, 1, {"caption_missing": 1}, {"PictureUndecodable": 1}),
    ]
    assert set(tallies[0].stages) == {"scan", "greyness", "settle"}
    (shard,) = last_records(plan, "shards", ShardRecord)
    assert (shard.info.name, shard.info.samples) == ("shards/000000.tar", 2)


def test_a_shard_holds_the_original_bytes(plan, units):
    run(plan, units)
    found = members(plan, "000000.tar")
    assert list(found) == ["1.png", "1.txt", "1.json", "0~2.png", "0~2.txt", "0~2.json"]
    assert (found["1.png"], found["1.txt"]) == (png(200), b"bright")
    assert (found["0~2.png"], found["0~2.txt"]) == (png(90), b"a longer text")


def test_a_step_that_loses_a_row_stops_the_run(plan, units):
    with pytest.raises(Exception, match="expected 3 samples back, got 2"):
        run(replace(plan, missing_rows=1), units)
    assert not Path(plan.output, "ledger").exists()


def test_a_model_that_loses_an_answer_stops_the_run(plan, units):
    with pytest.raises(Exception, match="greyness: expected 2 answers, got 1"):
        run(replace(plan, missing_answers=1), units)
    assert not Path(plan.output, "shards").exists()


def test_an_empty_pool_ends_well(plan):
    run(plan, [])
    assert written(plan, "shards") == {}
