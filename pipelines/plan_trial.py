"""A trial of a pool: some hundred of its rows through every stage of a run, each timed, in a temporary folder.

The rows are the first ones of units that a hash chooses, so the same pool gives the same trial.
Left out on purpose: what only the whole pool shows (duplicates, boilerplate), and what the trial means for a run of
another size (pipelines/plan_costs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from classifiers.clip import ClipScorer
from configs.schema.caption import CaptionConfig
from pipelines.plan_stages import (
    Cost,
    Line,
    Packing,
    balance,
    hold_rows,
    line,
    match_all,
    score,
    settle,
    timed,
    uses_accelerator,
    weigh_packing,
    write,
)
from transforms.beam.scan import ScanUnit
from transforms.beam.verbs import Site
from transforms.caption_pairs import scan_reads, scan_steps
from transforms.fingerprints import chance
from transforms.reading import ARCHIVES
from transforms.records import Sample, Span, Unit, decode_sample, pictures
from transforms.sidecars import read_records
from transforms.storage import storage_for

ROWS, SCORED_ROWS = 600, 200
"""Rows tried without a model, and with one: about 2 s of 800 x 600 pictures, and 7 s of ViT-B-32 on one core."""
UNITS = 10
"""Units that share the rows evenly; more are opened only where these have too few."""
PARTS = 10
"""A stage is timed on all rows and on this part of them, to tell what a row costs from what a unit costs."""


class Extent(NamedTuple):
    """How much of a unit a number of rows took: bytes, or rows where the unit is counted in rows (Parquet)."""

    kind: str
    rows: int
    size: float


class Stages(NamedTuple):
    """Measured costs, CPU seconds and bytes written, by row and by unit."""

    scan: Line
    scan_bytes: Line
    match: Line
    packing: Packing
    settle: Line
    settle_bytes: Line
    write: Cost
    model: Cost = Cost(0)
    concepts: Cost = Cost(0)
    counts: int = 0
    """Bytes of the counts that a unit of the rows in `concepts` sends."""
    accelerated: bool = False
    """Whether the model ran on an accelerator."""
    model_name: str = "clip"
    visits: tuple[tuple[str, Cost], ...] = ()
    """Stages of documents that open pictures again, in their order."""
    matches: int = 3
    """Questions to the pool, each of which reads the rows."""


class Trial(NamedTuple):
    samples: list[Sample]
    """With their fates under the config."""
    seconds: float
    """CPU seconds of all stages, once over the rows."""
    stages: Stages
    extents: list[Extent]


def run_trial(units: Sequence[Unit], cfg: CaptionConfig, staging: str, scorer: ClipScorer | None) -> Trial:
    """Rows of `units` through every stage, `scorer` among them where relevance is on."""
    site = Site(f"{staging}/trial", "plan", "plan")
    scanned = scan_some(units, cfg, site, SCORED_ROWS if scorer else ROWS)
    samples = scanned.samples
    part = match_all(hold_rows(site, 1, samples[: max(1, len(samples) // PARTS)]), cfg)
    held = hold_rows(site, 0, samples)
    whole, matched = timed(lambda: match_all(held, cfg), len(samples))
    packing, model = weigh_packing(whole, cfg), Cost(0)
    if scorer is not None:
        part, _ = score(part, scorer, cfg)
        whole, model = score(whole, scorer, cfg)
    balanced, counts = Cost(0), 0
    if cfg.concepts.enabled:
        few_cfg = shrunk(cfg, len(samples) / max(sum(pool_rows(units, scanned.extents)), 1))
        part, _, _ = balance(part, few_cfg)
        whole, balanced, counts = balance(whole, few_cfg)
    _, few = settle(part)
    tally, many = settle(whole)
    written = write(whole, tally)
    stages = Stages(
        *(scanned.seconds, scanned.bytes, Line(matched.cpu / max(matched.rows, 1)), packing),
        *(line(few, many), line(few, many, "size"), written, model),
        concepts=balanced,
        counts=counts,
        accelerated=scorer is not None and uses_accelerator(scorer),
    )
    seconds = scanned.spent + matched.cpu + model.cpu + balanced.cpu + many.cpu + written.cpu
    return Trial(whole.samples(), seconds, stages, scanned.extents)


def shrunk(cfg: CaptionConfig, share: float) -> CaptionConfig:
    """The config whose t, or target, keeps of a `share` of the pool what the config keeps of the whole: the same p."""
    rules, least = cfg.concepts, min(share, 1.0)
    smaller = {"t": rules.t * least, "target": rules.target and max(1, round(rules.target * least))}
    return cfg.model_copy(update={"concepts": rules.model_copy(update=smaller)})


def pool_rows(units: Sequence[Unit], extents: Sequence[Extent]) -> Iterator[int]:
    """Rows of the units of each kind, by what its tried rows took of theirs."""
    for kind in sorted({unit.kind for unit in units}):
        seen = [extent for extent in extents if extent.kind == kind and extent.size]
        density = sum(extent.rows for extent in seen) / max(sum(extent.size for extent in seen), 1)
        yield round(density * sum(unit_size(unit) for unit in units if unit.kind == kind))


class Scanned(NamedTuple):
    samples: list[Sample]
    extents: list[Extent]
    seconds: Line
    bytes: Line
    spent: float


def scan_some(units: Sequence[Unit], cfg: CaptionConfig, site: Site, rows: int) -> Scanned:
    """The first rows of some units. A unit is opened for one row first: a tar is indexed before its first row comes."""
    samples: list[Sample] = []
    extents: list[Extent] = []
    firsts: list[Cost] = []
    shares: list[Cost] = []
    for unit in choose_units(units, cfg.seed):
        share = min(rows - len(samples), -(-rows // min(len(units), UNITS)))
        if share <= 0:
            break
        if not samples:
            scan_part(unit, 1, cfg, site)  # dictionaries and language models load once a process
        _, first = scan_part(unit, 1, cfg, site)
        read, cost = scan_part(unit, share, cfg, site)
        extents.append(measure_extent(unit, read, whole=len(read) < share))
        samples += read
        firsts.append(first)
        shares.append(cost)
    few, many = add_costs(firsts), add_costs(shares)
    seconds, size = line(few, many), line(few, many, "size")
    tried = max(len(shares), 1)
    fixed = Line(seconds.each, seconds.fixed / tried), Line(size.each, size.fixed / tried)
    return Scanned(samples, extents, *fixed, many.cpu)


def add_costs(costs: Iterable[Cost]) -> Cost:
    columns = [sum(column) for column in zip(*costs, strict=True)] or [0, 0.0, 0.0, 0]
    return Cost(int(columns[0]), columns[1], columns[2], int(columns[3]))


def scan_part(unit: Unit, share: int, cfg: CaptionConfig, site: Site) -> tuple[list[Sample], Cost]:
    share = share if unit.limit < 0 else min(share, unit.limit)
    scan, storage = ScanUnit(scan_steps(cfg), cfg.read, scan_reads(cfg), site), storage_for(site.output)
    ref, cost = timed(lambda: next(iter(scan.process(replace(unit, limit=share)))), 0)
    read = list(map(decode_sample, read_records(storage, ref.scan)))
    size = storage.stat(ref.scan).size
    # A limit is part of a scan's fingerprint; a unit cut in the same way twice would be taken over, untimed.
    storage.delete(ref.scan)
    return read, cost._replace(rows=len(read), size=size)


def choose_units(units: Sequence[Unit], seed: int) -> list[Unit]:
    """All units in the order of a hash, but one of each kind in front, so that no kind is unknown."""
    shuffled = sorted(units, key=lambda unit: chance(seed, f"{unit.uri}#{unit.part}", "plan"))
    first = {unit.kind: unit for unit in reversed(shuffled)}
    return [*(unit for unit in shuffled if first[unit.kind] is unit), *(u for u in shuffled if first[u.kind] is not u)]


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
    return float(unit.size if unit.kind in ("tar", *ARCHIVES.values()) else unit.end - unit.start) or 1.0
