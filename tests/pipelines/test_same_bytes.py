"""One recipe gives one set of bytes: whatever runner, workers, order of inputs, retries, kills and resumes (laws 4, 6).

The pool is a toy world with every kind of fault; relevance runs with the world's own CLIP. What a stage does on its
own is tests/transforms/beam/.
"""

from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from tests.faults.worker_pool import worker_pool
from tests.pipelines.whole_runs import (
    FOLDERS,
    QUICK,
    ROOT,
    arguments,
    run_apart,
    run_here,
    run_killed_at_each,
    shards_of,
    standing,
    unfinished,
)
from tests.world.raw_shards import write_world
from tests.world.samples import World

pytestmark = [pytest.mark.beam, pytest.mark.slow]

SMALL = ("--set", "output.samples_per_shard=50")
SCORED = (*SMALL, "--set", f"relevance.model=local-dir:{ROOT}/tests/world/clip", "--set", "relevance.pretrained=")
SHUFFLED = (*SMALL, *QUICK, "--set", "output.shuffle_run=7")


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    """Six tars of 60 pairs, in order."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, World(0, 360, 60))
    return [str(path) for path in sorted((folder / "raw").glob("*.tar"))]


@pytest.fixture(scope="module")
def scored(pool, tmp_path_factory) -> list[dict]:
    """Shards of an undisturbed run of one worker, with relevance."""
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    return made(pool, tmp_path_factory.mktemp("scored"), *SCORED)


@pytest.fixture(scope="module")
def quick(pool, tmp_path_factory) -> list[dict]:
    """Shards of an undisturbed run of one worker, without relevance."""
    return made(pool, tmp_path_factory.mktemp("quick"), *SMALL, *QUICK)


@pytest.fixture(scope="module")
def shuffled(pool, tmp_path_factory) -> list[dict]:
    return made(pool, tmp_path_factory.mktemp("shuffled"), *SHUFFLED)


def made(inputs: list[str], output: Path, *more: str) -> list[dict]:
    assert run_here(inputs, output, *more) == 0
    assert unfinished(output) == []
    return shards_of(output)


def test_the_runs_compared_have_several_shards_and_differ(scored, quick, shuffled):
    assert [len(scored), len(quick), len(shuffled)] == [5, 6, 6]
    assert len({shard["sha256"] for shards in (scored, quick, shuffled) for shard in shards}) == 17


def test_another_order_of_inputs_with_relevance(pool, scored, tmp_path):
    assert made([*pool[3:], *pool[:3]], tmp_path, *SCORED) == scored


def test_the_pool_by_glob(pool, quick, tmp_path):
    assert made([str(Path(pool[0]).parent / "*.tar"), pool[2]], tmp_path, *SMALL, *QUICK) == quick


def test_two_workers_with_relevance(pool, scored, tmp_path):
    assert made(pool, tmp_path, *SCORED, "--direct_num_workers=2") == scored


def test_two_workers_that_shuffle(pool, shuffled, tmp_path):
    assert made(pool[::-1], tmp_path, *SHUFFLED, "--direct_num_workers=2") == shuffled


def test_every_bundle_twice(pool, quick, tmp_path):
    assert made(pool, tmp_path, *SMALL, *QUICK, "--direct_runner_bundle_repeat=2") == quick


def test_the_portable_runner_with_workers_of_its_own(pool, quick, tmp_path):
    with worker_pool() as address:
        options = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"]
        options.append(f"--environment_config={address}")
        ended = run_apart(arguments(pool, tmp_path, *SMALL, *QUICK, *options))
    assert ended.returncode == 0, ended.stderr
    assert shards_of(tmp_path) == quick


KILLS = [
    ("transforms.beam.scan:ScanUnit._measure", 3, {"work/scan": 2}),
    ("classifiers.clip:ClipScorer.predict", 3, {"work/scan": 6, "work/clip": 2}),
    ("transforms.beam.write_ledger:ledger_table", 3, {"work/clip": 5, "work/kept": 4, "ledger": 4}),
    ("transforms.shards:ShardWriter.add", 120, {"work/kept": 6, "ledger": 6, "work/shards": 2, "shards": 4}),
    ("pipelines.run:make_manifest", 1, {"work/shards": 5, "shards": 10}),
    ("pipelines.finish:write_report", 1, {"work/shards": 5, "shards": 10}),
]
"""Where the same command is killed one time after the other, and the finished files that each time leaves."""


def test_killed_in_every_stage_and_resumed_by_the_same_command(pool, scored, tmp_path):
    before = run_killed_at_each(KILLS, arguments(pool, tmp_path, *SCORED), tmp_path)
    assert made(pool, tmp_path, *SCORED) == scored
    assert before == standing(tmp_path, *FOLDERS)
