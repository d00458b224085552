"""The stages of a run, called one by one without a runner on rows at hand: what each costs and what its files weigh.

They are the run's own DoFns and matchers, in the order of pipelines/caption.py. A stage is measured on all rows and on
a part of them, so that what a row costs and what a unit costs come apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace as replace_visit
from functools import partial
from typing import Any, NamedTuple

import msgspec

from classifiers.clip import ClipScorer
from configs.schema.caption import CaptionConfig
from pipelines.caption import score_relevance
from pipelines.kinds import KINDS, Kind
from transforms.beam.count_concepts import (
    CONCEPTS,
    MATCHES,
    BalanceConcepts,
    CountUnit,
    JudgeUnit,
    LimitUnit,
    MatchUnit,
    VocabularyFile,
    histogram_of,
    write_counts,
)
from transforms.beam.verbs import Site
from transforms.beam.visit import VisitUnit
from transforms.beam.write_ledger import SettleUnit, Tally, ledger_uri
from transforms.beam.write_shards import ShardRecord, WriteShard
from transforms.caption_pairs import (
    apply_scores,
    mark_concepts,
    mark_duplicates,
    mark_irrelevant,
    mark_near_duplicates,
    mark_unsound,
)
from transforms.concept_balance import solve_drawn
from transforms.concept_counts import unpack_counts
from transforms.concept_fates import LIMIT, apply_concepts, apply_limit
from transforms.duplicates import ExactDuplicates
from transforms.matching import Matcher, answer_units, count_witnesses, pack_unit
from transforms.near_duplicates import NearDuplicates, collapse_rows
from transforms.near_pairs import spread_hashes
from transforms.planning import Segment
from transforms.records import Sample, Unit, encode_sample
from transforms.rows import Check, Fold, Join, RowsRef, rows_of, sidecar_uri, with_answers
from transforms.shared_captions import SharedCaptions
from transforms.sidecars import create_sidecar
from transforms.storage import storage_for
from transforms.text_duplicates import TextDuplicates, spread_bands
from transforms.text_duplicates import collapse_rows as collapse_texts
from transforms.unique_keys import UniqueKeys

BUCKETS = 64
"""Match packs for one bucket and for so many, to tell what a row weighs from what an element weighs."""


class Line(NamedTuple):
    """What a stage costs: `each` a row and `fixed` a unit."""

    each: float = 0.0
    fixed: float = 0.0

    def at(self, rows: float, units: float) -> float:
        return self.each * rows + self.fixed * units


class Packing(NamedTuple):
    """What Match sends for a row whatever the buckets, and for each element it is cut into."""

    row_bytes: float
    element_bytes: float
    streams: int
    """Streams of elements: rows, and witnesses where the matcher counts any."""
    ref_bytes: int
    """Of a ref without answers."""
    answer_bytes: float
    """Of the answers in a ref, a row."""


class Cost(NamedTuple):
    """What one stage took for some rows. `wall` is what an accelerator would have been held for."""

    rows: int
    cpu: float = 0.0
    wall: float = 0.0
    size: int = 0
    """Bytes of the files it wrote."""


class Rows(NamedTuple):
    """Rows on their way through the stages, as the verbs see them."""

    site: Site
    ref: RowsRef
    fold: Fold = ()

    def samples(self) -> list[Sample]:
        return list(rows_of(self.ref, self.fold, storage_for(self.site.output)))


def timed(action: Callable[[], Any], rows: int) -> tuple[Any, Cost]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = action()
    return found, Cost(rows, time.process_time() - cpu, time.perf_counter() - wall)


def line(part: Cost, whole: Cost, value: str = "cpu") -> Line:
    """Through two measurements; from the larger alone where they are the same size or noise would make it fall."""
    few, many = float(getattr(part, value)), float(getattr(whole, value))
    if whole.rows == part.rows or many <= few:
        return Line(many / max(whole.rows, 1))
    each = (many - few) / (whole.rows - part.rows)
    return Line(each, max(few - each * part.rows, 0.0))


def hold_rows(site: Site, index: int, samples: Sequence[Sample]) -> Rows:
    """`samples` as the rows of one unit, in a scan's sidecar."""
    unit = Unit(index, f"trial-{index}", "tar")
    uri = sidecar_uri(site.output, "scan", unit)
    with create_sidecar(storage_for(site.output), uri, "trial") as sidecar:
        for position, sample in enumerate(samples):
            sidecar.append(encode_sample(msgspec.structs.replace(sample, position=position)))
        sidecar.totals = {"wall_seconds": 0.0, "cpu_seconds": 0.0}
    return Rows(site, RowsRef(unit, uri, "trial"))


def match_all(rows: Rows, cfg: CaptionConfig) -> Rows:
    """The questions to the pool, answered from these rows, and the rules between them."""
    rows = match(match(rows, UniqueKeys()), SharedCaptions())
    rows = rows._replace(fold=(*rows.fold, Check(partial(mark_unsound, cfg=cfg))))
    rows = match(rows, ExactDuplicates(cfg.duplicates))
    rows = rows._replace(fold=(*rows.fold, Check(partial(mark_duplicates, cfg=cfg))))
    if not cfg.near_duplicates.enabled:
        return rows
    rows = match(rows, NearDuplicates(cfg.near_duplicates))
    return rows._replace(fold=(*rows.fold, Check(partial(mark_near_duplicates, cfg=cfg))))


def matchers(cfg: CaptionConfig) -> list[Matcher]:
    near = [NearDuplicates(cfg.near_duplicates)] if cfg.near_duplicates.enabled else []
    return [UniqueKeys(), SharedCaptions(), ExactDuplicates(cfg.duplicates), *near]


def match(rows: Rows, matcher: Matcher) -> Rows:
    unit = rows.ref.unit.index
    beside = matcher.with_stars if isinstance(matcher, NearDuplicates) else list
    answers = answer_units({unit: pack_unit(unit, rows.samples(), matcher, 1)}, matcher, beside).get(unit, {})
    ref = with_answers(rows.ref, matcher.name, answers)
    return Rows(rows.site, ref, (*rows.fold, Join(matcher.name, matcher.apply)))


class Asked(NamedTuple):
    """A question to the pool, put to some rows."""

    matcher: Matcher
    samples: list[Sample]
    answers: int = 0
    """Bytes of all that the rows are told."""
    beside: int = 0
    """Bytes that meet the rows in their buckets and are of no row."""


def weigh_packing(rows: Rows, cfg: CaptionConfig) -> Packing:
    """Of all questions together: `rows` must have gone through them."""
    samples = rows.samples()
    asked = [Asked(matcher, samples) for matcher in matchers(cfg)]
    answers = sum(map(len, rows.ref.joins.values()))
    return weigh_matches([asked[0]._replace(answers=answers), *asked[1:]], rows.ref)


def weigh_matches(asked: Sequence[Asked], ref: RowsRef) -> Packing:
    """What the questions send; all are put to equally many rows. `ref` is one as it travels."""
    one, many, elements, streams = 0, 0, 0, 0
    for matcher, samples, _, beside in asked:
        for buckets in (1, BUCKETS):
            packed = pack_unit(0, samples, matcher, buckets)
            parts = [*packed.rows, *packed.witnesses]
            counts = [counted for _, batch in packed.witnesses for counted in count_witnesses([batch], 1)]
            size = sum(len(data) for _, data in [*parts, *counts]) + len(packed.followers) + beside
            size += _band_bytes(packed.rows, matcher)
            one, many = (one + size, many) if buckets == 1 else (one, many + size)
            elements += len(parts) if buckets > 1 else -len(parts)
        streams += 2 if matcher.counts_witnesses else 1
    each = (many - one) / max(elements, 1)
    count, bare = max(len(asked[0].samples), 1), len(msgspec.msgpack.encode(msgspec.structs.replace(ref, joins={})))
    answers = sum(question.answers for question in asked) / count
    return Packing((one - each * streams) / count, each, streams, bare, answers)


def _band_bytes(packed: Sequence[tuple[int, bytes]], matcher: Matcher) -> int:
    """What near hashes and texts send once more: the packed rows, and each to each of its bands, as in a pool of many
    units."""
    if isinstance(matcher, TextDuplicates):
        signatures = collapse_texts([batch for _, batch in packed], matcher)
        return sum(len(data) for _, data in [*packed, *spread_bands(signatures, matcher.rules, 1)])
    if not isinstance(matcher, NearDuplicates):
        return 0
    hashes = collapse_rows([batch for _, batch in packed], matcher)
    spread = spread_hashes(hashes, matcher.within.distance, 2 * (matcher.within.distance + 1))
    return sum(len(data) for _, data in [*packed, *spread])


def score(rows: Rows, scorer: ClipScorer, cfg: CaptionConfig) -> tuple[Rows, Cost]:
    """The rows with their scores; the cost is of the rows that were asked about, reading and decoding included."""
    asked = sum(sample.alive for sample in rows.samples())
    unit = VisitUnit(replace_visit(score_relevance(cfg), model=scorer), rows.site, rows.fold)
    unit.setup()
    ref, cost = timed(lambda: next(iter(unit.process(rows.ref))), asked)
    size = storage_for(rows.site.output).stat(sidecar_uri(rows.site.output, scorer.name, ref.unit)).size
    fold = (*rows.fold, Join(scorer.name, apply_scores), Check(partial(mark_irrelevant, cfg=cfg)))
    return Rows(rows.site, ref, fold), cost._replace(size=size)


def balance(rows: Rows, cfg: CaptionConfig) -> tuple[Rows, Cost, int]:
    """The rows with their concepts, what that cost, and the bytes of a unit's counts; loading is not timed."""
    rules = cfg.concepts
    verb = BalanceConcepts(VocabularyFile(rules.vocabulary, rules.padding), cfg.seed, rules.target)
    matching, counting = MatchUnit(verb, rows.site, rows.fold), CountUnit(verb, rows.site)
    judging = JudgeUnit(verb, rows.site)
    for step in (matching, counting, judging):
        step.setup()
    asked, storage = sum(sample.alive for sample in rows.samples()), storage_for(rows.site.output)
    ref, cost = timed(lambda: next(matching.process(rows.ref)), asked)
    packed, counted = timed(lambda: next(counting.process(ref)), asked)
    counts = write_counts(packed, rows.site)
    ref, judged = timed(lambda: next(judging.process(ref, counts)), asked)
    fold: Fold = (*rows.fold, Join(CONCEPTS, apply_concepts))
    if rules.target:
        t = solve_drawn(unpack_counts(histogram_of(ref, rows.site)), rules.target)
        ref, fold = next(LimitUnit(rows.site).process(ref, t)), (*fold, Join(LIMIT, apply_limit))
    names = (MATCHES, CONCEPTS, *((LIMIT,) if rules.target else ()))
    size = sum(storage.stat(sidecar_uri(rows.site.output, name, ref.unit)).size for name in names)
    cpu, wall = (sum(part) for part in zip(*((one.cpu, one.wall) for one in (cost, counted, judged)), strict=True))
    fold = (*fold, Check(partial(mark_concepts, cfg=cfg)))
    return Rows(rows.site, ref, fold), Cost(asked, cpu, wall, size), len(packed)


def uses_accelerator(scorer: ClipScorer) -> bool:
    """Whether a loaded scorer runs on anything but this machine's CPU, which is what its fingerprint names."""
    return not scorer.fingerprint().rpartition(":")[2].startswith("cpu/")


def settle(rows: Rows, kind: Kind = KINDS["caption"]) -> tuple[Tally, Cost]:
    """What became of the rows; the cost counts all of them, its size the ledger and the kept rows."""
    unit = SettleUnit(kind.report.measures, rows.site, rows.fold, (kind.tally, kind.is_document))
    encoded, cost = timed(lambda: next(iter(unit.process(rows.ref))), 0)
    tally = msgspec.json.decode(encoded, type=Tally)
    storage, ledger = storage_for(rows.site.output), ledger_uri(rows.site.output, rows.ref.unit.index)
    return tally, cost._replace(rows=tally.read, size=storage.stat(ledger).size + storage.stat(tally.rows).size)


def write(rows: Rows, tally: Tally) -> Cost:
    """One shard of all rows kept."""
    if not tally.kept:
        return Cost(0)
    unit, segment = WriteShard(rows.site), Segment(0, tally.unit, 0, tally.kept, tally.rows)
    encoded, cost = timed(lambda: next(iter(unit.process((0, [segment])))), tally.kept)
    return cost._replace(size=msgspec.json.decode(encoded, type=ShardRecord).info.bytes)
