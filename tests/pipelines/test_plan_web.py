"""Plan of web archives: what it says a run costs against what one did cost, tried on the beginnings of the archives."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("apache_beam")

from configs.schema.web import WebConfig
from pipelines import plan_web
from pipelines.makings import MAKINGS
from pipelines.plan import plan
from pipelines.plan_checks import check_output
from pipelines.plan_costs import StageCost, Workload, pool_workload, stage_costs
from pipelines.plan_kinds import planning_of
from pipelines.plan_web import run_web_trial
from pipelines.run import Request, run
from tests.pipelines.test_plan_costs import size_below
from tests.pipelines.web_pool import WORDS, jpeg, page, picture
from tests.pipelines.web_sets import save
from tests.transforms.archives import packed
from transforms.shards import Manifest

pytestmark = pytest.mark.beam

ARCHIVES, PAGES = 4, 60
CFG = WebConfig.model_validate({"output": {"samples_per_shard": 50}})


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    """Archives of pages with two pictures each behind them; every sixth page is too short."""
    folder = tmp_path_factory.mktemp("pool")
    for archive in range(ARCHIVES):
        records = [one for n in range(archive * PAGES, (archive + 1) * PAGES) for one in records_of(n)]
        (folder / f"{archive}.warc.gz").write_bytes(packed(*records))
    return folder


def records_of(number: int) -> list[bytes]:
    drawn = Random(number)
    paragraphs = [" ".join(f"{drawn.choice(WORDS)}{drawn.randrange(99)}" for _ in range(40)) for _ in range(12)]
    body = [f"<p>{text}.</p>" for text in (paragraphs if number % 6 else paragraphs[:1])]
    body[1:1] = [f'<img src="{number}-{side}.jpg">' for side in (240, 320)]
    pictures = [picture(f"{number}-{side}.jpg", jpeg(number, side)) for side in (240, 320)]
    return [page(f"{number}.html", *body), *pictures]


@pytest.fixture(scope="module")
def ran(pool, tmp_path_factory) -> tuple[Path, Manifest]:
    output = tmp_path_factory.mktemp("run") / "out"
    return output, run(Request(CFG, [f"{pool}/*.warc.gz"], str(output)), lambda line: None)


@pytest.fixture(scope="module")
def planned(pool, tmp_path_factory) -> tuple[Workload, dict[str, StageCost]]:
    return forecast(pool, tmp_path_factory.mktemp("staging"))


def forecast(pool: Path, staging: Path) -> tuple[Workload, dict[str, StageCost]]:
    """Of which only the first half of each archive is tried."""
    units = MAKINGS["interleaved_web"].list_units([f"{pool}/*.warc.gz"], CFG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_web, "BYTES", sum(unit.size for unit in units) // 2)
        trial = run_web_trial(units, CFG, str(staging), None)
    load = pool_workload(trial, units, CFG, None)
    return load, {cost.name: cost for cost in stage_costs(trial, load)}


def test_half_of_each_archive_tells_rows_and_bytes_of_the_run(planned, ran):
    (load, costs), (output, manifest) = planned, ran
    assert load.rows == pytest.approx(manifest.counts["read"], rel=0.05)
    assert load.kept == pytest.approx(manifest.counts["kept"], rel=0.05)
    assert abs(load.shards - len(manifest.shards)) <= 1
    scanned, looked = size_below(output, "work/scan", "work/web_index"), size_below(output, "work/look")
    kept = size_below(output, "work/kept")
    for told, found in (
        (costs["scan"].read, sum(one["bytes"] for one in manifest.inputs)),
        (costs["scan"].written, scanned),
        (costs["look"].written, looked),
        (costs["settle"].written, size_below(output, "ledger") + kept),
        (costs["write"].written, sum(shard.bytes for shard in manifest.shards)),
    ):
        assert told == pytest.approx(found, rel=0.08)
    assert list(costs) == ["scan", "match", "look", "settle", "write"] and costs["match"].shuffled > 0


STAGES = (("scan",), ("look",), ("settle", "write"), ("scan", "look", "settle", "write"))
"""Whose seconds are compared; of a small pool the last two stages take hundredths."""


def least(several: Sequence[Mapping[str, Any]], seconds: Callable[[Any], float]) -> dict[tuple[str, ...], float]:
    return {names: sum(min(seconds(one[name]) for one in several) for name in names) for names in STAGES}


@pytest.mark.slow
def test_cpu_seconds_are_within_a_quarter_of_the_runs(pool, planned, ran, tmp_path):
    """Other work on the machine, and a collection of garbage, only lengthen CPU seconds: the least of up to five."""
    plans, runs = [planned[1]], [ran[1].stages]
    for attempt in range(4):
        told = least(plans, lambda stage: stage.cpu)
        found = least(runs, lambda stage: stage["cpu_seconds"])
        ratios = {names: told[names] / found[names] for names in STAGES}
        if all(0.75 < ratio < 1.25 for ratio in ratios.values()):
            return
        (tmp_path / f"plan{attempt}").mkdir()
        plans.append(forecast(pool, tmp_path / f"plan{attempt}")[1])
        request = Request(CFG, [f"{pool}/*.warc.gz"], str(tmp_path / f"out{attempt}"))
        runs.append(run(request, lambda line: None).stages)
    pytest.fail(f"plan over run: {ratios}")


def test_a_plan_tells_all_and_writes_nothing(pool, tmp_path, capsys):
    (tmp_path / "saved").mkdir()
    for number in range(3):
        save(tmp_path / f"saved/{number}.html", number, "")
    request = Request(CFG, [f"{pool}/*.warc.gz", f"saved:{tmp_path}/saved"], str(tmp_path / "out"))
    assert plan(request, samples=10**9, parallelism=1000) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "scan → unique keys → pictures by address → look" in text and "texts → ledger → shards" in text
    assert f"tried {ARCHIVES * PAGES + 3} rows of {ARCHIVES + 1} units" in text and "1 pages, 4 warc" in text
    assert "what 1,000,000,000 samples" in text and "document_too_few_words" in text
    assert "a run can start" in text and list(tmp_path.iterdir()) == [tmp_path / "saved"]


def test_without_its_weights_a_trial_leaves_out_all_that_asks_the_model(tmp_path):
    (tmp_path / "0.warc.gz").write_bytes(packed(*records_of(1)))
    heads = {name: {"enabled": True, "head": "missing.safetensors"} for name in ("classifier", "knowledge")}
    cfg = WebConfig.model_validate({**CFG.model_dump(), **heads})
    units = MAKINGS["interleaved_web"].list_units([str(tmp_path / "0.warc.gz")], cfg)
    (tmp_path / "staging").mkdir()
    trial = run_web_trial(units, cfg, str(tmp_path / "staging"), None)
    assert len(trial.samples) == 1 and not trial.stages.accelerated


def test_what_a_run_left_is_known_again(pool, ran, tmp_path):
    units = MAKINGS["interleaved_web"].list_units([f"{pool}/*.warc.gz"], CFG)
    of = CFG, planning_of(CFG).reads(CFG)
    (finished,) = check_output(str(ran[0]), of, units)
    assert "finished by this very recipe" in finished.text
    output = shutil.copytree(ran[0], tmp_path / "out")
    (output / "manifest.json").unlink()
    (resumed,) = check_output(str(output), of, units)
    assert f"{ARCHIVES} of {ARCHIVES} units are scanned already" in resumed.text
