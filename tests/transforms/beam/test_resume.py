"""Resume: what a second run takes over, what it does again, and that the bytes are those of one run (laws 4 and 6)."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from tests.transforms.beam.small_run import (
    READ,
    Plan,
    asked,
    contents,
    last_records,
    ledger,
    members,
    png,
    run,
    write_pool,
    write_tar,
    written,
)
from transforms.beam.write_ledger import Tally
from transforms.reading import list_units
from transforms.records import Unit

pytestmark = pytest.mark.beam


@pytest.fixture
def units(tmp_path) -> list[Unit]:
    return write_pool(tmp_path)


@pytest.fixture
def plan(tmp_path) -> Plan:
    return Plan(f"{tmp_path}/out", f"{tmp_path}/log")


def test_a_resume_takes_everything_over(plan, units):
    run(plan, units)
    before, count = written(plan, ""), asked(plan)
    run(plan, units)
    assert written(plan, "") == before
    assert asked(plan) == count + Counter(load=1)


def test_a_lost_shard_is_written_again_and_alone(plan, units):
    plan = replace(plan, samples_per_shard=1)
    run(plan, units)
    before, count = written(plan, ""), asked(plan)
    Path(plan.output, "shards", "000001.tar").unlink()
    run(plan, units)
    after = written(plan, "")
    assert {name for name in after if after[name] != before[name]} == {"000001.tar", "000001.idx", "000001.json"}
    assert after["000001.tar"][0] == before["000001.tar"][0]
    assert asked(plan) == count + Counter(load=1)


def test_a_lost_ledger_is_written_again(plan, units):
    run(plan, units)
    before = contents(plan, "ledger")
    Path(plan.output, "ledger", "000001.parquet").unlink()
    run(plan, units)
    assert contents(plan, "ledger") == before


def test_a_changed_threshold_keeps_the_scan_and_decides_again(plan, units):
    run(plan, units)
    before, count = written(plan, "work/scan"), asked(plan)
    changed = replace(plan, min_grey=100.0)
    run(changed, units)
    assert written(plan, "work/scan") == before
    assert asked(plan) == count + Counter(load=1)
    assert [row["rule"] for row in ledger(plan) if row["key"] in ("1", "0~2")] == [None, "too_dark"]
    assert list(members(plan, "000000.tar")) == ["1.png", "1.txt", "1.json"]


def test_a_new_column_makes_the_ledger_again(plan, units):
    run(plan, units)
    count = asked(plan)
    run(replace(plan, columns=("greyness", "short_side")), units)
    assert asked(plan) == count + Counter(load=1)
    assert [row.get("short_side") for row in ledger(plan)[:3]] == [4, 4, 4]


def test_changed_weights_keep_the_scan_and_ask_the_model_again(plan, units):
    run(plan, units)
    before = written(plan, "work/scan")
    run(replace(plan, weights="weights 2"), units)
    assert written(plan, "work/scan") == before
    assert asked(plan) == {"load": 2, "scan": 6, "predict": 6}


def test_changed_code_does_everything_again(plan, units):
    run(plan, units)
    shards = contents(plan, "shards")
    run(replace(plan, code="code 2"), units)
    assert asked(plan) == {"load": 2, "scan": 12, "predict": 6}
    assert contents(plan, "shards") == shards


def test_a_changed_input_is_read_again_and_the_other_is_not(plan, units, tmp_path):
    run(plan, units)
    write_tar(tmp_path, [("0.png", png(60)), ("0.txt", b"new")], "b.tar")
    run(plan, list_units([f"{tmp_path}/*.tar"], READ))
    assert asked(plan)["scan"] == 6 + 1
    assert [row["caption"] for row in ledger(plan)] == ["dark", "bright", "middle", "new"]


@pytest.mark.parametrize("options", [(), ("--direct_runner_bundle_repeat=2",)], ids=["backwards", "every bundle twice"])
def test_the_same_recipe_gives_the_same_bytes(plan, units, tmp_path, options):
    run(plan, units)
    other = replace(plan, output=f"{tmp_path}/other", log=f"{tmp_path}/other-log", options=options)
    run(other, units[::-1])
    assert contents(other, "shards") == contents(plan, "shards")
    assert [row["record"] for row in ledger(other)] == [row["record"] for row in ledger(plan)]
    assert (len(last_records(other, "tallies", Tally)) > len(units)) == bool(options)
