"""Look: opens each picture that a rule could still keep once, and keeps what is measured on it in a sidecar.

A Visit asks a model about rows; a Look measures pictures one by one, and holds one at a time. A picture that cannot be
read fails alone: its document stays. One picture at several places of a unit is opened once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import msgspec

from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.fingerprints import fingerprint
from transforms.materialise import SpanReader
from transforms.picture_looks import Looked, apply_looks, look_at, wanted_pictures, with_look, with_signs
from transforms.records import Measures, Picture, Recipe, Sample, Span
from transforms.rows import Fold, Join, RowsRef, rows_of, sidecar_uri, staging_folder, with_sidecar
from transforms.sidecars import Clock, SidecarWriter, create_sidecar, read_totals

NAME = "look"
REMEMBERED = 4096
"""Pictures of a unit whose measures are held, some 700 bytes each: icons and logos stand on every page of a site."""


@dataclass(frozen=True)
class Look(Labelled):
    """`measure` makes a measured picture of one and its bytes, `signs` measures it as its page shows it; `reads` is the
    config both depend on."""

    measure: Callable[[Picture, bytes], Picture]
    signs: Callable[[Picture, Sample], Measures]
    reads: Any

    def extend(self, rows: Rows) -> Rows:
        looking = beam.ParDo(LookUnit(self, rows.site, rows.fold)).with_output_types(RowsRef)
        return replace(rows, refs=rows.refs | self.label >> looking, fold=(*rows.fold, Join(NAME, apply_looks)))


class LookUnit(beam.DoFn):
    def __init__(self, look: Look, site: Site, fold: Fold) -> None:
        self._look, self._site, self._fold = look, site, fold

    def process(self, ref: RowsRef) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        # The rows are read twice and never held: a unit may be an archive of many pages.
        rows = rows_of(ref, self._fold, storage)
        sources = [p.source for sample in rows for _, p in wanted_pictures(sample)]
        made_by = fingerprint(ref.made_by, self._look.reads, sources)
        uri = sidecar_uri(self._site.output, NAME, ref.unit)
        if read_totals(storage, uri, made_by) is None:
            with create_sidecar(storage, uri, made_by) as sidecar:
                self._look_into(sidecar, sources, rows_of(ref, self._fold, storage))
        yield with_sidecar(ref, NAME, uri, made_by)

    def _look_into(self, sidecar: SidecarWriter, sources: list[Span | Recipe], rows: Iterator[Sample]) -> None:
        clock, known = Clock(), OrderedDict[bytes, Looked]()
        with SpanReader(staging_folder(self._site.output)) as spans:
            spans.expect(sources)
            for sample in rows:
                found = wanted_pictures(sample)
                told = [(index, self._look_once(picture, sample, spans, known)) for index, picture in found]
                sidecar.append(msgspec.msgpack.encode((sample.position, told)))
        sidecar.totals = clock.seconds()

    def _look_once(
        self, picture: Picture, sample: Sample, spans: SpanReader, known: OrderedDict[bytes, Looked]
    ) -> Looked:
        key = msgspec.msgpack.encode(picture.source)
        if key not in known:
            while len(known) >= REMEMBERED:
                known.popitem(last=False)
            known[key] = look_at(picture, spans, self._look.measure)
        known.move_to_end(key)
        told = known[key]
        return with_signs(told, self._look.signs(with_look(picture, told), sample))
