"""BalanceConcepts: counts the vocabulary over all captions still open, and tells each of them from which t on it stays.

Matched ids lie in a sidecar a unit; one dense vector of counts is added up over the pool and written once; what goes
on to the refs is the URI of that file, then the URI of a sidecar with the answers. Rows do not travel, and `t` is no
part of it: another t is another Check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam
import msgspec
import numpy as np
from apache_beam.pvalue import AsSingleton, PCollection
from apache_beam.utils.shared import Shared

from transforms.beam.storage import register
from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.concept_balance import Balance, histogram, solve_drawn
from transforms.concept_counts import add_counts, pack_counts, unpack_counts
from transforms.concept_fates import LIMIT, Told, answers_of, apply_concepts, apply_limit, open_captions
from transforms.concepts import Concepts, Matches, Padding, count_entries, load_concepts
from transforms.fingerprints import fingerprint
from transforms.rows import Fold, Join, RowsRef, joined_sidecars, rows_of, sidecar_uri, with_sidecar
from transforms.sidecars import Clock, SidecarWriter, create_sidecar, read_records, read_totals
from transforms.storage import join
from transforms.vocabulary import VocabularyError

MATCHES, CONCEPTS, COUNTS = "concept_matches", "concepts", "concept_counts"
CAPTIONS_PER_BATCH = 4096
FANOUT = 16
"""Accumulators, 4 MB for 500,000 entries and one a bundle, are added up by this many workers before the last one."""


@dataclass(frozen=True)
class VocabularyFile:
    """A vocabulary that all verbs given this one object load once a process.

    With a `sha256` a worker refuses other content: counts of two vocabularies would add up to nonsense.
    """

    uri: str
    padding: Padding
    sha256: str = ""
    shared: Shared = field(default_factory=Shared)

    def load(self) -> Concepts:
        register()
        concepts = self.shared.acquire(partial(load_concepts, self.uri, self.padding))
        found = concepts.vocabulary.sha256
        if self.sha256 not in ("", found):
            raise VocabularyError(
                f"{self.uri}: expected the content {self.sha256}, with which the run began, found {found}"
            )
        return concepts


@dataclass(frozen=True)
class BalanceConcepts(Labelled):
    """With a `target` above 0 the t is solved that keeps so many rows."""

    vocabulary: VocabularyFile
    seed: int
    target: int = 0

    def extend(self, rows: Rows) -> Rows:
        label = self.label
        matching = beam.ParDo(MatchUnit(self, rows.site, rows.fold)).with_output_types(RowsRef)
        matched = rows.refs | f"{label}Match" >> matching
        counts = (
            matched
            | f"{label}Count" >> beam.ParDo(CountUnit(self, rows.site)).with_output_types(bytes)
            | f"{label}Add" >> beam.CombineGlobally(AddVectors()).with_fanout(FANOUT)
            | f"{label}Write" >> beam.Map(write_counts, site=rows.site).with_output_types(tuple[str, str])
        )
        judging = beam.ParDo(JudgeUnit(self, rows.site), counts=AsSingleton(counts)).with_output_types(RowsRef)
        refs = matched | f"{label}Judge" >> judging
        fold = (*rows.fold, Join(CONCEPTS, apply_concepts))
        if self.target:
            refs, fold = self._solve(refs, rows.site), (*fold, Join(LIMIT, apply_limit))
        return replace(rows, refs=refs, fold=fold)

    def _solve(self, refs: PCollection, site: Site) -> PCollection:
        solved = (
            refs
            | f"{self.label}Histogram" >> beam.Map(histogram_of, site=site).with_output_types(bytes)
            | f"{self.label}AddHistograms" >> beam.CombineGlobally(AddVectors())
            | f"{self.label}Solve" >> beam.Map(_solved, target=self.target, site=site).with_output_types(float)
        )
        limiting = beam.ParDo(LimitUnit(site), t=AsSingleton(solved)).with_output_types(RowsRef)
        return refs | f"{self.label}Limit" >> limiting


class Matched(NamedTuple):
    """One row's record in the sidecar of matches: the ids that each of its open captions names, packed int32."""

    position: int
    key: str
    ids: list[bytes]


class VocabularyFn(beam.DoFn):
    def __init__(self, verb: Any, site: Site) -> None:
        self._verb, self._site = verb, site

    def setup(self) -> None:
        self._concepts: Concepts = self._verb.vocabulary.load()


class MatchUnit(VocabularyFn):
    def __init__(self, verb: BalanceConcepts, site: Site, fold: Fold) -> None:
        super().__init__(verb, site)
        self._fold = fold

    def process(self, ref: RowsRef) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        rows = ((sample, open_captions(sample)) for sample in rows_of(ref, self._fold, storage))
        asked = [(sample.position, sample.key, captions) for sample, captions in rows if captions]
        made_by = fingerprint(ref.made_by, self._concepts.vocabulary.sha256, self._concepts.padding, asked)
        uri = sidecar_uri(self._site.output, MATCHES, ref.unit)
        if read_totals(storage, uri, made_by) is None:
            with create_sidecar(storage, uri, made_by) as sidecar:
                self._match_into(sidecar, asked)
        yield with_sidecar(ref, MATCHES, uri, made_by)

    def _match_into(self, sidecar: SidecarWriter, asked: list[tuple[int, str, list[str]]]) -> None:
        clock = Clock()
        for start in range(0, len(asked), CAPTIONS_PER_BATCH):
            batch = asked[start : start + CAPTIONS_PER_BATCH]
            matches = self._concepts.match([caption for _, _, captions in batch for caption in captions])
            number = 0
            for position, key, captions in batch:
                ids = [matches.of(number + i).tobytes() for i in range(len(captions))]
                sidecar.append(msgspec.msgpack.encode((position, key, ids)))
                number += len(captions)
        sidecar.totals = clock.seconds()


class CountUnit(VocabularyFn):
    def process(self, ref: RowsRef) -> Iterator[bytes]:
        ids = b"".join(packed for row in matched_rows(ref, self._site) for packed in row.ids)
        yield pack_counts(count_entries(np.frombuffer(ids, np.int32), len(self._concepts.vocabulary)))


class JudgeUnit(VocabularyFn):
    """Tells each row from which t on its captions stay."""

    def process(self, ref: RowsRef, counts: tuple[str, str]) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        uri, counted = counts
        # The key and the matches are in the ref's chain by MATCHES.
        made_by = fingerprint(ref.made_by, counted, self._verb.seed)
        answers = sidecar_uri(self._site.output, CONCEPTS, ref.unit)
        if read_totals(storage, answers, made_by) is None:
            with create_sidecar(storage, answers, made_by) as sidecar:
                self._judge_into(sidecar, ref, uri)
        yield with_sidecar(ref, CONCEPTS, answers, made_by)

    def _judge_into(self, sidecar: SidecarWriter, ref: RowsRef, uri: str) -> None:
        clock, vocabulary = Clock(), self._concepts.vocabulary
        rows = list(matched_rows(ref, self._site))
        sizes = [len(row.ids) for row in rows]
        matches = _matches_of([packed for row in rows for packed in row.ids])
        keys = [row.key for row in rows for _ in row.ids]
        balanced = self._balance(uri).judge(matches, keys, self._verb.seed)
        told = iter(answers_of(matches, balanced, vocabulary.entries))
        for row, size in zip(rows, sizes, strict=True):
            answer = [next(told) for _ in range(size)]
            sidecar.append(msgspec.msgpack.encode((row.position, answer)))
        sidecar.totals = clock.seconds()

    def _balance(self, uri: str) -> Balance:
        """Of the counts in `uri`, which are the same for all units of a run."""
        if getattr(self, "_known", None) != uri:
            storage, vocabulary = open_site(self._site), self._concepts.vocabulary
            counts = unpack_counts(storage.read(uri, 0, storage.stat(uri).size))
            self._known, self._judged = uri, Balance(vocabulary.entries, vocabulary.weights, counts)
        return self._judged


class LimitUnit(beam.DoFn):
    """Tells each row the t that was solved for the pool."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def process(self, ref: RowsRef, t: float) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        made_by = fingerprint(ref.made_by, t)
        uri = sidecar_uri(self._site.output, LIMIT, ref.unit)
        if read_totals(storage, uri, made_by) is None:
            clock = Clock()
            with create_sidecar(storage, uri, made_by) as sidecar:
                for position, _ in told_rows(ref, self._site):
                    sidecar.append(msgspec.msgpack.encode((position, t)))
                sidecar.totals = clock.seconds()
        yield with_sidecar(ref, LIMIT, uri, made_by)


class AddVectors(beam.CombineFn):
    """Packed vectors to their sum, packed. Between bundles it travels sparse where it is."""

    def create_accumulator(self) -> Any:
        return b""

    def add_input(self, accumulator: Any, vector: bytes) -> Any:
        return add_counts(accumulator, vector)

    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        merged: Any = b""
        for accumulator in accumulators:
            merged = add_counts(merged, accumulator)
        return merged

    def compact(self, accumulator: Any) -> bytes:
        return accumulator if isinstance(accumulator, bytes) else pack_counts(accumulator)

    def extract_output(self, accumulator: Any) -> bytes:
        return self.compact(accumulator)


def matched_rows(ref: RowsRef, site: Site) -> Iterator[Matched]:
    for record in read_records(open_site(site), joined_sidecars(ref)[MATCHES]):
        yield Matched(*msgspec.msgpack.decode(record, type=tuple[int, str, list[bytes]]))


def told_rows(ref: RowsRef, site: Site) -> Iterator[tuple[int, list[Told]]]:
    for record in read_records(open_site(site), joined_sidecars(ref)[CONCEPTS]):
        yield msgspec.msgpack.decode(record, type=tuple[int, list[Told]])


def _matches_of(captions: list[bytes]) -> Matches:
    """The packed ids of each caption as one block."""
    sizes = np.array([0, *(len(ids) // 4 for ids in captions)], np.int64)
    return Matches(np.frombuffer(b"".join(captions), np.int32), sizes.cumsum())


def write_counts(packed: bytes, site: Site) -> tuple[str, str]:
    """URI and fingerprint of the counts: the name says the content, so whoever writes it writes the same."""
    counted = fingerprint(packed)
    uri, storage = join(site.output, "work", COUNTS, f"counts-{counted[:16]}.msgpack"), open_site(site)
    if not storage.exists(uri):
        storage.write(uri, packed)
    return uri, counted


def histogram_of(ref: RowsRef, site: Site) -> bytes:
    least = [min(t for _, t, _ in told) for _, told in told_rows(ref, site)]
    return pack_counts(histogram(np.array(least, np.float64)))


def _solved(packed: bytes, target: int, site: Site) -> float:
    """The t, which also stands in a file: for the table, whose steps no side input reaches."""
    t = solve_drawn(unpack_counts(packed), target) if packed else 0.0
    open_site(site).write(solved_uri(site.output), msgspec.json.encode(t))
    return t


def solved_uri(output: str) -> str:
    return join(output, "work", COUNTS, "solved.json")
