"""The caption pipeline without a model: against the plain loop, over workers, memory and time as the pool grows."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.corpus import make_pool
from tests.benchmarks.measured import Measured, measure_command

PICTURES = (1_000, 4_000, 16_000)
RUN = ("-m", "pipelines.cli", "run", "caption", "--set", "relevance.enabled=false")


def run_pipeline(folder: Path, paths: list[str], workers: int) -> Measured:
    out = folder / "pipeline"
    shutil.rmtree(out, ignore_errors=True)
    return measure_command([*RUN, "--input", *paths, "--output", str(out), f"--direct_num_workers={workers}"])


def run_plain(folder: Path, paths: list[str]) -> Measured:
    out = folder / "plain"
    shutil.rmtree(out, ignore_errors=True)
    return measure_command(["-m", "tests.benchmarks.plain_loop", str(out), *paths])


def bench(folder: Path) -> list[tuple[str, str]]:
    pools = {count: make_pool(folder, count) for count in PICTURES}
    ones = {count: run_pipeline(folder, pools[count], 1) for count in PICTURES}
    small, largest = PICTURES[0], PICTURES[-1]
    one, plain, two = ones[largest], run_plain(folder, pools[largest]), run_pipeline(folder, pools[largest], 2)
    tenth = run_pipeline(folder, make_pool(folder, largest // 10), 1)
    per = {count: 1e3 * (ones[count].cpu - ones[small].cpu) / (count - small) for count in PICTURES[1:]}
    return [
        (f"a. one worker / plain loop, wall, {largest:,} pictures", ratio(one.wall, plain.wall, "s")),
        ("a. the same, CPU", ratio(one.cpu, plain.cpu, "s")),
        (f"b. one worker / two workers, wall, {largest:,} pictures", ratio(one.wall, two.wall, "s")),
        (f"c. peak memory, {largest:,} / {largest // 10:,} pictures", ratio(one.peak / 1e6, tenth.peak / 1e6, "MB")),
        ("f. CPU seconds", ", ".join(f"{ones[count].cpu:.1f} at {count:,}" for count in PICTURES)),
        ("f. CPU ms for each further picture", ", ".join(f"{ms:.3f} up to {count:,}" for count, ms in per.items())),
        ("f. the two slopes", ratio(per[largest], per[PICTURES[1]], "ms")),
    ]


def ratio(ours: float, theirs: float, unit: str) -> str:
    return f"{ours:.2f} {unit} / {theirs:.2f} {unit} = {ours / theirs:.3f}"
