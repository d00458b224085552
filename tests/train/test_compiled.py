"""`model.compile`: the same steps with compiled layers, and refused where each pack would be compiled anew."""

import json
from functools import partial
from unittest import mock

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from configs.schema.strict import ConfigError
from tests.train.launched import launch
from tests.train.test_loop import train as train_as_it_is
from tests.train.toy_captions import toy_config
from train import job
from train.job import check_compile
from train.model import compile_layers


def train(rank, say, folder, run, changes) -> None:
    """On a CPU, where it is slow and right; by dynamo alone, as the code that inductor makes takes a minute to make."""
    from torch._dynamo.utils import counters

    with (
        mock.patch.object(job, "check_compile", lambda device, compute: None),
        mock.patch.object(job, "compile_layers", partial(compile_layers, backend="eager")),
    ):
        train_as_it_is(rank, say, folder, run, changes)
    say(f"{counters['stats']['unique_graphs']} graphs, {len(counters['graph_break'])} breaks")


def test_a_step_is_the_same_with_compiled_layers(tmp_path):
    """Of a model cut by FSDP. How few graphs one kernel for all documents needs, tests/train/test_model.py says."""
    cfg, said, found = toy_config(tmp_path), {}, {}
    for run in ("plain", "compiled"):
        model = {**cfg.model.model_dump(), "compile": run == "compiled"}
        parallel = {**cfg.parallel.model_dump(), "lost_seconds": 60}
        changes = {"steps": 1, "batch": 1, "model": model, "parallel": parallel}
        assert launch(train, 1, tmp_path / run, tmp_path, run, changes) == [0]
        found[run] = json.loads((tmp_path / run / "metrics.jsonl").read_text())
        said[run] = (tmp_path / run / "said-0").read_text().splitlines()[-1]
    for name in ("loss", "gradient_norm"):
        assert found["compiled"][name] == pytest.approx(found["plain"][name], rel=1e-6)
    assert said["plain"] == "0 graphs, 0 breaks"
    assert said["compiled"] != said["plain"] and said["compiled"].endswith("graphs, 0 breaks")


@pytest.mark.parametrize(("device", "compute"), [("cpu", "bfloat16"), ("cuda", "float32")])
def test_where_each_pack_would_be_compiled_anew_it_is_refused(device, compute):
    with pytest.raises(ConfigError, match=f"model.compile: expected a CUDA device .* found {device} and {compute}"):
        check_compile(torch.device(device), compute)
    check_compile(torch.device("cuda"), "bfloat16")
