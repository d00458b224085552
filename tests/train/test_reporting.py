"""Lines of a run: to the console, to metrics.jsonl, and an early word on packages that are not there."""

import gzip
import importlib.util
import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from configs.schema.strict import ConfigError
from configs.schema.train import ReportRules
from tests.train.toy_captions import toy_config
from train.errors import TrainError
from train.metrics import Line
from train.reporting import Reporter, check_writers, format_line, format_skipped, profiled

LINE = Line(20, 2.5, {"a": 2.0, "b": 3.0}, 1e-4, 0.5, 9e6, 12345.6, 0.412, 0.991, 0.01, 6e1, 1.5)


def test_a_line_for_people():
    assert format_line(LINE, 1000) == (
        "step 20 of 1,000  loss 2.5000 (a 2.000, b 3.000)  norm 0.500  lr 1.00e-04  12,346 tokens/s  MFU 41.2%  "
        "packed 99.1%  wait 1.0%  60.0 GB  1.50 s/step"
    )


def test_a_line_for_machines_from_the_first_rank_alone(tmp_path):
    said, cfg = [], toy_config(tmp_path)
    for first in (True, False):
        with Reporter(cfg, tmp_path / str(first), said.append, first=first) as reporter:
            reporter.line(LINE)
    written = json.loads((tmp_path / "True" / "metrics.jsonl").read_text())
    assert (written["step"], written["loss"], written["loss/b"], written["mfu"]) == (20, 2.5, 3.0, 0.412)
    assert len(said) == 1 and not (tmp_path / "False").exists()


def test_the_profilers_window_leaves_a_trace_of_its_steps_alone(tmp_path):
    import torch

    for step in (1, 2, 3):
        with profiled(ReportRules(profile_from=2, profile_steps=1), step, tmp_path, rank=1):
            torch.ones(3, 3) @ torch.ones(3, 3)
    [trace] = (tmp_path / "profile").iterdir()
    assert trace.name == "step-00000002-rank-1.json.gz"
    assert "aten::mm" in {event.get("name") for event in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]}


def written_twice(tmp_path, **rules) -> None:
    """Steps 1 to 3, then again from the checkpoint of step 1 on."""
    cfg = toy_config(tmp_path, report=rules)
    for done, loss in ((0, 5.0), (1, 2.5)):
        with Reporter(cfg, tmp_path / "run", print, first=True, done=done) as reporter:
            for step in range(done + 1, 4):
                reporter.line(replace(LINE, step=step, loss=loss))


def test_tensorboard_shows_each_step_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    written_twice(tmp_path, tensorboard=True)
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [(one.step, one.value) for one in found.Scalars("loss")] == [(1, 5.0), (2, 2.5), (3, 2.5)]
    assert {"loss/a", "loss/b", "mfu", "tokens_per_second"} <= set(found.Tags()["scalars"])


def test_weights_and_biases_have_one_run_of_a_folder(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    written_twice(tmp_path, wandb_project="toy")
    runs = list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
    assert {path.stem for path in runs} == {f"run-{(tmp_path / 'run' / 'wandb-run').read_text()}"}
    assert all(b"gradient_norm" in path.read_bytes() for path in runs)

    def refuse(**named):
        raise wandb.errors.UsageError("api_key not configured")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(TrainError, match="found UsageError: api_key not configured; with WANDB_MODE=offline"):
        written_twice(tmp_path, wandb_project="toy")


def test_what_was_skipped_is_added_up_over_ranks_and_told_once_where_nothing_is_new(tmp_path):
    counts = {"given": 6, "skipped": {"MediaError": 1}, "names": ["MediaError a#k1: broken", "MediaError a#k2: broken"]}
    rank = {"counts": {"a": counts, "b": {"given": 3, "skipped": {}, "names": []}}, "dropped": {"a": 2}}
    state, said = {"ranks": {"0": rank, "1": rank}}, []
    line = "skipped 6 of 20 samples: 2 a/MediaError, 4 a/TooLong; MediaError a#k1: broken; MediaError a#k2: broken"
    assert format_skipped(state).startswith(line)
    with Reporter(toy_config(tmp_path), tmp_path / "run", said.append, first=True) as reporter:
        reporter.skipped(2, {"ranks": {"0": {"counts": {}, "dropped": {}}}})
        reporter.skipped(4, state)
        reporter.skipped(6, state)
    [written] = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert written == {"step": 4, "skipped/a/MediaError": 2.0, "skipped/a/TooLong": 4.0} and len(said) == 1


@pytest.mark.parametrize(("key", "package"), [("tensorboard", "tensorboard"), ("wandb_project", "wandb")])
def test_a_writer_whose_package_is_not_there_is_refused_at_once(key, package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"report.{key}: expected the package '{package}', found it not installed"):
        check_writers(ReportRules(**{key: True if key == "tensorboard" else "x"}))
