"""The page on ten billion pairs says what the plan's formulas give for the constants it names."""

from pathlib import Path

from tests.pipelines.ten_billion import costs, memory, table

ARCHITECTURE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"


def test_the_pages_table_is_the_computed_one():
    assert table() in ARCHITECTURE.read_text(encoding="utf-8")


def test_decoding_and_the_model_are_nearly_all_of_it():
    seconds = {cost.name: cost.cpu for cost in costs()}
    assert seconds["scan"] + seconds["clip"] > 0.95 * sum(seconds.values())
    assert seconds["scan"] > 2 * (seconds["match"] + seconds["settle"] + seconds["write"])


def test_a_bucket_fits_a_small_worker():
    assert memory() < 1 << 30
