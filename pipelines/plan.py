"""What a run would do and cost, tried on some of its rows: inputs, output, weights, disk, memory, time. Writes nothing.

Left out on purpose: anything that OUT would show; temporary files lie in the system's temporary folder and go.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import NamedTuple

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from pipelines.decisions import reasons
from pipelines.kinds import Config
from pipelines.plain_text import number, plain, show_text
from pipelines.plan_checks import (
    Finding,
    check_disk,
    check_inputs,
    check_memory,
    check_output,
    check_weights,
    hours_text,
    memory_text,
    peak_memory,
    size_text,
    time_text,
)
from pipelines.plan_costs import (
    START_SECONDS,
    WORKER_SECONDS,
    StageCost,
    Workload,
    memory_parts,
    pool_workload,
    resized,
    stage_costs,
    start_seconds,
    wall_seconds,
)
from pipelines.plan_kinds import planning_of
from pipelines.plan_trial import Trial
from pipelines.run import Request, making_of
from pipelines.tables import show
from transforms.beam.storage import register

STOPS = 2
UNKNOWN = "by proportion from the rows tried: "


def plan(request: Request, samples: int | None = None, parallelism: int | None = None) -> int:
    """Prints the plan; 0 where a run can start, 2 where it would stop. Raises ConfigError for the inputs.

    Costs are those of `samples` such samples, the whole pool's where None, on `parallelism` workers.
    """
    register()
    cfg, planning, making = request.cfg, planning_of(request.cfg), making_of(request.cfg)
    with TemporaryDirectory(prefix="beamsift-plan-") as staging:
        units = making.list_units(request.inputs, cfg)
        if request.limit is not None:
            units = making.limit_units(units, request.limit, cfg, staging)
        scorer, weights = check_weights(planning.model(cfg))
        findings = [*check_inputs(units), *planning.before(cfg)]
        findings += [*check_output(request.output, (cfg, planning.reads(cfg)), units), *weights]
        trial = planning.try_rows(units, cfg, staging, scorer)
    local = worker_count(request.beam_arguments)
    pool = forecast(trial, pool_workload(trial, units, cfg, request.limit), cfg, local)
    load = pool.load if samples is None else resized(pool.load, samples, cfg)
    asked = forecast(trial, load, cfg, parallelism or local)
    findings += planning.after(cfg, pool.load.kept)
    findings += [*check_disk(request.output, pool.costs), *check_memory(pool.memory, local)]
    print_plan(request, findings, trial, (pool, asked))
    return STOPS if any(finding.stops for finding in findings) else 0


class Forecast(NamedTuple):
    load: Workload
    costs: list[StageCost]
    memory: dict[str, int]
    """Of one worker, by what takes it."""
    workers: int


def forecast(trial: Trial, load: Workload, cfg: Config, workers: int) -> Forecast:
    return Forecast(load, stage_costs(trial, load), memory_parts(trial, load, cfg, peak_memory()), workers)


def worker_count(beam_arguments: Sequence[str]) -> int:
    """Workers of the in-process runner; 1 where another runner decides for itself."""
    asked = int(PipelineOptions(list(beam_arguments)).view_as(DirectOptions).direct_num_workers)
    return asked or os.cpu_count() or 1


def print_plan(request: Request, findings: Sequence[Finding], trial: Trial, told: tuple[Forecast, Forecast]) -> None:
    pool, asked = told
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for finding in [*findings, *run_findings(request), *trial_findings(trial, pool)]:
        text = Text(plain(finding.text, 2000), "bold red" if finding.stops else "")
        table.add_row(Text(finding.name), text)
    show(table)
    show(cost_table(asked))
    unknown = f"{UNKNOWN}{planning_of(request.cfg).unknown}"
    show_text(f"{asked.load.shards:,} shards; {memory_text(asked.memory)} for each of {asked.workers:,}; {unknown}")
    show(funnel(trial))
    stops = [finding.name for finding in findings if finding.stops]
    show_text(f"a run would stop: {', '.join(stops)}" if stops else "a run can start")


def run_findings(request: Request) -> Iterator[Finding]:
    runner = PipelineOptions(list(request.beam_arguments)).view_as(StandardOptions).runner
    workers = worker_count(request.beam_arguments)
    mode = "in this process" if workers == 1 else f"{workers} processes"
    yield Finding("steps", " → ".join(planning_of(request.cfg).steps(request.cfg)))
    yield Finding("runner", runner or f"Beam in-process, {mode}")


def trial_findings(trial: Trial, guess: Forecast) -> Iterator[Finding]:
    rows, load, visits = len(trial.samples), guess.load, dict(trial.stages.visits)
    model = visits.get(trial.stages.model_name, trial.stages.model)
    scored = f", {model.cpu:.2f} s of it the model" if model.rows else ""
    speed = rows / trial.seconds if trial.seconds else 0.0
    text = f"{rows} rows of {len(trial.extents)} units in {trial.seconds:.2f} CPU s{scored}: {speed:,.0f} samples/s"
    yield Finding("tried", text)
    wall = time_text(wall_seconds(guess.costs, guess.workers))
    text = (
        f"about {load.rows:,} rows in {wall} on {_workers(guess.workers)}; {load.kept:,} kept in {load.shards:,} shards"
    )
    yield Finding("the pool", f"{text}, {size_text(guess.costs[-1].written)}")


def cost_table(asked: Forecast) -> Table:
    """A line a stage, and their sum."""
    title = Text(f"what {asked.load.rows:,} samples in {asked.load.units:,} units cost {_workers(asked.workers)}")
    table = Table("stage", title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("tasks", "CPU h", "GPU h", "read", "written", "shuffled", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for cost in asked.costs:
        table.add_row(cost.name, number(cost.tasks), *_amounts(cost), time_text(cost.wall(asked.workers)))
    start = StageCost("start", 1, START_SECONDS + WORKER_SECONDS * asked.workers * (asked.workers > 1))
    table.add_row(start.name, "", hours_text(start.cpu), "", "", "", "", time_text(start_seconds(asked.workers)))
    total = StageCost("all", 0, *map(sum, list(zip(*asked.costs, start, strict=True))[2:]))
    table.add_row("all", "", *_amounts(total), time_text(wall_seconds(asked.costs, asked.workers)), style="bold")
    return table


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count:,} workers"


def _amounts(cost: StageCost) -> list[str]:
    held = hours_text(cost.held) if cost.held else ""
    return [hours_text(cost.cpu), held, *map(size_text, (cost.read, cost.written, cost.shuffled))]


def funnel(trial: Trial) -> Table:
    title = Text(f"the {len(trial.samples)} rows that were tried")
    table = Table("fate", "reason", title=title, title_justify="left")
    table.add_column("samples", justify="right")
    fates = Counter(zip((sample.fate for sample in trial.samples), reasons(trial.samples), strict=True))
    for (fate, why), count in sorted(fates.items()):
        table.add_row(Text(fate), Text(plain(why)), number(count))
    return table
