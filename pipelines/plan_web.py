"""A trial of web archives: the beginnings of some of them through the very run, in a temporary folder.

A page costs what it costs in the run, because it is one; only the questions to the pool, which leave no clock, are
asked once more of the rows at hand. What a run adds later to its steps is measured by the same means.
Left out on purpose: pictures in the parts of archives that were not read, whose documents may seem without any; what
only the whole pool shows (pictures that many documents share, copies of texts).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from classifiers.clip import ClipScorer
from configs.schema.web import WebConfig, without_clip
from pipelines.against import write_known
from pipelines.interleaved_web import check_installed
from pipelines.kinds import KINDS
from pipelines.ledger import samples_by_unit
from pipelines.makings import MAKINGS
from pipelines.plan_stages import Asked, Cost, Line, hold_rows, settle, timed, uses_accelerator, weigh_matches
from pipelines.plan_trial import Extent, Stages, Trial, choose_units, measure_extent, unit_size
from pipelines.run import make_site, run_graph, sum_seconds
from transforms.beam.scan_archives import INDEX, index_of
from transforms.beam.verbs import Site
from transforms.beam.write_shards import ShardRecord
from transforms.matching import Beside, Matcher, answer_units, pack_unit
from transforms.records import Sample, Unit, decode_sample
from transforms.repeated_pictures import SharedPictures
from transforms.rows import RowsRef, sidecar_uri, unit_name
from transforms.sidecars import read_records
from transforms.storage import storage_for
from transforms.text_duplicates import TextDuplicates
from transforms.unique_keys import UniqueKeys
from transforms.web_redirects import RedirectedPictures, follow_in_memory, hop_entry
from transforms.web_resources import CapturedPictures, pack_entries
from transforms.web_texts import measure_text

UNITS, BYTES, ROWS = 10, 32 << 20, 600
"""Units tried, bytes of all their beginnings, and rows of units that are cut by rows: some ten seconds of CPU."""


def run_web_trial(units: Sequence[Unit], cfg: WebConfig, staging: str, scorer: ClipScorer | None) -> Trial:
    """Without a scorer, because weights are missing, no step asks the model. Raises ModelError for a lost package."""
    cfg = without_clip(cfg) if scorer is None else cfg
    check_installed(cfg)
    site = make_site(f"{staging}/trial", cfg)
    chosen = choose_units([unit for unit in units if unit.limit], cfg.seed)[:UNITS]
    cut = [replace(_cut(unit, len(chosen), staging), index=index) for index, unit in enumerate(chosen)]
    measure_text("Language models and dictionaries load once a process, whatever it reads.", cfg.text)
    started = time.process_time()
    write_known(site.output, cfg)
    outcome = run_graph(cut, cfg, site)
    spent = time.process_time() - started
    rows = _without_ends(_rows(site), chosen, cut)
    extents = [_extent(*one) for one in zip(chosen, cut, rows, strict=True)]
    samples = [sample for found in rows for sample in found]
    seconds = sum_seconds([t.stages for t in outcome.tallies] + [{"write": s.seconds} for s in outcome.shards])
    costs = {name: Cost(len(samples), one["cpu_seconds"], one["wall_seconds"]) for name, one in seconds.items()}
    stages = _stages(site, cut, cfg, (samples, costs, outcome.shards))
    return Trial(samples, spent, stages._replace(accelerated=scorer is not None and uses_accelerator(scorer)), extents)


def _cut(unit: Unit, units: int, staging: str) -> Unit:
    """The beginning of an archive as a file of its own; of any other unit its first rows."""
    share = -(-BYTES // units)
    if unit.kind != "warc":
        return replace(unit, limit=ROWS // units + 1)
    if unit.size <= share:
        return unit
    path = Path(staging, f"{unit.index}-{unit.uri.rpartition('/')[2]}")
    path.write_bytes(storage_for(unit.uri).read(unit.uri, 0, share))
    return replace(unit, uri=str(path), size=share)


def _rows(site: Site) -> list[list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for unit, sample in samples_by_unit(site.output):
        found.setdefault(unit, []).append(sample)
    return [found.get(unit, []) for unit in range(max(found, default=-1) + 1)]


def _without_ends(rows: list[list[Sample]], chosen: list[Unit], cut: list[Unit]) -> list[list[Sample]]:
    """Without the record that we cut ourselves, which the archive holds whole."""
    rows = [*rows, *[[] for _ in chosen[len(rows) :]]]
    ours = [unit.uri != part.uri for unit, part in zip(chosen, cut, strict=True)]
    return [
        found[:-1] if mine and found and found[-1].failure and found[-1].failure.error == "WarcTruncated" else found
        for found, mine in zip(rows, ours, strict=True)
    ]


def _extent(unit: Unit, cut: Unit, rows: list[Sample]) -> Extent:
    if unit.kind == "warc":
        return Extent(unit.kind, len(rows), float(cut.size))
    return measure_extent(unit, rows, whole=len(rows) < cut.limit or unit_size(unit) == 1)


def _stages(
    site: Site, cut: list[Unit], cfg: WebConfig, ran: tuple[list[Sample], dict[str, Cost], list[ShardRecord]]
) -> Stages:
    samples, costs, shards = ran
    asked, seconds = ask_again(site, cut, cfg, samples)
    rows, none = max(len(samples), 1), Cost(0)
    visited = [name for name in MAKINGS["interleaved_web"].stages(cfg) if name not in ("scan", "kept")]
    kept = sum(shard.info.samples for shard in shards)
    settled = costs.get("settle", none)._replace(size=_size(site, "ledger") + _size(site, "work/kept"))
    # A unit of one row: what a unit costs, whatever it holds.
    _, one = settle(hold_rows(Site(f"{site.output}/one", "plan", "plan"), 0, samples[:1]), KINDS["interleaved_web"])
    return Stages(
        scan=Line(costs.get("scan", none).cpu / rows),
        scan_bytes=Line((_size(site, "work/scan") + _size(site, f"work/{INDEX}")) / rows),
        match=Line(seconds / rows),
        packing=weigh_matches(asked, _ref(site, cut[0])),
        settle=_line(settled.cpu, one.cpu, (rows, len(cut))),
        settle_bytes=_line(settled.size, one.size, (rows, len(cut))),
        write=costs.get("write", none)._replace(rows=kept, size=sum(shard.info.bytes for shard in shards)),
        model_name="passages",
        visits=tuple((name, costs.get(name, none)._replace(size=_size(site, f"work/{name}"))) for name in visited),
        matches=len(asked),
    )


def _line(all_units: float, one_unit: float, of: tuple[int, int]) -> Line:
    """`of` so many rows in so many units; a unit's own part is taken for what one of one row costs."""
    rows, units = of
    each = max(all_units - units * one_unit, 0.0) / max(rows - units, 1)
    return Line(each, max(one_unit - each, 0.0)) if each else Line(all_units / rows)


def ask_again(site: Site, units: list[Unit], cfg: WebConfig, samples: list[Sample]) -> tuple[list[Asked], float]:
    """Every question to the pool with what its answers weigh, and the CPU seconds of all of them, reading included."""
    by_unit, read = timed(lambda: {unit.index: list(_scanned(site, unit)) for unit in units}, 0)
    index = {unit.index: list(index_of(_ref(site, unit), site)) for unit in units}
    captures = {unit: [entry for entry, _ in found if entry] for unit, found in index.items()}
    hops = follow_in_memory({unit: [hop for _, hop in found if hop] for unit, found in index.items()}, cfg.read)
    redirects = {unit: list(map(hop_entry, found)) for unit, found in hops.items()}
    told = {0: [_before_texts(sample, place) for place, sample in enumerate(samples)]}
    asking: list[tuple[Matcher, dict[int, list[Sample]], dict[int, Any]]] = [
        (UniqueKeys(), by_unit, {}),
        (RedirectedPictures(), by_unit, redirects),
        (CapturedPictures(cfg.read), by_unit, captures),
        (SharedPictures(), told, {}),
    ]
    if cfg.duplicates.enabled:
        asking.append((TextDuplicates(cfg.duplicates), told, {}))
    found, seconds = list[Asked](), len(asking) * read.cpu
    for matcher, rows, entries in asking:
        one, cost = timed(lambda: _ask(matcher, rows, entries), 0)  # noqa: B023 - called before the next turn
        found.append(one)
        seconds += cost.cpu
    return found, seconds


def _ask(matcher: Matcher, rows: dict[int, list[Sample]], entries: dict[int, Any]) -> Asked:
    offered = [data for unit, some in entries.items() for _, data in pack_entries(unit, some, matcher.better, 1)]
    beside: Beside = getattr(matcher, "with_stars", lambda packed: [*packed, *offered])
    answers = answer_units({unit: pack_unit(unit, some, matcher, 1) for unit, some in rows.items()}, matcher, beside)
    weight = sum(len(msgspec.msgpack.encode(sorted(some.items()))) for some in answers.values())
    return Asked(matcher, [sample for some in rows.values() for sample in some], weight, sum(map(len, offered)))


def _scanned(site: Site, unit: Unit) -> Iterator[Sample]:
    yield from map(decode_sample, read_records(storage_for(site.output), sidecar_uri(site.output, "scan", unit)))


def _before_texts(sample: Sample, position: int) -> Sample:
    drop = None if sample.drop and sample.drop.rule == "document_duplicate" else sample.drop
    return replace(sample, drop=drop, position=position)


def _ref(site: Site, unit: Unit) -> RowsRef:
    return RowsRef(unit, sidecar_uri(site.output, "scan", unit), unit_name(unit))


def _size(site: Site, folder: str) -> int:
    return sum(path.stat().st_size for path in Path(site.output, folder).glob("*") if path.is_file())
