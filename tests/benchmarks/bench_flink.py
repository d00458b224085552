"""The caption pipeline on two Python workers: a standalone Flink against the in-process runner, start-up set apart.

`python -m tests.benchmarks flink`; Flink is fetched into out/flink, as `make flink-test` does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.bench_caption import RUN, ratio
from tests.benchmarks.corpus import make_pool
from tests.benchmarks.measured import Measured, measure_command
from tests.faults.worker_pool import worker_pool
from tests.flink.cluster import flink_options, standalone
from tests.flink.distribution import fetch

PICTURES = 16_000
STARTED = 100
"""Pictures of the run that measures little but the start-up."""
LOCAL = ("--direct_num_workers=2",)


def bench(folder: Path) -> list[tuple[str, str]]:
    few, many = make_pool(folder, STARTED), make_pool(folder, PICTURES)
    local = [_run(folder, pool, LOCAL) for pool in (few, many)]
    distribution = fetch(folder.parent / "flink")
    shutil.rmtree(folder / "cluster", ignore_errors=True)
    (folder / "cluster").mkdir()
    with standalone(distribution, folder / "cluster") as cluster, worker_pool() as workers:
        options = flink_options(distribution, f"localhost:{cluster.rest}", workers, 2)
        flink = [_run(folder, pool, options) for pool in (few, many)]
    rates = [(PICTURES - STARTED) / (runs[1].wall - runs[0].wall) for runs in (flink, local)]
    return [
        (f"Flink / in-process, two workers each, {PICTURES:,} pictures, after start-up", ratio(*rates, "pictures/s")),
        ("the same, whole commands", ratio(flink[1].wall, local[1].wall, "s")),
        (f"start-up, the run of {STARTED} pictures, Flink / in-process", ratio(flink[0].wall, local[0].wall, "s")),
    ]


def _run(folder: Path, pool: list[str], options: list[str] | tuple[str, ...]) -> Measured:
    out = folder / "pipeline"
    shutil.rmtree(out, ignore_errors=True)
    return measure_command([*RUN, "--input", *pool, "--output", str(out), *options])
