"""What a step says of itself: loss by source, tokens a second, MFU, packing, data wait, memory.

Sums stay on the device and all ranks' are added up once a step, together with the weight that the gradient is divided
by; the host waits for them only where a line is due.
Left out on purpose: where lines go (train/reporting.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from train.data.records import Pack
from train.flops import Costs, pack_flops
from train.losses import Scores, Targets
from train.parallel import Ranks

HOST = ("tokens", "places", "documents", "teraflops", "wait", "stop")
"""What each rank counts on the host: tokens of documents, places in packs, documents, operations, seconds without data,
whether it was asked to stop."""


class StepSums:
    """Of one step: for each source the sum of weight times cross-entropy and of weight, then HOST."""

    def __init__(self, sources: Sequence[str], ranks: Ranks) -> None:
        self._count, self._ranks = len(sources), ranks
        self._device = torch.zeros(2 * len(sources), dtype=torch.float64, device=ranks.device)
        self._host = dict.fromkeys(HOST, 0.0)

    def add_scores(self, scores: Scores, targets: Targets) -> None:
        weighted = (scores.each * targets.weights).double()
        self._device[: self._count].index_add_(0, targets.sources, weighted)
        self._device[self._count :].index_add_(0, targets.sources, targets.weights.double())

    def add_pack(self, pack: Pack, costs: Costs) -> None:
        tokens = int(pack.bounds[len(pack.sources)])
        found = (tokens, len(pack.input_ids), len(pack.sources), pack_flops(costs, pack) / 1e12)
        for name, value in zip(HOST, found, strict=False):
            self._host[name] += value / (self._ranks.degrees.cp * self._ranks.degrees.tp)

    def add_host(self, name: str, value: float) -> None:
        self._host[name] += value

    def reduce(self) -> Tensor:
        """(2 * sources + HOST,) float64 of all ranks, on the device. Ranks that share heads count the same losses."""
        host = torch.tensor(list(self._host.values()), dtype=torch.float64).to(self._ranks.device, non_blocking=True)
        every = torch.cat([self._device / self._ranks.degrees.tp, host])
        dist.all_reduce(every)
        return every


@dataclass(frozen=True)
class Line:
    """What is told of the steps since the line before; losses are means over these steps' weights."""

    step: int
    loss: float
    losses: dict[str, float]
    learning_rate: float
    gradient_norm: float
    tokens: float
    """Of documents, in all steps since the run began or went on."""
    tokens_per_second: float
    mfu: float | None
    """Share of the peak of all devices; None where it is not known."""
    packing: float
    """Share of the packs' places that hold a document's token."""
    data_wait: float
    """Share of the time in which ranks waited for data."""
    memory_gb: float
    """Most that was allocated on the device of the first rank; of its whole process where that is a CPU."""
    seconds_per_step: float


@dataclass
class Meter:
    """Adds up steps and makes lines of them."""

    sources: Sequence[str]
    ranks: Ranks
    peak: float | None
    """Operations a second of one device."""
    tokens: float = 0.0
    _steps: int = 0
    _sums: Tensor | None = None
    _since: float = field(default_factory=time.monotonic)

    def add(self, sums: Tensor) -> None:
        self._sums = sums if self._sums is None else self._sums + sums
        self._steps += 1

    def line(self, step: int, rate: float, norm: float) -> Line:
        """Of the steps added since the last line; waits for the device."""
        assert self._sums is not None
        values, count = self._sums.tolist(), len(self.sources)
        host = dict(zip(HOST, values[2 * count :], strict=True))
        by_source = list(zip(self.sources, values[:count], values[count : 2 * count], strict=True))
        seconds = max(time.monotonic() - self._since, 1e-9)
        self.tokens += host["tokens"]
        peak = None if self.peak is None else self.peak * self.ranks.world
        line = Line(
            step=step,
            loss=sum(values[:count]) / max(sum(values[count : 2 * count]), 1e-12),
            losses={name: loss / weight for name, loss, weight in by_source if weight > 0},
            learning_rate=rate,
            gradient_norm=norm,
            tokens=self.tokens,
            tokens_per_second=host["tokens"] / seconds,
            mfu=None if peak is None else host["teraflops"] * 1e12 / seconds / peak,
            packing=host["tokens"] / max(host["places"], 1),
            data_wait=host["wait"] / self.ranks.world / seconds,
            memory_gb=most_memory(self.ranks.device) / 1e9,
            seconds_per_step=seconds / self._steps,
        )
        self._sums, self._steps, self._since = None, 0, time.monotonic()
        return line


def most_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
