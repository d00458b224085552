"""A run that is killed goes on as if it had not been: also in the middle of a checkpoint, also on other ranks."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from configs.schema.train import SaveRules
from tests.train.launched import kill_me, launch
from tests.train.toy_captions import toy_config, write_captions, write_talks
from train import checkpoint, loop
from train.pretrain import pretrain
from train.sft import sft

KILLED = -9


def tune(rank, say, folder: Path, run: str) -> None:
    """Fine-tuning on conversations, with held-out ones, asked to end in its second step."""
    sources = {name: [{"name": name, "uri": str(folder / "talks")}] for name in ("sources", "held_out")}
    cfg = toy_config(
        folder,
        stage="sft",
        steps=4,
        data={**sources, "workers": 0, "window": 8},
        report={"every": 1, "held_out_every": 2},
    )
    learn = loop.score_pack

    def asked(job, pack, names):
        if len(list((folder / run / "checkpoints").glob("*"))) == 0 and job.watch._phase.startswith("step 3"):
            os.kill(os.getpid(), signal.SIGTERM)
        return learn(job, pack, names)

    cfg = cfg.model_copy(update={"save": SaveRules(every=100)})
    with mock.patch.object(loop, "score_pack", asked):
        sft(cfg, folder / run, say)


def train(rank, say, folder: Path, run: str, changes: dict, fatal: str = "") -> None:
    """A toy run; the keys of each step's packs go to keys-RANK. `fatal`: where rank 0 kills itself."""
    cfg, take, publish = toy_config(folder, **changes), loop.Steps._take, checkpoint.publish
    keys = open(folder / run / f"keys-{rank}", "a")  # noqa: SIM115  (a rank may be killed)

    def noted(self, step, sums):
        fed = take(self, step, sums)
        print(step, *fed.pack.keys, file=keys, flush=True)
        return fed

    def published(draft, state):
        if draft.name == fatal:
            kill_me()
        return publish(draft, state)

    with mock.patch.object(loop.Steps, "_take", noted), mock.patch.object(checkpoint, "publish", published):
        pretrain(cfg, folder / run, say)


def trace(folder: Path) -> list[float]:
    """The loss of each step, the last that was written of it."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [loss for _, loss in sorted({line["step"]: line["loss"] for line in lines}.items())]


def ran(folder: Path, run: str, size: int, *, fatal: str = "", **changes) -> list[int]:
    return launch(train, size, folder / run, folder, run, changes, fatal)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with a set of more samples than any run here sees, and a run that nobody disturbed, on one rank."""
    folder = tmp_path_factory.mktemp("runs")
    write_captions(folder / "set", samples=200)
    toy_config(folder)
    assert ran(folder, "alone", 1) == [0]
    return folder


def test_killed_in_a_checkpoint_it_goes_on_and_sees_each_sample_once(world):
    assert ran(world, "whole", 2) == [0, 0]
    assert ran(world, "killed", 2, fatal="step-00000004.part")[0] == KILLED
    assert sorted(one.name for one in (world / "killed" / "checkpoints").iterdir()) == [
        "step-00000002",
        "step-00000004.part",
    ]
    before = steps_of(world / "killed")
    assert ran(world, "killed", 2) == [0, 0]
    assert trace(world / "killed") == pytest.approx(trace(world / "whole"), rel=1e-6)
    assert steps_of(world / "killed")[2:] == steps_of(world / "whole")[2:]
    assert before[:2] == steps_of(world / "whole")[:2]
    assert max(Counter(sum(steps_of(world / "killed"), [])).values()) == 1


def steps_of(folder: Path) -> list[list[str]]:
    """The keys of each step over all ranks, as they were seen last: a killed run's later steps are made again."""
    found: dict[int, list[str]] = {}
    for place in folder.glob("keys-*"):
        last = below = 10**9
        for line in reversed(place.read_text().splitlines()):
            step, *keys = line.split()
            if int(step) > last:
                below = last
            if int(step) < below:
                last = int(step)
                found[last] = sorted(found.get(last, []) + keys)
    return [keys for _, keys in sorted(found.items())]


@pytest.mark.parametrize("shared", ["tp", "cp"])
def test_ranks_that_shared_packs_hand_on_to_one_alone(world, shared):
    """TP 2, or CP 2, is killed, one rank takes the same packs: the trace is that of one rank all along."""
    two = {"parallel": {"compute": "float32", shared: 2, "timeout_seconds": 60, "lost_seconds": 4}}
    assert ran(world, shared, 2, fatal="step-00000004.part", **two)[0] == KILLED
    assert ran(world, shared, 1) == [0]
    assert trace(world / shared) == pytest.approx(trace(world / "alone"), rel=1e-4)


def test_two_ranks_hand_on_to_one_and_no_sample_comes_twice(world):
    assert ran(world, "dealt", 2, fatal="step-00000004.part")[0] == KILLED
    before = steps_of(world / "dealt")[:2]
    for place in (world / "dealt").glob("keys-*"):
        place.unlink()
    assert ran(world, "dealt", 1) == [0]
    seen = Counter(sum(before + steps_of(world / "dealt"), []))
    assert max(seen.values()) == 1
    assert trace(world / "dealt")[:2] == pytest.approx(trace(world / "whole")[:2], rel=1e-6)


def test_of_a_rank_that_died_the_other_one_tells(world):
    assert ran(world, "lost", 2, fatal="step-00000002.part") == [KILLED, 2]
    said = (world / "lost" / "said-1").read_text()
    # Where it was is known to the second: such small steps may all be over before it is told again.
    assert re.search(r"TrainError: rank 0 \(.*\) died or lost its network in .+: no sign of life for 4 s", said)


def test_fine_tuning_asked_to_end_saves_and_goes_on_and_hands_out_a_model(world):
    write_talks(world / "talks")
    assert launch(tune, 1, world / "tuned", world, "tuned") == [2]
    said = (world / "tuned" / "said-0").read_text()
    assert "Interrupted: was asked to end after step 3, and has saved; the same command goes on" in said
    assert launch(tune, 1, world / "tuned", world, "tuned") == [0]
    lines = [json.loads(line) for line in (world / "tuned" / "metrics.jsonl").read_text().splitlines()]
    held_out = {line["step"]: line["held_out/held_out"] for line in lines if "held_out/held_out" in line}
    assert sorted(held_out) == [2, 4] and held_out[4] < held_out[2] < 6.4
    assert {one.name for one in (world / "tuned" / "hub").iterdir()} >= {"config.json", "tokenizer.json"}
    assert "goes on from" in (world / "tuned" / "said-0").read_text()
