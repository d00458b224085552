"""What a plan says a run costs, against what a real run of the same pool did cost: within 25 %, bytes far closer."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

import transforms.beam.match
from classifiers.clip import ClipScorer
from configs.schema.caption import CaptionConfig, RelevanceRules
from pipelines.plan_costs import (
    START_SECONDS,
    WORKER_SECONDS,
    StageCost,
    Workload,
    pool_workload,
    resized,
    stage_costs,
    wall_seconds,
)
from pipelines.plan_stages import Cost, line
from pipelines.plan_trial import Trial, run_trial
from pipelines.run import Request, run
from tests.benchmarks.corpus import WORDS, texture
from tests.pipelines.whole_runs import ROOT
from transforms.reading import list_units
from transforms.shards import Manifest, ShardWriter

TARS, ROWS = 8, 600
CFG = CaptionConfig.model_validate({"relevance": {"enabled": False}, "output": {"samples_per_shard": 500}})


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    """Photo-like pictures of many sizes; a twelfth of the captions is too short, a tenth of the pictures too small."""
    folder = tmp_path_factory.mktemp("pool")
    for tar in range(TARS):
        with open(folder / f"{tar}.tar", "wb") as file:
            writer = ShardWriter(file, "")
            for row in range(ROWS):
                writer.add(members(tar * ROWS + row))
            writer.finish()
    return folder


def members(index: int) -> list[tuple[str, bytes]]:
    random = np.random.default_rng(index)
    side = int(random.integers(220, 420)) if index % 10 else 120
    top, left = (int(one) for one in random.integers(0, 1600, 2))
    window = np.ascontiguousarray(texture()[top : top + side, left : left + side + 40])
    caption = "bus" if index % 12 == 0 else " ".join([*random.choice(WORDS, 10), str(index)])
    picture = simplejpeg.encode_jpeg(window, quality=85)
    return [(f"{index:09d}.jpg", picture), (f"{index:09d}.txt", caption.encode())]


class Shuffled:
    """Counts the bytes that a Match of this process hands to the runner."""

    def __init__(self, monkeypatch) -> None:
        self.bytes = 0
        module = transforms.beam.match
        for name in ("pack_unit", "count_witnesses", "resolve_bucket"):
            monkeypatch.setattr(module, name, partial(self.count, getattr(module, name)))
        monkeypatch.setattr(module, "_by_unit", partial(self.count_ref, module._by_unit))

    def count(self, function, *arguments):
        found = function(*arguments)
        packed = hasattr(found, "rows")
        parts = [*found.rows, *found.witnesses] if packed else list(found)
        self.bytes += sum(len(data) for _, data in parts) + (len(found.followers) if packed else 0)
        return found if packed else parts

    def count_ref(self, function, ref):
        self.bytes += len(msgspec.msgpack.encode(ref))
        return function(ref)


def size_below(output: Path, *folders: str) -> int:
    return sum(path.stat().st_size for folder in folders for path in Path(output, folder).glob("*") if path.is_file())


@pytest.fixture(scope="module")
def forecast(pool, tmp_path_factory) -> tuple[Workload, dict[str, StageCost]]:
    units = list_units([str(pool / "*.tar")], CFG.read)
    trial = run_trial(units, CFG, str(tmp_path_factory.mktemp("staging")), None)
    load = pool_workload(trial, units, CFG, None)
    return load, {cost.name: cost for cost in stage_costs(trial, load)}


@pytest.fixture(scope="module")
def ran(pool, tmp_path_factory) -> tuple[Path, Manifest, int]:
    """Output, manifest and bytes shuffled of a real run."""
    output = tmp_path_factory.mktemp("run") / "out"
    with pytest.MonkeyPatch.context() as monkeypatch:
        shuffled = Shuffled(monkeypatch)
        manifest = run(Request(CFG, [str(pool / "*.tar")], str(output)), lambda line: None)
    return output, manifest, shuffled.bytes


def test_the_rows_kept_and_the_shards_are_those_of_the_run(forecast, ran):
    load, (_, manifest, _) = forecast[0], ran
    assert load.rows == pytest.approx(manifest.counts["read"], rel=0.05)
    assert load.kept == pytest.approx(manifest.counts["kept"], rel=0.05)
    assert (load.units, load.inputs) == (TARS, sum(one["bytes"] for one in manifest.inputs))
    assert abs(load.shards - len(manifest.shards)) <= 1


def test_bytes_are_those_of_the_run(forecast, ran, pool):
    costs, (output, manifest, shuffled) = forecast[1], ran
    sidecars = size_below(output, "work/scan")
    kept = size_below(output, "work/kept")
    pictures = sum(one["bytes"] for one in ledger_pictures(output))
    assert costs["scan"].read == sum(path.stat().st_size for path in pool.iterdir())
    for found, told in (
        (sidecars, costs["scan"].written),
        (3 * sidecars, costs["match"].read),
        (size_below(output, "ledger") + kept, costs["settle"].written),
        (sum(shard.bytes for shard in manifest.shards), costs["write"].written),
        (pictures + kept, costs["write"].read),
        (shuffled, costs["match"].shuffled),
    ):
        assert told == pytest.approx(found, rel=0.08)


def ledger_pictures(output: Path) -> list[dict]:
    tables = [pq.read_table(path, columns=["fate", "bytes"]) for path in (output / "ledger").iterdir()]
    rows = [row for table in tables for row in table.to_pylist()]
    return [row for row in rows if row["fate"] == "kept"]


@pytest.mark.slow
def test_cpu_seconds_are_within_a_quarter_of_the_runs(pool, tmp_path):
    hold_against_run(CFG, f"{pool}/*.tar", tmp_path, ("scan", "settle", "write"))


@pytest.mark.slow
def test_a_models_cpu_seconds_are_within_a_quarter_of_the_runs(pool, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    world = {"model": f"local-dir:{ROOT}/tests/world/clip", "pretrained": "", "device": "cpu", "min_score": -1}
    hold_against_run(
        CFG.model_copy(update={"relevance": RelevanceRules(**world)}), f"{pool}/[012].tar", tmp_path, ("clip",)
    )


def hold_against_run(cfg: CaptionConfig, inputs: str, tmp_path: Path, stages: tuple[str, ...]) -> None:
    """Other work on the machine lengthens CPU seconds too, and by chance only one of plan and run: three attempts."""
    units, seen = list_units([inputs], cfg.read), []
    scorer = ClipScorer(cfg.relevance) if cfg.relevance.enabled else None
    if scorer is not None:
        scorer.load()
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        before = run_trial(units, cfg, str(folder / "before"), scorer)
        manifest = run(Request(cfg, [inputs], str(folder / "out")), lambda line: None)
        after = run_trial(units, cfg, str(folder / "after"), scorer)
        told = [cpu_seconds(trial, pool_workload(trial, units, cfg, None)) for trial in (before, after)]
        found = {name: manifest.stages[name]["cpu_seconds"] for name in stages}
        seen.append({name: sum(one[name] for one in told) / 2 / found[name] for name in stages})
        if all(0.75 < ratio < 1.25 for ratio in seen[-1].values()):
            return
    pytest.fail(f"plan over run, three times: {seen}")


def cpu_seconds(trial: Trial, load: Workload) -> dict[str, float]:
    return {cost.name: cost.cpu for cost in stage_costs(trial, load)}


@pytest.mark.slow
def test_memory_is_within_a_quarter_of_a_runs(pool, tmp_path):
    command = ["caption", "--set", "relevance.enabled=false", "--input", f"{pool}/*.tar", "--output", f"{tmp_path}/out"]
    plan = [sys.executable, "-m", "pipelines.cli", "plan", *command]  # not forked: it would hold what its parent loaded
    planned = subprocess.run(plan, cwd=ROOT, capture_output=True, text=True)
    told = re.search(r"memory +(\d+) MiB", planned.stdout)
    assert told is not None, planned.stdout + planned.stderr
    code = "import sys; from pipelines.cli import main; main(sys.argv[1:])"
    code += "; from pipelines.plan_checks import peak_memory; print('peak', peak_memory())"
    ran = subprocess.run([sys.executable, "-c", code, "run", *command], cwd=ROOT, capture_output=True, text=True)
    found = re.search(r"^peak (\d+)$", ran.stdout, re.MULTILINE)
    assert found is not None, ran.stdout + ran.stderr
    assert int(told[1]) * 2**20 == pytest.approx(int(found[1]), rel=0.25)


def test_a_larger_set_costs_in_proportion(forecast):
    load, costs = forecast
    larger = resized(load, 10 * load.rows, CFG)
    assert (larger.units, larger.kept) == (10 * TARS, 10 * load.kept)
    assert larger.shards == -(-larger.kept // 500)


def test_time_comes_in_waves_of_tasks():
    stages = [StageCost("scan", 10, 100.0), StageCost("clip", 10, 10.0, held=50.0)]
    beside = START_SECONDS + WORKER_SECONDS
    assert wall_seconds(stages, 1) == START_SECONDS + 100 + 50
    assert wall_seconds(stages, 4) == beside + 3 * 10 + 3 * 5
    assert wall_seconds(stages, 99) == beside + 10 + 5


def test_two_measurements_tell_a_row_from_a_unit():
    assert line(Cost(10, 3.0), Cost(100, 21.0)) == (0.2, 1.0)
    assert line(Cost(10, 1.0), Cost(10, 1.0)) == (0.1, 0.0)
    assert line(Cost(10, 3.0), Cost(20, 2.0)) == (0.1, 0.0)
