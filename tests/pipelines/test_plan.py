"""Plan: says what would run and what would stop it, by the same pool the same, and leaves nothing behind."""

import shutil
from pathlib import Path

import pytest

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from pipelines.plan import plan, worker_count
from pipelines.plan_checks import check_disk, existing_folder, hours_text, size_text, time_text
from pipelines.plan_costs import StageCost, pool_workload
from pipelines.plan_stages import Cost, Line, Packing
from pipelines.plan_trial import Extent, Stages, Trial, choose_units, run_trial
from pipelines.run import Request
from tests.pipelines.small_run import small_config, write_pool
from transforms.reading import list_units
from transforms.records import Unit

CFG = small_config()


@pytest.fixture
def pool(tmp_path) -> str:
    return str(write_pool(tmp_path / "pool") / "*.tar")


def told(request: Request, capsys, code: int = 0) -> str:
    assert plan(request) == code
    return " ".join(capsys.readouterr().out.split())


def test_a_plan_tells_all_and_writes_nothing(pool, tmp_path, capsys):
    text = told(Request(CFG, [pool], str(tmp_path / "out")), capsys)
    assert "2 files" in text and "2 units: 2 tar" in text
    assert "tried 20 rows of 2 units" in text
    assert "kept" in text and "image_too_small" in text
    assert (
        "about 20 rows in 0:00:0" in text
        and "what 20 samples in 2 units cost 1 worker" in text
        and "15 kept in 3 shards" in text
    )
    assert "a run can start" in text
    assert [path.name for path in tmp_path.iterdir()] == ["pool"]


def test_an_output_of_the_same_recipe_is_finished(finished, capsys):
    pool = str(Path(finished).parent / "pool" / "*.tar")
    assert "finished by this very recipe" in told(Request(CFG, [pool], finished), capsys)


def test_an_output_of_another_recipe_stops(finished, capsys):
    pool = str(Path(finished).parent / "pool" / "*.tar")
    cfg = CFG.model_copy(update={"seed": 1})
    assert "a run would stop: output" in told(Request(cfg, [pool], finished), capsys, code=2)


def test_scans_that_a_run_would_take_over_are_counted(finished, tmp_path, capsys):
    output, pool = tmp_path / "out", str(Path(finished).parent / "pool" / "*.tar")
    shutil.copytree(finished, output)
    (output / "manifest.json").unlink()
    next((output / "work" / "scan").iterdir()).unlink()
    assert "resumes: 1 of 2 units are scanned already" in told(Request(CFG, [pool], str(output)), capsys)


def test_a_limit_bounds_the_rows(pool, tmp_path, capsys):
    assert "about 5 rows" in told(Request(CFG, [pool], str(tmp_path / "out"), limit=5), capsys)


def test_an_empty_file_is_named_and_no_reason_to_stop(pool, tmp_path, capsys):
    (tmp_path / "pool" / "c.tar").touch()
    text = told(Request(CFG, [pool], str(tmp_path / "out")), capsys)
    assert "1 of 3 files opened" in text and "c.tar: a file of zero bytes" in text and "UnitEmpty" in text


def test_a_pool_of_nothing_readable_stops(tmp_path, capsys):
    (tmp_path / "c.tar").touch()
    text = told(Request(CFG, [str(tmp_path / "c.tar")], str(tmp_path / "out")), capsys, code=2)
    assert "a run would stop: unreadable inputs" in text


def test_inputs_that_are_not_there_are_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="expected at least one file"):
        plan(Request(CFG, [str(tmp_path / "*.tar")], str(tmp_path / "out")))


def test_weights_that_are_not_there_stop(pool, tmp_path, capsys):
    cfg = small_config(enabled=True, model=f"local-dir:{tmp_path}/none", pretrained="")
    text = told(Request(cfg, [pool], str(tmp_path / "out")), capsys, code=2)
    assert "a run would stop: weights" in text and "tried 20 rows" in text


def test_a_model_is_loaded_and_asked(pool, tmp_path, capsys):
    pytest.importorskip("open_clip")
    from tests.classifiers.tiny_clip import save_tiny_clip

    model = save_tiny_clip(tmp_path / "model")
    cfg = small_config(enabled=True, model=model, pretrained="", device="cpu", precision="fp32", min_score=1)
    text = told(Request(cfg, [pool], str(tmp_path / "out")), capsys)
    assert "loaded in" in text and "fp32" in text and "of it the model" in text and "clip_score_low" in text


def test_another_size_and_parallelism_are_told_and_stop_nothing(pool, tmp_path, capsys):
    request = Request(CFG, [pool], str(tmp_path / "out"))
    assert plan(request, samples=10**9, parallelism=1000) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "what 1,000,000,000 samples in 100,000,000 units cost 1,000 workers" in text
    assert "150,000,000 shards" in text and "about 20 rows" in text


def test_another_runner_is_named(pool, tmp_path, capsys):
    request = Request(CFG, [pool], str(tmp_path / "out"), beam_arguments=["--runner=FlinkRunner"])
    assert "runner FlinkRunner" in told(request, capsys)


def test_workers_are_those_beam_is_told():
    assert [worker_count([]), worker_count(["--direct_num_workers=3"])] == [1, 3]
    assert worker_count(["--direct_num_workers=0"]) >= 1


def test_the_same_pool_gives_the_same_trial(pool, tmp_path):
    units = list_units([pool], CFG.read)
    one, other = (run_trial(units, CFG, str(tmp_path), None).samples for _ in range(2))
    assert one == other


def unit(index: int, kind: str = "tar", size: int = 1000, rows: int = 0) -> Unit:
    return Unit(index, f"{index}.{kind}", kind, end=rows, size=size)


def test_units_are_tried_in_an_order_of_chance_with_each_kind_in_front():
    units = [*(unit(i) for i in range(50)), unit(50, "parquet", rows=9)]
    order = choose_units(units, 0)
    assert {one.kind for one in order[:2]} == {"tar", "parquet"}
    assert sorted(one.index for one in order) == list(range(51)) != [one.index for one in order]


def test_rows_are_estimated_kind_by_kind():
    units = [unit(0), unit(1), unit(2, "parquet", rows=70), unit(3, "parquet", rows=30)]
    stages = Stages(Line(), Line(), Line(), Packing(0, 0, 0, 0, 0), Line(), Line(), Cost(0))
    trial = Trial([], 1.0, stages, [Extent("tar", 10, 500), Extent("parquet", 70, 70)])
    assert pool_workload(trial, units, CaptionConfig(), None).rows == 40 + 100
    assert pool_workload(trial, units, CaptionConfig(), 50).rows == 50


def test_a_disk_too_small_stops(tmp_path):
    costs = [StageCost("write", 1, 1.0, written=1 << 60)]
    assert [finding.stops for finding in check_disk(str(tmp_path / "a" / "b"), costs)] == [True]
    assert existing_folder(str(tmp_path / "a" / "b")) == str(tmp_path)


def test_sizes_and_times_read_well():
    assert [size_text(n) for n in (0, 1023, 1536, 150 << 20, 5 << 40)] == [
        "0 B",
        "1,023 B",
        "1.5 KiB",
        "150 MiB",
        "5.0 TiB",
    ]
    assert [time_text(n) for n in (0.4, 61, 7261)] == ["0:00:00", "0:01:01", "2:01:01"]
    assert [hours_text(3600 * n) for n in (0.0012, 1.25, 1650.4)] == ["0.0012", "1.2", "1,650"]
