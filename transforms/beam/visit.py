"""Visit: opens again only the pictures of rows still alive, and asks a model about them.

Only a Visit asks for an accelerator, and nothing heavy crosses its border: refs go in, refs come out, the answers lie
in a sidecar. Batches are cut inside a unit. Decoding runs one batch ahead of the model in its own thread.
A model too dear to be asked twice is not: see `question` and transforms/remembered.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import apache_beam as beam
import msgspec
from apache_beam.utils.shared import Shared

from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.fingerprints import fingerprint
from transforms.loaded import Loaded
from transforms.materialise import SpanReader, materialise
from transforms.pictures import decode
from transforms.records import Picture, Sample, encode_sample, is_shown, pictures
from transforms.remembered import NO_ROW, Memory, encode_answer
from transforms.rows import Fold, Join, RowsRef, rows_of, sidecar_uri, staging_folder, unit_name, with_sidecar
from transforms.sidecars import Clock, create_sidecar, read_totals
from transforms.storage import Storage, join

BATCH_PIXELS = 1 << 27
"""Of all pictures of a batch: 400 MB decoded, 512 x 512 for each of 512 rows."""


class Model(Protocol):
    """A named, real, replaceable model (law 9)."""

    name: str

    def load(self) -> None: ...

    def fingerprint(self) -> str: ...

    def predict(self, batch: Sequence[Any]) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Visit(Labelled):
    """`ask` turns a loaded sample into the model's input; `apply` puts its answer, plain msgpack values, on the row."""

    model: Model
    ask: Callable[[Loaded], Any]
    apply: Callable[[Sample, Any], Sample]
    batch_size: int
    max_pixels: int
    resource_hints: dict[str, str] = field(default_factory=dict)
    question: Callable[[Sample], Any] | None = None
    """What of a row decides its answer. With it each batch of answers is kept as soon as it is there, and no question
    is put twice; only inside one and the same visit where the model's `rows_alone` is false."""
    looks: bool = True
    """Whether the pictures are opened at all."""
    views: Callable[[Sample], Sequence[Sample]] | None = None
    """With it the model sees not a row but its views, such as one picture of many; batches are cut of views."""
    conclude: Callable[[Sample, list[Any]], Any] | None = None
    """With `views`: the row's answer, from those of its views."""
    reads: Any = None
    """What of the config the answers depend on beside the model's own."""

    def extend(self, rows: Rows) -> Rows:
        visited = beam.ParDo(VisitUnit(self, rows.site, rows.fold)).with_output_types(RowsRef)
        if self.resource_hints:
            # Dataflow may fuse across hints, and gives all it fused the union of them; a shuffle stops it (its guide
            # on right fitting). Without, the duplicates' answers and the ledger would run on machines with a GPU.
            refs = rows.refs | f"{self.label}Before" >> beam.Reshuffle()
            refs = refs | self.label >> visited.with_resource_hints(**self.resource_hints)
            refs = refs | f"{self.label}After" >> beam.Reshuffle()
        else:
            refs = rows.refs | self.label >> visited
        return replace(rows, refs=refs, fold=(*rows.fold, Join(self.model.name, self.apply)))


def cut_batches(alive: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Batches of at most `size` rows in order, fewer where their pictures together have over BATCH_PIXELS."""
    batch: list[Sample] = []
    pixels = 0
    for sample in alive:
        more = sum((picture.width or 0) * (picture.height or 0) for picture in pictures(sample) if is_shown(picture))
        if batch and (len(batch) == size or pixels + more > BATCH_PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(sample)
        pixels += more
    if batch:
        yield batch


class VisitUnit(beam.DoFn):
    def __init__(self, visit: Visit, site: Site, fold: Fold) -> None:
        self._visit, self._site, self._fold = visit, site, fold
        self._shared = Shared()

    def setup(self) -> None:
        self._model = self._shared.acquire(self._load)

    def _load(self) -> Model:
        self._visit.model.load()
        return self._visit.model

    def process(self, ref: RowsRef) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        alive = [sample for sample in rows_of(ref, self._fold, storage) if sample.alive]
        asked = (self._visit.batch_size, self._visit.reads, [encode_sample(s) for s in alive])
        made_by = fingerprint(ref.made_by, self._model.fingerprint(), *asked)
        uri = sidecar_uri(self._site.output, self._model.name, ref.unit)
        if read_totals(storage, uri, made_by) is None:
            self._make(storage, uri, made_by, ref, alive)
        yield with_sidecar(ref, self._model.name, uri, made_by)

    def _make(self, storage: Storage, uri: str, made_by: str, ref: RowsRef, alive: list[Sample]) -> None:
        clock, name = Clock(), self._model.name
        if self._visit.question is None:
            with create_sidecar(storage, uri, made_by) as sidecar:
                answers = self._answers(alive) if self._visit.views is None else self._concluded(alive)
                for sample, answer in answers:
                    sidecar.append(msgspec.msgpack.encode((sample.position, answer)))
                sidecar.totals = clock.seconds()
            return
        alone = getattr(self._model, "rows_alone", False)
        scope = fingerprint(self._site.code, self._model.fingerprint()) if alone else made_by
        folder = join(self._site.output, "work", f"{name}_parts", unit_name(ref.unit))
        memory = Memory(storage, uri, folder, scope, getattr(self._model, "is_final", lambda _: True))
        digests = self._remember(memory, alive, self._visit.question)
        with create_sidecar(storage, uri, made_by) as sidecar:
            for sample, digest in zip(alive, digests, strict=True):
                sidecar.append(encode_answer(sample.position, memory[digest], digest))
            for digest, answer in memory.others(digests) if alone else ():
                sidecar.append(encode_answer(NO_ROW, answer, digest))
            sidecar.totals = clock.seconds()
        memory.forget_parts()

    def _remember(self, memory: Memory, alive: list[Sample], question: Callable[[Sample], Any]) -> list[bytes]:
        """The digest of each row's question, all of them answered."""
        digests = [memory.digest(question(sample)) for sample in alive]
        unknown = [sample for sample, digest in zip(alive, digests, strict=True) if digest not in memory]
        digest_of = {sample.position: digest for sample, digest in zip(alive, digests, strict=True)}
        for batch in self._ahead(unknown):
            asked = [digest_of[loaded.sample.position] for loaded in batch]
            try:
                memory.add(zip(asked, self._predict(batch), strict=True))
            except Exception as error:
                # What was answered before the model gave up need not be asked again by the run that resumes this one.
                memory.add((asked[index], answer) for index, answer in getattr(error, "answered", {}).items())
                raise
        return digests

    def _answers(self, alive: list[Sample]) -> Iterator[tuple[Sample, Any]]:
        for batch in self._ahead(alive):
            yield from zip((loaded.sample for loaded in batch), self._predict(batch), strict=True)

    def _concluded(self, alive: list[Sample]) -> Iterator[tuple[Sample, Any]]:
        """Each row with what its views came to; views follow each other, and a batch may hold several rows'."""
        visit = self._visit
        if visit.views is None or visit.conclude is None:
            raise ValueError(f"{self._model.name}: expected `conclude` where there are `views`")
        views = [(sample, list(visit.views(sample))) for sample in alive]
        answers = self._answers([view for _, found in views for view in found])
        for sample, found in views:
            yield sample, visit.conclude(sample, [answer for _, answer in islice(answers, len(found))])

    def _predict(self, batch: list[Loaded]) -> Sequence[Any]:
        answers = self._model.predict([self._visit.ask(loaded) for loaded in batch])
        if len(answers) != len(batch):
            raise ValueError(f"{self._model.name}: expected {len(batch)} answers, got {len(answers)}")
        return answers

    def _ahead(self, alive: list[Sample]) -> Iterator[list[Loaded]]:
        """Decoded batches, the next one being decoded while the model works on this one."""
        with SpanReader(staging_folder(self._site.output)) as spans, ThreadPoolExecutor(1) as pool:
            waiting: Future[list[Loaded]] | None = None
            if self._visit.looks:
                spans.expect(piece.source for sample in alive for piece in pictures(sample) if is_shown(piece))
            for batch in cut_batches(alive, self._visit.batch_size):
                ready, waiting = waiting, pool.submit(self._load_batch, batch, spans)
                if ready is not None:
                    yield ready.result()
            if waiting is not None:
                yield waiting.result()

    def _load_batch(self, batch: list[Sample], spans: SpanReader) -> list[Loaded]:
        return [self._load_sample(sample, spans) for sample in batch]

    def _load_sample(self, sample: Sample, spans: SpanReader) -> Loaded:
        if not self._visit.looks:
            return Loaded(sample, [None] * len(sample.pieces), [None] * len(sample.pieces))
        shown = [p if isinstance(p, Picture) and is_shown(p) else None for p in sample.pieces]
        data = [materialise(p.source, spans) if p is not None else None for p in shown]
        return Loaded(sample, list(data), [None if d is None else decode(d, self._visit.max_pixels) for d in data])
