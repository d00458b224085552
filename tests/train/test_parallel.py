"""A step's gradient is the same however it is cut: packs, micro-batches, ranks, heads, tokens."""

import socket

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import msgspec
import numpy as np
import torch
from torch.distributed.tensor import DTensor

from configs.schema.train_parallel import ParallelRules
from tests.train.documents import IMAGE, draw_documents, join_documents, tiny_model
from tests.train.ranks import run_ranks
from train.attention import WHOLE, shard_rows
from train.errors import TrainError
from train.losses import find_targets, weighted_cross_entropy
from train.packed_forward import PackedModel
from train.packed_inputs import pack_inputs
from train.parallel import (
    Degrees,
    arrange,
    check_shareable,
    gradient_norm,
    head_of,
    join_ranks,
    plan_degrees,
    shard_model,
)
from train.presets import library_config

DOCUMENTS = draw_documents([([], 5), ([(3, (1, 4, 4))], 4), ([(1, (1, 2, 4)), (2, (1, 2, 2))], 3), ([], 9)])
"""The first and the last are text alone, so "two packs" puts a rank without a picture beside one with three."""
CUTS = {
    "one pack": [[0, 1, 2, 3]],
    "two packs": [[0, 3], [2, 1]],
    "four packs": [[0], [1], [2], [3]],
}
"""Documents by pack."""
TOLERANCE = 1e-5


def made_packs(cut: str):
    packs = [join_documents([DOCUMENTS[number] for number in row]) for row in CUTS[cut]]
    return [pad(pack, -len(pack.input_ids) % 4) for pack in packs]


def pad(pack, padding: int):
    """With `padding` tokens more, as a last document that nobody is trained on."""
    tail = join_documents(draw_documents([([], padding)])) if padding else None
    if tail is None:
        return pack
    joined = {
        name: np.concatenate([getattr(pack, name), getattr(tail, name)], axis=-1)
        for name in ("input_ids", "labels", "positions")
    }
    bounds = np.append(pack.bounds, pack.bounds[-1] + padding).astype(np.int32)
    return msgspec.structs.replace(
        pack, **joined, bounds=bounds, weights=np.append(pack.weights, np.zeros(padding, np.float32))
    )


def take_gradient(model, packs, shard=WHOLE, tp_group=None):
    for pack in packs:
        found = find_targets(pack, shard_rows(len(pack.input_ids), shard), {"drawn": 0}, 512)
        model(
            pack_inputs(pack, IMAGE, shard=shard),
            lambda states, head, found=found: weighted_cross_entropy(
                states, head_of(head), found, chunk=7, group=tp_group
            ),
        ).total.backward()


def alone():
    model = PackedModel(tiny_model())
    take_gradient(model, made_packs("one pack"))
    return {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}


def on_ranks(rank, size, rules, cut):
    torch.set_num_threads(1)
    ranks = arrange(rules, torch.device("cpu"))
    model = shard_model(PackedModel(tiny_model()), ranks, rules)
    packs = made_packs(cut)
    take_gradient(model, packs[ranks.data_rank :: ranks.data_world], ranks.shard, ranks.tp_group)
    norm = gradient_norm(model.parameters(), size)
    whole = {
        name: p.grad.full_tensor() if isinstance(p.grad, DTensor) else p.grad for name, p in model.named_parameters()
    }
    return {name: grad.numpy() for name, grad in whole.items()}, float(norm)


@pytest.mark.parametrize(
    ("size", "rules", "cut"),
    [
        (1, {}, "four packs"),
        (2, {}, "two packs"),
        (2, {}, "four packs"),
        (2, {"dp_replicate": 2}, "four packs"),
        (2, {"tp": 2}, "two packs"),
        (2, {"cp": 2}, "two packs"),
        (4, {"tp": 2, "cp": 2}, "two packs"),
    ],
)
def test_the_gradient_does_not_depend_on_the_cut(size, rules, cut):
    rules, wanted = ParallelRules(compute="float32", **rules), alone()
    whole = float(np.sqrt(sum((grad**2).sum() for grad in wanted.values())))
    for grads, norm in run_ranks(on_ranks, size, rules, cut):
        assert grads.keys() == wanted.keys()
        worst = max(float(np.abs(grads[name] - wanted[name]).max() / np.abs(wanted[name]).max()) for name in wanted)
        assert worst < TOLERANCE
        assert norm == pytest.approx(whole, rel=TOLERANCE)


def test_degrees_take_the_ranks_there_are():
    assert plan_degrees(ParallelRules(), 8) == Degrees(1, 8, 1, 1)
    assert plan_degrees(ParallelRules(dp_replicate=2, cp=2, tp=2), 16) == Degrees(2, 2, 2, 2)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"tp": 2}, "found 1 x 1 x 1 x 2 for 3"),
        ({"dp_shard": 2}, "found 1 x 2 x 1 x 1 for 3"),
        ({"cp": 4}, "found 1 x 1 x 4 x 1 for 3"),
        ({"ep": 8}, "found ep 8 and pp 1: train/ has neither"),
        ({"pp": 4}, "found ep 1 and pp 4"),
    ],
)
def test_ranks_that_do_not_come_out_even_are_refused(rules, message):
    with pytest.raises(TrainError, match=message):
        plan_degrees(ParallelRules(**rules), 3)


def test_heads_that_cannot_be_dealt_evenly_are_refused():
    with pytest.raises(TrainError, match="that tp 4 divides, found 2 heads of keys and values"):
        check_shareable(library_config("tiny").text_config, 4)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_rank_whose_others_do_not_come_says_so(rank, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {"RANK": rank, "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("train.parallel.GRACE", 0.5)
    told = f"rank {rank}: expected 3 ranks to meet at 127.0.0.1 within 1 s, found (.* timed out|Timed out)"
    with pytest.raises(TrainError, match=told), join_ranks(ParallelRules(timeout_seconds=0.5)):
        pass


def test_one_process_is_a_job_of_its_own(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with join_ranks(ParallelRules()) as ranks:
        assert (ranks.rank, ranks.world, ranks.data_rank, ranks.data_world) == (0, 1, 0, 1)
