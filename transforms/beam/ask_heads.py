"""AskHeads: what heads say of the embeddings that a Visit left in its sidecar; no picture is opened.

A step of its own, with a sidecar of its own, because heads are trained in rounds: another head asks the same
embeddings again in microseconds, and CLIP not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.utils.shared import Shared

from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.beam.visit import Model
from transforms.fingerprints import fingerprint
from transforms.loaded import batched
from transforms.picture_classes import apply_classes
from transforms.rows import Join, RowsRef, joined_sidecars, sidecar_uri, with_sidecar
from transforms.sidecars import Clock, create_sidecar, read_records, read_totals
from transforms.storage import Storage

ROWS = 256
"""Rows whose embeddings are held at once."""


@dataclass(frozen=True)
class AskHeads(Labelled):
    """`visited` is the name of the Visit whose answers end with (piece, embedding) for each picture."""

    heads: Model
    visited: str

    def extend(self, rows: Rows) -> Rows:
        asked = beam.ParDo(AskUnit(self, rows.site)).with_output_types(RowsRef)
        return replace(
            rows, refs=rows.refs | self.label >> asked, fold=(*rows.fold, Join(self.heads.name, apply_classes))
        )


class AskUnit(beam.DoFn):
    def __init__(self, verb: AskHeads, site: Site) -> None:
        self._verb, self._site = verb, site
        self._shared = Shared()

    def setup(self) -> None:
        self._heads = self._shared.acquire(self._load)

    def _load(self) -> Model:
        self._verb.heads.load()
        return self._verb.heads

    def process(self, ref: RowsRef) -> Iterator[RowsRef]:
        storage, name = open_site(self._site), self._heads.name
        made_by = fingerprint(ref.made_by, self._heads.fingerprint())
        uri = sidecar_uri(self._site.output, name, ref.unit)
        if read_totals(storage, uri, made_by) is None:
            clock = Clock()
            with create_sidecar(storage, uri, made_by) as sidecar:
                for row in self._answers(storage, joined_sidecars(ref)[self._verb.visited]):
                    sidecar.append(msgspec.msgpack.encode(row))
                sidecar.totals = clock.seconds()
        yield with_sidecar(ref, name, uri, made_by)

    def _answers(self, storage: Storage, visited: str) -> Iterator[tuple[int, list[tuple[int, Any]]]]:
        """(position, [(piece, probabilities by head and class)]) of each row that has a picture."""
        for rows in batched(map(msgspec.msgpack.decode, read_records(storage, visited)), ROWS):
            told = iter(self._heads.predict([embedding for _, answer in rows for _, embedding in answer[-1]]))
            for position, answer in rows:
                if answer[-1]:
                    own = islice(told, len(answer[-1]))
                    yield position, [(piece, one) for (piece, _), one in zip(answer[-1], own, strict=True)]
