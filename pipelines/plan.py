"""What a run would do, tried on 100 rows: config, inputs, output, weights, disk, memory and time. Writes nothing.

Left out on purpose: anything that OUT would show; temporary files lie in the system's temporary folder and go.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from rich.table import Table
from rich.text import Text

from pipelines.decisions import reasons
from pipelines.plain_text import number, plain, show_text
from pipelines.plan_checks import (
    Finding,
    check_disk,
    check_inputs,
    check_memory,
    check_output,
    check_weights,
    size_text,
    time_text,
)
from pipelines.plan_trial import Estimate, Trial, estimate, run_trial
from pipelines.run import Request
from pipelines.tables import show
from transforms.beam.storage import register
from transforms.reading import limit_units, list_units

STOPS = 2


def plan(request: Request) -> int:
    """Prints the plan; 0 where a run can start, 2 where it would stop. Raises ConfigError for the inputs."""
    register()
    with TemporaryDirectory(prefix="beamsift-plan-") as staging:
        units = list_units(list(request.inputs), request.cfg.read)
        if request.limit is not None:
            units = limit_units(units, request.limit, request.cfg.read, staging)
        scorer, weights = check_weights(request.cfg.relevance)
        findings = [*check_inputs(units), *check_output(request.output, request.cfg, units), *weights]
        trial = run_trial(units, request.cfg, staging, scorer)
    workers = worker_count(request.beam_arguments)
    guess = estimate(trial, units, request.cfg, request.limit, workers)
    findings += [*check_disk(request.output, guess), *check_memory(workers)]
    print_plan(request, findings, trial, guess)
    return STOPS if any(finding.stops for finding in findings) else 0


def worker_count(beam_arguments: Sequence[str]) -> int:
    """Workers of the in-process runner; 1 where another runner decides for itself."""
    asked = int(PipelineOptions(list(beam_arguments)).view_as(DirectOptions).direct_num_workers)
    return asked or os.cpu_count() or 1


def print_plan(request: Request, findings: Sequence[Finding], trial: Trial, guess: Estimate) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for finding in [*findings, *run_findings(request), *trial_findings(trial, guess)]:
        text = Text(plain(finding.text, 2000), "bold red" if finding.stops else "")
        table.add_row(Text(finding.name), text)
    show(table)
    show(funnel(trial))
    stops = [finding.name for finding in findings if finding.stops]
    show_text(f"a run would stop: {', '.join(stops)}" if stops else "a run can start")


def run_findings(request: Request) -> Iterator[Finding]:
    steps = ["scan", "unique keys", "shared captions", "picture and caption rules", "duplicates"]
    steps += ["relevance"] if request.cfg.relevance.enabled else []
    runner = PipelineOptions(list(request.beam_arguments)).view_as(StandardOptions).runner
    workers = worker_count(request.beam_arguments)
    mode = "in this process" if workers == 1 else f"{workers} processes"
    yield Finding("steps", " → ".join([*steps, "ledger", "shards"]))
    yield Finding("runner", runner or f"Beam in-process, {mode}")


def trial_findings(trial: Trial, guess: Estimate) -> Iterator[Finding]:
    rows = len(trial.samples)
    model = f", {trial.model_seconds:.2f} s of it the model" if trial.model_seconds else ""
    speed = rows / trial.seconds if trial.seconds else 0.0
    yield Finding(
        "tried", f"{rows} rows of {len(trial.extents)} units in {trial.seconds:.2f} s{model}: {speed:,.0f} samples/s"
    )
    text = f"about {guess.rows:,} rows in {time_text(guess.seconds)}; {guess.kept:,} kept in {guess.shards:,} shards"
    yield Finding(
        "the pool", f"{text}, {size_text(guess.output_bytes)}; before duplicates and boilerplate of the whole pool"
    )


def funnel(trial: Trial) -> Table:
    title = Text(f"the {len(trial.samples)} rows that were tried")
    table = Table("fate", "reason", title=title, title_justify="left")
    table.add_column("samples", justify="right")
    fates = Counter(zip((sample.fate for sample in trial.samples), reasons(trial.samples), strict=True))
    for (fate, why), count in sorted(fates.items()):
        table.add_row(Text(fate), Text(plain(why)), number(count))
    return table
