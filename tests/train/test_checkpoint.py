"""Checkpoints: whole or not there, of any number of ranks, and none of another model."""

import json
import resource
import signal
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from configs.schema.train_parallel import ParallelRules
from tests.train.documents import draw_documents, join_documents, tiny_model
from tests.train.ranks import run_ranks
from tests.train.test_parallel import take_gradient
from train.checkpoint import Checkpoints, Trained, check_model, export, whole_checkpoints
from train.errors import TrainError
from train.packed_forward import PackedModel
from train.parallel import arrange, local_gradients, shard_model

RULES = ParallelRules(compute="float32")


class Job:
    """A tiny model on the ranks of the group, some steps of AdamW, checkpoints in a folder."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.ranks = arrange(RULES, torch.device("cpu"))
        self.model = shard_model(PackedModel(tiny_model()), self.ranks, RULES)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self.checkpoints = Checkpoints(folder, keep, Trained(self.model, self.optimiser))

    def step(self, number: int) -> None:
        pack = join_documents(draw_documents([([(2, (1, 2, 4))], 4), ([], 5)], seed=number))
        take_gradient(self.model, [pack])
        for gradient in local_gradients(self.model.parameters()):
            gradient /= self.ranks.world
        self.optimiser.step()
        self.optimiser.zero_grad()

    def weights(self) -> list:
        return [p.full_tensor().detach().numpy().copy() for p in list(self.model.parameters())[:3]]


def save_and_go_on(rank, size, folder):
    """Saves after 2 and 3 steps; the weights as they were at step 3, and after a 4th made while it was written."""
    job = Job(folder, keep=1)
    for number in (1, 2, 3):
        job.step(number)
        if number > 1:
            assert job.checkpoints.gather(rank) == [*range(size)]
            assert len(whole_checkpoints(folder)) == number - 2, "one was still being written, by the same group"
            job.checkpoints.save(number, {"data": number * 10})
    then = job.weights()
    job.step(4)
    job.checkpoints.finish()
    return then, job.weights()


def resume(rank, size, folder):
    job = Job(folder)
    state = job.checkpoints.load(job.checkpoints.latest())
    then = job.weights()
    job.step(4)
    export(job.model, folder / f"hub-{size}")
    return state["step"], state["data"], then, job.weights()


def test_any_number_of_ranks_goes_on_where_others_stopped(tmp_path):
    """With AdamW's moments too: the next step lands where it would have landed."""
    wanted, after = run_ranks(save_and_go_on, 2, tmp_path)[0]
    assert [place.name for place in tmp_path.iterdir()] == ["step-00000003"]
    for size in (2, 1):
        step, data, found, later = run_ranks(resume, size, tmp_path)[0]
        assert (step, data) == (3, 30)
        assert all((one == other).all() for one, other in zip(found, wanted, strict=True))
        assert all(abs(one - other).max() < 1e-6 for one, other in zip(later, after, strict=True))
    assert (tmp_path / "hub-1" / "config.json").is_file()


def refuse_disk(rank, size, folder):
    job = Job(folder)
    job.checkpoints.save(1, {})
    job.checkpoints.finish()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if rank == 1:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    job.checkpoints.save(2, {})
    with pytest.raises(TrainError) as told:
        job.checkpoints.finish()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return str(told.value)


def test_a_disk_that_refuses_is_told_and_leaves_the_last_whole_one(tmp_path):
    for told in run_ranks(refuse_disk, 2, tmp_path):
        assert "step-00000002 could not be written" in told and "File too large" in told
        assert told.endswith(f"the last whole one is {tmp_path / 'step-00000001'}")
    assert [place.name for place in tmp_path.iterdir()] == ["step-00000001"]


def test_a_draft_is_no_checkpoint(tmp_path):
    for name, state in (("step-00000001", "{}"), ("step-00000002.part", "{}"), ("step-00000003", None)):
        (tmp_path / name).mkdir()
        if state:
            (tmp_path / name / "state.json").write_text(state)
    assert whole_checkpoints(tmp_path) == [tmp_path / "step-00000001"]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"a": [3, 2]}, r"expected a of shape \[2, 2\], found it of shape \[3, 2\]"),
        ({}, r"expected a of shape \[2, 2\], found it absent"),
        ({"a": [2, 2], "b": [1]}, r"expected b absent, found it of shape \[1\]"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(stated, message):
    with pytest.raises(TrainError, match=message):
        check_model(stated, {"a": [2, 2]}, Path("step-00000001"))


def open_other(rank, size, folder):
    job = Job(folder)
    told = []
    for state in ({"format": "another"}, {"format": "beamsift-checkpoint-1", "model": {}}):
        (folder / "step-00000001").mkdir(exist_ok=True)
        (folder / "step-00000001" / "state.json").write_text(json.dumps(state))
        with pytest.raises(TrainError) as error:
            job.checkpoints.load(job.checkpoints.latest())
        told.append(str(error.value))
    return told


def test_what_is_no_checkpoint_of_this_model_is_refused(tmp_path):
    told = run_ranks(open_other, 1, tmp_path)[0]
    assert "expected format 'beamsift-checkpoint-1'" in told[0]
    assert "is of another model: expected glm.model" in told[1]
