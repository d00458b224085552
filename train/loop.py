"""The steps of a run, shared by all stages: packs in, one gradient over all ranks, lines and checkpoints out.

Left out on purpose: what a stage trains on (train/pretrain.py, train/sft.py), and how a job is made (train/job.py).
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from configs.schema.train import TrainConfig
from train.chat.tokenizer import ChatTokenizer
from train.checkpoint import StepsMade, export, exported_steps
from train.data.errors import DataError
from train.data.packed import PackLoader
from train.data.sources import check_hashes
from train.data.state import combine_states
from train.errors import TrainError
from train.evaluate import held_out_loss, score_pack
from train.feed import Fed, Feed, Share, open_packs
from train.flops import peak_of
from train.job import Job, open_job
from train.metrics import HOST, Meter, StepSums
from train.parallel import gradient_norm, local_gradients
from train.reporting import Reporter, profiled
from train.samples import SamplePage
from train.schedule import learning_rate, set_learning_rate


class Interrupted(TrainError):
    """The run was asked to end, and has saved; the same command goes on."""


def run_stage(cfg: TrainConfig, output: Path, tokenizer: ChatTokenizer, say: Callable[[str], None]) -> None:
    """Opens the job and its data, and takes the steps. Raises what `open_job`, `open_packs` and `run_steps` do."""
    with open_job(cfg, output, tokenizer, say) as job:
        run_steps(job, open_data(job))


def open_data(job: Job) -> PackLoader:
    """Opens the held-out sets too: what is wrong with them is told now, not when their loss is due."""
    share = Share(job.ranks.data_rank, job.ranks.data_world)
    loader = open_packs(job.cfg, job.cfg.data.sources, job.tokenizer, share)
    opened = [loader]
    if job.cfg.data.held_out:
        opened.append(open_packs(job.cfg, job.cfg.data.held_out, job.tokenizer, share, rounds=1))
    if job.cfg.data.check_hashes:
        for source in chain.from_iterable(one.loader.sources for one in opened):
            check_hashes(source, job.ranks.rank, job.ranks.world, job.watch.note)
    return loader


def run_steps(job: Job, loader: PackLoader) -> None:
    """From the newest checkpoint, or from the beginning, to the config's last step; then the model for the hub.

    Raises TrainError, DataError; Interrupted after SIGTERM, when a checkpoint is written.
    """
    done, tokens = resume(job, loader)
    first = job.ranks.rank == 0
    with Reporter(job.cfg, job.output, job.say, first=first, done=done) as reporter, stop_signal() as stop:
        if done < job.cfg.steps:
            with Feed(loader, job.tokenizer, job.packs_a_step) as feed:
                Steps(job, feed, reporter, stop, tokens).run(done)
        steps, hub = max(done, job.cfg.steps), job.output / "hub"
        if exported_steps(hub) != steps:
            job.watch.note("exporting")
            export(job.model, hub, beside=(job.tokenizer, StepsMade(steps)))
        reporter.say(f"done: {steps:,} steps; model: {hub}")


def resume(job: Job, loader: PackLoader) -> tuple[int, float]:
    """Steps that are done and tokens that were seen."""
    job.watch.note("resuming")
    place = job.checkpoints.latest()
    if place is None:
        return 0, 0.0
    if not job.cfg.save.resume:  # the new ones would be the oldest by their number, and go first
        raise TrainError(f"save.resume=false: expected no checkpoints of an earlier run, found {place}: another output")
    state = job.checkpoints.load(place)
    loader.load_state_dict(state["loader"])
    if job.ranks.rank == 0:
        job.say(f"goes on from {place}")
    return state["step"], state["tokens"]


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Set by SIGTERM, which schedulers send before they end a job."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


class Steps:
    def __init__(self, job: Job, feed: Feed, reporter: Reporter, stop: threading.Event, tokens: float) -> None:
        self._job, self._reporter, self._stop, self._fed = job, reporter, stop, iter(feed)
        self._sources = {one.name: number for number, one in enumerate(job.cfg.data.sources)}
        device = job.ranks.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        peak = peak_of(name, job.cfg.report.peak_tflops)
        self._meter = Meter(list(self._sources), job.ranks, peak, tokens)
        self._seen: tuple[str, ...] = ()
        self._samples = SamplePage(job) if job.cfg.report.samples else None

    def run(self, done: int) -> None:
        for step in range(done + 1, self._job.cfg.steps + 1):
            with profiled(self._job.cfg.report, step, self._job.output, self._job.ranks.rank):
                sums, state = self._gather(step)
                norm, rate = self._update(step, sums)
            stopping = bool(sums[2 * len(self._sources) + HOST.index("stop")])
            self._tell(step, sums, norm, rate)
            if stopping or step % self._job.cfg.save.every == 0 or step == self._job.cfg.steps:
                self._save(step, state)
            if stopping:
                break
            self._job.checkpoints.check()
        self._job.watch.note("finishing the checkpoint")
        self._job.checkpoints.finish()
        if stopping:
            raise Interrupted(f"was asked to end after step {step:,}, and has saved; the same command goes on")

    def _gather(self, step: int) -> tuple[Tensor, dict[str, Any]]:
        """All gradients of a step, as sums, and the loader's position behind it."""
        job, fed = self._job, None
        sums, self._seen = StepSums(list(self._sources), job.ranks), ()
        for number in range(1, job.packs_a_step + 1):
            fed = self._take(step, sums)
            job.watch.note(f"step {step}: pack {number} of {job.packs_a_step}")
            if job.ranks.degrees.dp_replicate > 1:  # copies are added up once a step
                job.model.set_requires_all_reduce(number == job.packs_a_step)  # type: ignore[operator]
            scores, targets = score_pack(job, fed.pack, self._sources)
            scores.total.backward()  # type: ignore[no-untyped-call]
            sums.add_scores(scores, targets)
            sums.add_pack(fed.pack, job.costs)
        assert fed is not None and fed.state is not None
        job.watch.note(f"step {step}: adding up")
        sums.add_host("stop", self._stop.is_set())
        return sums.reduce(), fed.state

    def _take(self, step: int, sums: StepSums) -> Fed:
        self._job.watch.note(f"step {step}: data")
        before = time.monotonic()
        fed = next(self._fed, None)
        if fed is None:
            raise DataError(f"step {step}: expected data without end, found the end of them")
        sums.add_host("wait", time.monotonic() - before)
        self._seen += fed.pack.keys
        return fed

    def _update(self, step: int, sums: Tensor) -> tuple[float, float]:
        """AdamW's step with the mean gradient; its norm before clipping, and the learning rate."""
        job, count = self._job, len(self._sources)
        weight = sums[count : 2 * count].sum()
        found = gradient_norm(job.model.parameters(), job.ranks.world) / weight
        norm, rate = float(found), learning_rate(job.cfg.optimiser, step, job.cfg.steps)
        if not math.isfinite(norm):
            keys = ", ".join(self._seen[:5])
            raise TrainError(
                f"step {step}: expected a finite gradient, found a norm of {norm} over a weight of {float(weight)}; "
                f"this rank's samples began with {keys}. The last checkpoint is before it"
            )
        factor = (min(1.0, job.cfg.optimiser.clip_norm / max(norm, 1e-12)) / weight).float()
        torch._foreach_mul_(local_gradients(job.model.parameters()), factor)
        set_learning_rate(job.optimiser, rate)
        job.optimiser.step()
        job.optimiser.zero_grad()
        return norm, rate

    def _tell(self, step: int, sums: Tensor, norm: float, rate: float) -> None:
        rules = self._job.cfg.report
        self._meter.add(sums)
        last = step == self._job.cfg.steps
        if step % rules.every == 0 or last:
            self._reporter.line(self._meter.line(step, rate, norm))
        if self._job.cfg.data.held_out and (step % rules.held_out_every == 0 or last):
            self._job.watch.note(f"step {step}: held-out loss")
            found = {f"held_out/{name}": loss for name, loss in held_out_loss(self._job).items()}
            self._reporter.values(step, found)
            self._reporter.say("  ".join(f"{name} {loss:.4f}" for name, loss in found.items()))
            if self._samples is not None:
                self._samples.add(step)

    def _save(self, step: int, state: dict[str, Any]) -> None:
        job = self._job
        job.watch.note(f"step {step}: saving")
        first = job.ranks.rank % (job.ranks.degrees.cp * job.ranks.degrees.tp) == 0
        every = job.checkpoints.gather(state if first else None)
        combined = combine_states([one for one in every if one is not None])
        self._reporter.skipped(step, combined)
        tokens = self._meter.tokens
        job.checkpoints.save(step, {"loader": combined, "tokens": tokens, "config": job.cfg.model_dump(mode="json")})
