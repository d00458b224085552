"""Where the lines of a run go: the console, metrics.jsonl, and on request TensorBoard and Weights & Biases.

Left out on purpose: what a line says (train/metrics.py).
"""

from __future__ import annotations

import importlib.util
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from configs.schema.strict import ConfigError
from configs.schema.train import ReportRules, TrainConfig
from train.errors import TrainError
from train.metrics import Line

NAMED = 3
"""Skipped samples that a line names; a checkpoint's state.json has more."""


class Writer(Protocol):
    def write(self, step: int, values: dict[str, float]) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One JSON object a line. A run that goes on writes steps again that the last checkpoint did not hold."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  (closed by close)

    def write(self, step: int, values: dict[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """`done`: steps that the run goes on behind; what an earlier end of it wrote of later ones is hidden."""

    def __init__(self, folder: Path, done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def write(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """One run a folder, however often it goes on. Raises TrainError where it cannot begin."""

    def __init__(self, project: str, cfg: TrainConfig, folder: Path) -> None:
        import wandb

        values, name = cfg.model_dump(mode="json"), kept_name(folder / "wandb-run")
        try:
            self._run: Any = wandb.init(project=project, config=values, dir=str(folder), id=name, resume="allow")
        except Exception as error:  # of the package, of the network, or that nobody is logged in
            raise TrainError(
                f"report.wandb_project: expected a run of Weights & Biases, found {type(error).__name__}: {error}; "
                "with WANDB_MODE=offline it is written here and can be sent later"
            ) from error
        # Its own count of steps cannot go back, as a run does that goes on from a checkpoint.
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, values: dict[str, float]) -> None:
        self._run.log({"step": step, **values})

    def close(self) -> None:
        self._run.finish()


def kept_name(path: Path) -> str:
    """A name of chance, written to `path` where it has none yet."""
    if not path.exists():
        path.write_text(secrets.token_hex(8), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def check_writers(rules: ReportRules) -> None:
    """Raises ConfigError, before anything is loaded, for a writer whose package is not installed."""
    for asked, package, key in (
        (rules.tensorboard, "tensorboard", "report.tensorboard"),
        (bool(rules.wandb_project), "wandb", "report.wandb_project"),
    ):
        if asked and importlib.util.find_spec(package) is None:
            raise ConfigError(f"{key}: expected the package {package!r}, found it not installed: pip install {package}")


class Reporter:
    """Context manager; of the first rank. The others have one that writes nothing."""

    def __init__(
        self, cfg: TrainConfig, output: Path, say: Callable[[str], None], *, first: bool, done: int = 0
    ) -> None:
        self._say, self._steps = (say if first else _nothing), cfg.steps
        self._writers: list[Writer] = []
        self._skipped: dict[str, float] = {}
        if not first:
            return
        self._writers.append(JsonLines(output / "metrics.jsonl"))
        if cfg.report.tensorboard:
            self._writers.append(TensorBoard(output / "tensorboard", done))
        if cfg.report.wandb_project:
            self._writers.append(WeightsAndBiases(cfg.report.wandb_project, cfg, output))

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *exc: object) -> None:
        for writer in self._writers:
            writer.close()

    def say(self, text: str) -> None:
        self._say(text)

    def line(self, line: Line) -> None:
        self._say(format_line(line, self._steps))
        self.values(line.step, flatten(line))

    def values(self, step: int, values: dict[str, float]) -> None:
        for writer in self._writers:
            writer.write(step, values)

    def skipped(self, step: int, loader: dict[str, Any]) -> None:
        """Samples that were not used so far, by a loader's state of all ranks; nothing where no new one is."""
        found = count_skipped(loader)
        if found != self._skipped:
            self._skipped = found
            self.values(step, found)
            self.say(format_skipped(loader))


def _nothing(text: str) -> None:
    return


def flatten(line: Line) -> dict[str, float]:
    """Names and numbers; each source's loss as `loss/<source>`."""
    values = {name: value for name, value in asdict(line).items() if isinstance(value, int | float) and name != "step"}
    return values | {f"loss/{name}": value for name, value in line.losses.items()}


def count_skipped(loader: dict[str, Any]) -> dict[str, float]:
    """As `skipped/SOURCE/CLASS`: samples that could not be used, by class of error, or were too long for a pack."""
    counts: Counter[str] = Counter()
    for rank in loader["ranks"].values():
        for source, found in rank["counts"].items():
            counts.update({f"skipped/{source}/{kind}": number for kind, number in found["skipped"].items()})
        counts.update({f"skipped/{source}/TooLong": number for source, number in rank["dropped"].items()})
    return {name: float(number) for name, number in counts.items()}


def format_skipped(loader: dict[str, Any]) -> str:
    """In one line, with the names of the first few."""
    ranks = loader["ranks"].values()
    seen = sum(found["given"] + sum(found["skipped"].values()) for rank in ranks for found in rank["counts"].values())
    skipped = {name.removeprefix("skipped/"): int(number) for name, number in count_skipped(loader).items()}
    each = ", ".join(f"{number:,} {name}" for name, number in sorted(skipped.items()))
    names = [name for rank in ranks for found in rank["counts"].values() for name in found["names"]][:NAMED]
    return f"skipped {sum(skipped.values()):,} of {seen:,} samples: {each}" + "".join(f"; {name}" for name in names)


def format_line(line: Line, steps: int) -> str:
    by_source = "" if len(line.losses) < 2 else " (" + ", ".join(f"{n} {v:.3f}" for n, v in line.losses.items()) + ")"
    mfu = "" if line.mfu is None else f"  MFU {line.mfu:.1%}"
    return (
        f"step {line.step:,} of {steps:,}  loss {line.loss:.4f}{by_source}  norm {line.gradient_norm:.3f}  "
        f"lr {line.learning_rate:.2e}  {line.tokens_per_second:,.0f} tokens/s{mfu}  packed {line.packing:.1%}  "
        f"wait {line.data_wait:.1%}  {line.memory_gb:.1f} GB  {line.seconds_per_step:.2f} s/step"
    )


@contextmanager
def profiled(rules: ReportRules, step: int, output: Path, rank: int) -> Iterator[None]:
    """Around a step; within the window the profiler runs, and at its end writes a trace of each rank for Perfetto."""
    if rules.profile_from is None or not rules.profile_from <= step < rules.profile_from + rules.profile_steps:
        yield
        return
    import torch
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    with profile(activities=activities, record_shapes=True) as found:
        yield
    (output / "profile").mkdir(parents=True, exist_ok=True)
    found.export_chrome_trace(str(output / "profile" / f"step-{step:08d}-rank-{rank}.json.gz"))
