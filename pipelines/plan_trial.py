"""A trial of a pool: 100 of its rows through the real steps, rules and model, and what they say of all of it.

The rows come from the first rows of units in an order that a hash gives, so the same pool gives the same trial.
Left out on purpose: what only the whole pool shows (duplicates, boilerplate); nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from classifiers.clip import ClipScorer
from configs.schema.caption import CaptionConfig
from transforms.beam.scan import BATCH
from transforms.caption_pairs import apply_scores, ask_relevance, decide_again, mark_unsound, scan_steps
from transforms.fingerprints import chance
from transforms.loaded import Loaded, batched
from transforms.reading import read_input
from transforms.records import Sample, Span, Unit, encode_sample, pictures, texts
from transforms.shards import BLOCK
from transforms.storage import storage_for

ROWS = 100
UNITS = 10
"""Units that share the rows evenly; more are opened only where these have too few."""
ROW_FILES = 2.5
"""Bytes of sidecars and ledger for each byte of an encoded row. Measured on 884 caption pairs: 2.1 with 40 % kept."""


class Extent(NamedTuple):
    """How much of a unit a number of rows took: bytes, or rows where the unit is counted in rows (Parquet)."""

    kind: str
    rows: int
    size: float


class Trial(NamedTuple):
    samples: list[Sample]
    """With their fates under the config."""
    seconds: float
    """Wall seconds of reading, steps and rules, and of the model where one is asked, in one process."""
    model_seconds: float
    extents: list[Extent]


class Estimate(NamedTuple):
    rows: int
    kept: int
    seconds: float
    output_bytes: int
    work_bytes: int
    shards: int


def run_trial(units: Sequence[Unit], cfg: CaptionConfig, staging: str, scorer: ClipScorer | None) -> Trial:
    """Rows of `units` through the scan's steps, the rules, and `scorer` where relevance is on."""
    extents: list[Extent] = []
    samples: list[Sample] = []
    places: list[int] = []
    _warm_up(units, cfg, staging)
    model_seconds, started = 0.0, time.perf_counter()
    for unit in choose_units(units, cfg.seed):
        left = ROWS - len(samples)
        if left <= 0:
            break
        share = min(left, -(-ROWS // min(len(units), UNITS)))
        read: list[Sample] = []
        for batch in batched(islice(read_input(unit, cfg.read, staging), share), BATCH):
            measured = _measure(batch, cfg)
            scored, seconds = _score(measured, cfg, scorer)
            model_seconds += seconds
            read += scored
        extents.append(measure_extent(unit, read, whole=len(read) < share))
        samples += read
        places += [unit.index] * len(read)
    decided = decide_again(samples, places, cfg)
    return Trial(decided, time.perf_counter() - started, model_seconds, extents)


def choose_units(units: Sequence[Unit], seed: int) -> list[Unit]:
    """All units in the order of a hash, but one of each kind in front, so that no kind is unknown."""
    shuffled = sorted(units, key=lambda unit: chance(seed, f"{unit.uri}#{unit.part}", "plan"))
    first = {unit.kind: unit for unit in reversed(shuffled)}
    return [*(unit for unit in shuffled if first[unit.kind] is unit), *(u for u in shuffled if first[u.kind] is not u)]


def _warm_up(units: Sequence[Unit], cfg: CaptionConfig, staging: str) -> None:
    """One row untimed: dictionaries and language models load once a process, not once a row."""
    for unit in choose_units(units, cfg.seed)[:1]:
        _measure(list(islice(read_input(unit, cfg.read, staging), 1)), cfg)


def _measure(batch: list[Loaded], cfg: CaptionConfig) -> list[Loaded]:
    for step in scan_steps(cfg):
        batch = step(batch)
    return batch


def _score(batch: list[Loaded], cfg: CaptionConfig, scorer: ClipScorer | None) -> tuple[list[Sample], float]:
    marked = [mark_unsound(loaded.sample, cfg) for loaded in batch]
    asked = [
        (i, Loaded(sample, loaded.data, loaded.pixels))
        for i, (sample, loaded) in enumerate(zip(marked, batch, strict=True))
        if sample.alive and any(array is not None for array in loaded.pixels)
    ]
    if scorer is None or not asked:
        return marked, 0.0
    started = time.perf_counter()
    answers = scorer.predict([ask_relevance(loaded) for _, loaded in asked])
    for (i, loaded), answer in zip(asked, answers, strict=True):
        marked[i] = apply_scores(loaded.sample, (answer.scores, answer.truncated))
    return marked, time.perf_counter() - started


def measure_extent(unit: Unit, read: Sequence[Sample], *, whole: bool) -> Extent:
    """How much of its unit `read`, its first rows, took; all of it where they are the whole unit."""
    if whole or unit.kind == "parquet":
        return Extent(unit.kind, len(read) if whole else unit.end - unit.start, unit_size(unit))
    if unit.kind == "folder":
        lines = storage_for(unit.uri).read(unit.uri, unit.start, unit.end).count(b"\n")
        return Extent(unit.kind, max(lines, len(read)), unit_size(unit))
    return Extent(unit.kind, len(read), max((_end(sample) for sample in read), default=0))


def _end(sample: Sample) -> int:
    sources = [picture.source for picture in pictures(sample)]
    return max((source.end for source in sources if isinstance(source, Span)), default=0)


def unit_size(unit: Unit) -> float:
    """What `Extent.size` counts of the whole unit."""
    return float(unit.size if unit.kind == "tar" else unit.end - unit.start)


def estimate(trial: Trial, units: Sequence[Unit], cfg: CaptionConfig, limit: int | None, workers: int) -> Estimate:
    """The pool by proportion; an order of magnitude where the first rows of its units are not like the rest."""
    read = max(len(trial.samples), 1)
    rows = sum(_rows(units, trial.extents))
    rows = min(rows, limit) if limit is not None else rows
    kept_samples = [sample for sample in trial.samples if sample.alive]
    kept = round(rows * len(kept_samples) / read)
    mean = sum(map(_output_bytes, kept_samples)) / max(len(kept_samples), 1)
    row_bytes = sum(len(encode_sample(sample)) for sample in trial.samples) / read
    return Estimate(
        rows=rows,
        kept=kept,
        seconds=rows * trial.seconds / read / max(workers, 1),
        output_bytes=round(kept * mean),
        work_bytes=round(rows * row_bytes * ROW_FILES),
        shards=-(-kept // cfg.output.samples_per_shard),
    )


def _rows(units: Sequence[Unit], extents: Sequence[Extent]) -> Iterator[int]:
    for kind in sorted({unit.kind for unit in units}):
        seen = [extent for extent in extents if extent.kind == kind and extent.size]
        density = sum(extent.rows for extent in seen) / max(sum(extent.size for extent in seen), 1)
        yield round(density * sum(unit_size(unit) for unit in units if unit.kind == kind))


def _output_bytes(sample: Sample) -> int:
    """Members of a sample in a shard: files padded to blocks, a header each, and its JSON about as long as its row."""
    files = [int(picture.measures.get("bytes", 0)) for picture in pictures(sample)]
    files += [len(texts(sample)[0].value.encode()) if texts(sample) else 0, len(encode_sample(sample))]
    return sum(BLOCK + -(-size // BLOCK) * BLOCK for size in files)
