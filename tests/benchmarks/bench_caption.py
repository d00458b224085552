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
    ones = {count: run_pipeline(folder, paths, 1) for count, paths in pools.items()}
    largest = PICTURES[-1]
    plain, two = run_plain(folder, pools[largest]), run_pipeline(folder, pools[largest], 2)
    one = ones[largest]
    per = {count: (ones[count].cpu - ones[PICTURES[0]].cpu) / (count - PICTURES[0]) for count in PICTURES[1:]}
    low, high = min(per.values()), max(per.values())
    tenth = run_pipeline(folder, make_pool(folder, largest // 10), 1)
    return [
        (f"a. one worker / plain loop, wall, {largest:,} pictures", f"{one.wall:.1f} s / {plain.wall:.1f} s = {one.wall / plain.wall:.3f}"),
        ("a. the same, CPU", f"{one.cpu:.1f} s / {plain.cpu:.1f} s = {one.cpu / plain.cpu:.3f}"),
        (f"b. one worker / two workers, wall, {largest:,} pictures", f"{one.wall:.1f} s / {two.wall:.1f} s = {one.wall / two.wall:.2f}"),
        (f"c. peak memory, {largest:,} / {largest // 10:,} pictures", f"{one.peak / 1e6:.0f} MB / {tenth.peak / 1e6:.0f} MB = {one.peak / tenth.peak:.2f}"),
        ("f. CPU seconds at " + ", ".join(f"{c:,}" for c in PICTURES), ", ".join(f"{ones[c].cpu:.1f}" for c in PICTURES)),
        ("f. CPU ms for each further picture", ", ".join(f"{1e3 * v:.3f} to {c:,}" for c, v in per.items()) + f" (spread {high / low - 1:.1%})"),
    ]
