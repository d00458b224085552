"""A whole training step on packs with pictures: tokens a second, MFU, memory, and what the device does in that time.

On a GPU the presets `1b` and `3b` at 8,192 and 32,768 tokens, as a config would train them: parameters and AdamW in
float32, layers compiled and in bfloat16. On a CPU the tiny preset, whose MFU means nothing. Half of the tokens are
pictures. It is the training's own step without the loader: from a pack in memory to parameters that are changed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from configs.schema.strict import parse_config
from configs.schema.train import TrainConfig
from tests.benchmarks.bench_model import made_pack
from train.data.records import Pack
from train.evaluate import score_pack
from train.flops import PEAKS, costs_of, pack_flops, peak_of
from train.job import Job, check_compile
from train.metrics import most_memory
from train.model import build_model, checkpoint_layers, compile_layers
from train.parallel import gradient_norm, join_ranks, local_gradients, shard_model
from train.presets import PRESETS
from train.schedule import make_optimiser

WARM, ROUNDS = 3, 7
SIZES = (("1b", 8192, 0), ("3b", 8192, 0), ("1b", 32768, 1), ("3b", 32768, 1))
"""Preset, tokens, and every how many layers are computed again."""
TINY = (("tiny", 2048, 0), ("tiny", 2048, 1))
KINDS = (
    ("attention", ("flash", "fmha", "varlen", "scaled_dot_product", "softmax")),
    ("matrix products", ("gemm", "nvjet", "cutlass", "xmma", "aten::mm", "aten::addmm", "aten::bmm", "aten::linear")),
    ("optimiser", ("adam", "multi_tensor", "foreach")),
    ("collectives", ("nccl", "all_gather", "reduce_scatter", "all_reduce", "c10d")),
    ("copies", ("memcpy", "memset", "copy", "cat", "index")),
    ("compiled", ("triton",)),
)
"""What the words of a kernel's name, or of an operation's on a CPU, say of it; the first that fits counts."""


class Made(NamedTuple):
    job: Job
    pack: Pack


def bench(_: Path) -> Iterator[tuple[str, str]]:
    torch.set_num_threads(1 if not torch.cuda.is_available() else torch.get_num_threads())
    for preset, tokens, every in SIZES if torch.cuda.is_available() else TINY:
        with ExitStack() as stack:
            made = make(stack, preset, tokens, every)
            device = made.job.ranks.device.type
            named = f"train step of {preset}, {tokens:,} tokens, checkpointing {every or 'off'}, {device}"
            yield named, measured(made)
            yield f"{named}, where its time goes", profiled(made)


def make(stack: ExitStack, preset: str, tokens: int, every: int) -> Made:
    on_gpu = torch.cuda.is_available()
    values = {
        "stage": "pretrain",
        "context": tokens,
        "batch": 1,
        "steps": 1,
        "model": {"source": preset, "checkpoint_layers": every, "compile": on_gpu},
        "data": {"sources": [{"name": "made", "uri": "in memory"}]},
        "parallel": {"compute": "bfloat16" if on_gpu else "float32"},
    }
    cfg = parse_config(values, TrainConfig, "benchmark")
    ranks = stack.enter_context(join_ranks(cfg.parallel))
    model = build_model(preset, device=ranks.device).train()
    checkpoint_layers(model, every)
    if cfg.model.compile:
        check_compile(ranks.device, cfg.parallel.compute)
        compile_layers(model)
    costs = costs_of(model.glm)
    shard_model(model, ranks, cfg.parallel)
    optimiser = make_optimiser(model, cfg.optimiser, fused=on_gpu)
    left_out: Any = None  # a step asks for neither watch, tokenizer nor checkpoints
    job = Job(cfg, Path(), ranks, left_out, left_out, model, costs, optimiser, left_out, print)
    return Made(job, made_pack(tokens, PRESETS[preset].tokens.image))


def step(made: Made) -> None:
    """As train/loop.py takes it."""
    job = made.job
    scores, targets = score_pack(job, made.pack, {"made": 0})
    scores.total.backward()  # type: ignore[no-untyped-call]
    weight = targets.weights.sum()
    norm = float(gradient_norm(job.model.parameters(), job.ranks.world) / weight)
    torch._foreach_mul_(local_gradients(job.model.parameters()), min(1.0, 1 / norm) / weight)
    job.optimiser.step()
    job.optimiser.zero_grad()


def waited(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measured(made: Made) -> str:
    device, times = made.job.ranks.device, []
    for number in range(WARM + ROUNDS):
        if number == WARM and device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        started = waited(device)
        step(made)
        times.append(waited(device) - started)
    seconds = median(times[WARM:])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    share = pack_flops(made.job.costs, made.pack) / seconds / (peak_of(name) or PEAKS["H200"])
    return (
        f"{1e3 * seconds:,.0f} ms, {len(made.pack.input_ids) / seconds:,.0f} tokens/s, MFU {share:.1%} of "
        f"{name if peak_of(name) else 'an H200'}, {most_memory(device) / 2**30:.1f} GiB"
    )


def profiled(made: Made) -> str:
    """Shares of one step's time by kind, the largest first, and what is the largest beside matrix products."""
    device = made.job.ranks.device
    on_gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as found:
        started = waited(device)
        step(made)
        seconds = waited(device) - started
    times: Counter[str] = Counter()
    for event in found.key_averages():
        if on_gpu == (event.device_type == DeviceType.CUDA):
            times[event.key] += event.self_device_time_total if on_gpu else event.self_cpu_time_total
    return told(times, seconds * 1e6)


def told(times: Counter[str], whole: float) -> str:
    """`times` and `whole` in microseconds."""
    kinds: Counter[str] = Counter()
    for name, spent in times.items():
        kinds[kind_of(name)] += spent
    kinds["idle"] = max(0.0, whole - sum(times.values()))
    shares = ", ".join(f"{kind} {spent / whole:.0%}" for kind, spent in kinds.most_common() if spent > whole / 200)
    largest = max((kind for kind in kinds if kind != "matrix products"), key=kinds.__getitem__)
    inside = [f"{name[:60]} {spent / whole:.0%}" for name, spent in times.most_common() if kind_of(name) == largest]
    return f"{shares}; the largest loss: {largest}" + (f" ({', '.join(inside[:3])})" if inside else "")


def kind_of(name: str) -> str:
    low = name.lower()
    return next((kind for kind, words in KINDS if any(word in low for word in words)), "other")
