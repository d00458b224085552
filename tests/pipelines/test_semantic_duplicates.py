"""Semantic duplicates in whole runs of the toy world with its CLIP: the same bytes, and decided again without it."""

import json
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("open_clip")
pytest.importorskip("faiss")

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from pipelines.decisions import disagreements, load_measured
from pipelines.what_if import what_if
from tests.pipelines.damage import problems
from tests.pipelines.test_near_duplicates import fates
from tests.pipelines.whole_runs import ROOT, run_here, shards_of
from tests.world.raw_shards import write_world
from tests.world.samples import World

pytestmark = pytest.mark.beam
MEANT = (
    *("--set", f"relevance.model=local-dir:{ROOT}/tests/world/clip", "--set", "relevance.pretrained="),
    *("--set", "semantic_duplicates.enabled=true", "--set", "semantic_duplicates.min_cosine=0.98"),
    *("--set", "output.max_failure_rate=1", "--set", "relevance.precision=fp32"),
)
CLUSTERS = ("--set", "semantic_duplicates.rows_per_cluster=30", "--set", "semantic_duplicates.text_min_cosine=0.5")


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("meant")
    write_world(folder, World(seed=2, pairs=150, shard_size=50))
    return sorted(str(path) for path in folder.glob("raw/*.tar"))


@pytest.fixture(scope="module")
def output(pool, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("meant-out")
    assert run_here(pool, folder, *MEANT, *CLUSTERS) == 0
    return folder


def test_rows_of_one_meaning_go_and_the_run_is_sound(output):
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    assert counts["dropped"]["image_semantic_duplicate"] > 3
    found = fates(output)
    assert all(found[kept][0] == "kept" for rule, kept in found.values() if rule == "image_semantic_duplicate")
    assert problems(output) == {}


def test_it_is_decided_again_from_the_ledger(output):
    cfg = CaptionConfig.model_validate(json.loads((output / "manifest.json").read_text())["config"])
    assert list(disagreements(load_measured(str(output)), cfg)) == []
    assert what_if(str(output), ["semantic_duplicates.enabled=false"]) == 0
    with pytest.raises(ConfigError, match="semantic_duplicates.min_cosine changes the measuring"):
        what_if(str(output), ["semantic_duplicates.min_cosine=0.9"])


@pytest.mark.parametrize(
    "more", [["--direct_runner_bundle_repeat=2"], ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]]
)
def test_the_same_bytes_however_it_runs(pool, output, tmp_path, more):
    assert run_here(pool[::-1], tmp_path, *MEANT, *CLUSTERS, *more) == 0
    assert shards_of(tmp_path) == shards_of(output)
    assert fates(tmp_path) == fates(output)
