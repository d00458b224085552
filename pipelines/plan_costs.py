"""What a run of N samples would cost, stage by stage, from what a trial of its pool measured.

Bytes are those of files and of packed elements; seconds are CPU seconds of one process. Constants that no trial can
measure stand here with their source. Left out on purpose: network, what a store charges, a runner's own overhead
beyond an element's price, and duplicates and boilerplate that only the whole pool shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipelines.kinds import Config
from pipelines.plan_trial import Trial, pool_rows
from transforms.beam.write_ledger import ROWS_PER_GROUP
from transforms.matching import bucket_count
from transforms.records import Picture, Sample, Unit, encode_sample, is_shown, pictures, texts

START_SECONDS = 4.0
"""CPU of a command beside its rows: imports, graph, report, data card (tests/benchmarks/RESULTS.md, b)."""
WORKER_SECONDS = 3.0
"""CPU until a further worker process has imported Beam (RESULTS.md, b)."""
ELEMENT_SECONDS = 15e-6
"""CPU of one element through a GroupByKey on Beam 2.77's in-process runner (ARCHITECTURE.md, Match)."""
BUCKET_ROW_BYTES = 250
"""Memory of a bucket's row while it is resolved, packed bytes included (RESULTS.md, decide stages: 162 to 243)."""
GROUP_ROW_BYTES = 7_000
"""Memory of a row while the ledger writes its row group (RESULTS.md, decide stages: 6,060)."""
RUNNER_BYTES = 70 << 20
"""Memory of a run beside what the trial touches: runner and report (405 MiB for 4,800 rows, 336 in their trial)."""
SEGMENT_BYTES = 150
"""An encoded Segment, its URI of kept rows included."""


class Workload(NamedTuple):
    """How large a run is. `inputs` are bytes of the pool."""

    rows: int
    units: int
    inputs: int
    kept: int
    shards: int


class StageCost(NamedTuple):
    name: str
    tasks: int
    """What a runner can spread: units, buckets or shards."""
    cpu: float
    held: float = 0.0
    """Seconds that an accelerator is held; 0 where the stage asks for none."""
    read: float = 0.0
    written: float = 0.0
    shuffled: float = 0.0

    def wall(self, workers: int) -> float:
        """Tasks of equal size, so many at a time."""
        return math.ceil(self.tasks / workers) * max(self.cpu, self.held) / max(self.tasks, 1)


def pool_workload(trial: Trial, units: Sequence[Unit], cfg: Config, limit: int | None) -> Workload:
    """The pool by proportion; an order of magnitude where the first rows of its units are not like the rest."""
    rows = sum(pool_rows(units, trial.extents))
    inputs = sum({unit.uri: unit.size for unit in units}.values())
    whole = _workload(trial, cfg, rows, len(units), inputs)
    return whole if limit is None or rows <= limit else resized(whole, limit, cfg)


def resized(pool: Workload, rows: int, cfg: Config) -> Workload:
    """As many samples of the same kind, in units of the same size."""
    factor = rows / max(pool.rows, 1)
    kept = round(pool.kept * factor)
    units = max(1, round(pool.units * factor))
    return Workload(rows, units, round(pool.inputs * factor), kept, -(-kept // cfg.output.samples_per_shard))


def _workload(trial: Trial, cfg: Config, rows: int, units: int, inputs: int) -> Workload:
    kept = round(rows * sum(sample.alive for sample in trial.samples) / max(len(trial.samples), 1))
    return Workload(rows, units, inputs, kept, -(-kept // cfg.output.samples_per_shard))


def stage_costs(trial: Trial, load: Workload) -> list[StageCost]:
    """In the order of a run."""
    stages, rows, units = trial.stages, load.rows, load.units
    scanned = stages.scan_bytes.at(rows, units)
    asked = rows * stages.model.rows / max(len(trial.samples), 1)
    scores = asked * stages.model.size / max(stages.model.rows, 1)
    picture = _mean(_picture_bytes(sample, is_shown) for sample in trial.samples if sample.alive)
    visited = sum(one.size / max(one.rows, 1) for _, one in stages.visits) * rows
    found = [
        StageCost("scan", units, stages.scan.at(rows, units), read=load.inputs, written=scanned),
        _match_cost(trial, load, scanned),
        StageCost(
            "settle",
            units,
            stages.settle.at(rows, units),
            read=scanned + scores + visited,
            written=stages.settle_bytes.at(rows, units),
        ),
        _write_cost(trial, load, picture),
    ]
    if stages.model.rows:
        shown = _mean(_picture_bytes(sample) for sample in trial.samples if _was_scored(sample))
        each, reads = stages.model, scanned + asked * shown
        held = asked * each.wall / each.rows if stages.accelerated else 0.0
        found.insert(2, StageCost("clip", units, asked * each.cpu / each.rows, held, reads, scores))
    if stages.concepts.rows:
        found.insert(len(found) - 2, _concepts_cost(trial, load, scanned + scores))
    if stages.visits:
        found[2:2] = _visit_costs(trial, load, scanned)
    return found


def _visit_costs(trial: Trial, load: Workload, scanned: float) -> Iterator[StageCost]:
    """Stages that open pictures again, each of whose sidecars the next ones read as well."""
    looked = _mean(_picture_bytes(sample) for sample in trial.samples)
    for name, one in trial.stages.visits:
        share = load.rows / max(one.rows, 1)
        held = share * one.wall if trial.stages.accelerated and name == trial.stages.model_name else 0.0
        read = scanned + load.rows * looked
        yield StageCost(name, load.units, share * one.cpu, held, read=read, written=share * one.size)
        scanned += share * one.size


def _concepts_cost(trial: Trial, load: Workload, read: float) -> StageCost:
    """Matches, answers, and a vector of counts from each unit, once before and twice as long after the balance."""
    one, asked = trial.stages.concepts, load.rows * trial.stages.concepts.rows / max(len(trial.samples), 1)
    written = asked * one.size / one.rows
    counts = trial.stages.counts / one.rows * asked
    return StageCost("concepts", load.units, asked * one.cpu / one.rows, 0.0, read + 3 * written, written, 3 * counts)


def _match_cost(trial: Trial, load: Workload, scanned: float) -> StageCost:
    packing, buckets = trial.stages.packing, bucket_count(load.units)
    # So many of the buckets get a row of a unit whose keys fall where chance has it.
    filled = buckets * -math.expm1(load.rows / max(load.units, 1) * math.log1p(-1 / buckets))
    elements = load.units * packing.streams * filled
    answers = 2 * packing.answer_bytes * load.rows  # from the buckets, and then in the refs
    shuffled = packing.row_bytes * load.rows + packing.element_bytes * elements + answers
    shuffled += 3 * packing.ref_bytes * load.units
    cpu = trial.stages.match.at(load.rows, load.units) + ELEMENT_SECONDS * elements
    return StageCost("match", load.units, cpu, read=trial.stages.matches * scanned, shuffled=shuffled)


def _write_cost(trial: Trial, load: Workload, picture: float) -> StageCost:
    written = trial.stages.write
    row = _mean(len(encode_sample(sample)) for sample in trial.samples if sample.alive)
    return StageCost(
        "write",
        load.shards,
        load.kept * written.cpu / max(written.rows, 1),
        read=load.kept * (picture + row),
        written=load.kept * written.size / max(written.rows, 1),
        shuffled=SEGMENT_BYTES * (load.units + load.shards),
    )


def _picture_bytes(sample: Sample, of: Callable[[Picture], bool] = bool) -> int:
    return sum(int(picture.measures.get("bytes", 0)) for picture in pictures(sample) if of(picture))


def _was_scored(sample: Sample) -> bool:
    return any("clip_score" in text.measures for text in texts(sample))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(len(listed), 1)


def memory_parts(trial: Trial, load: Workload, cfg: Config, peak: int) -> dict[str, int]:
    """A worker's memory: what the trial's process reached, and the largest of three that come one at a time."""
    row = _mean(len(encode_sample(sample)) for sample in trial.samples)
    later = {
        "a bucket": BUCKET_ROW_BYTES * load.rows / bucket_count(load.units),
        "a ledger's row group": max(GROUP_ROW_BYTES, 3 * row) * min(ROWS_PER_GROUP, load.rows / max(load.units, 1)),
        "a shard's rows": row * min(cfg.output.samples_per_shard, load.kept),
    }
    largest = max(later, key=lambda name: later[name])
    return {"code, model and batches": peak, "runner and report": RUNNER_BYTES, largest: round(later[largest])}


def start_seconds(workers: int) -> float:
    return START_SECONDS + WORKER_SECONDS * (workers > 1)


def wall_seconds(stages: Sequence[StageCost], workers: int) -> float:
    """Stages one after the other, as the shuffles between them have it."""
    return start_seconds(workers) + sum(stage.wall(workers) for stage in stages)
