"""The benchmark of a training step: a real step at a tiny size, and what its profile says."""

from collections import Counter
from contextlib import ExitStack

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tests.benchmarks import bench_train_step
from tests.benchmarks.bench_train_step import kind_of, make, measured, told


def test_a_step_of_the_benchmark_trains(monkeypatch):
    monkeypatch.setattr(bench_train_step, "WARM", 0)
    monkeypatch.setattr(bench_train_step, "ROUNDS", 1)
    torch.set_num_threads(1)
    with ExitStack() as stack:
        made = make(stack, "tiny", 512, 1)
        before = [one.full_tensor().clone() for one in made.job.model.parameters()]
        assert " tokens/s, MFU " in measured(made)
        after = [one.full_tensor() for one in made.job.model.parameters()]
        assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True) if one.ndim > 1)


def test_the_largest_loss_is_what_takes_most_beside_matrix_products():
    times = Counter({"nvjet_hsh_128x256": 500, "flash_fwd_varlen": 200, "triton_red_fused": 90, "Memcpy HtoD": 10})
    assert told(times, 1000) == (
        "matrix products 50%, attention 20%, idle 20%, compiled 9%, copies 1%; the largest loss: attention "
        "(flash_fwd_varlen 20%)"
    )
    assert told(Counter({"nvjet": 400}), 1000) == "idle 60%, matrix products 40%; the largest loss: idle"
    assert kind_of("void cutlass::device_kernel<flash::enable_sm90>") == "attention"
