"""MatchKnown: tells each row which picture of a finished run it is, unit by unit against one table held by the process.

Nothing is shuffled: what is asked about lies in a file whose name says which finished runs it was made of.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import apache_beam as beam
import pyarrow as pa
from apache_beam.utils.shared import Shared

from configs.schema.caption import CaptionConfig
from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.known_pictures import Known, apply_known, compare_known, make_known
from transforms.rows import Fold, Join, RowsRef, rows_of, with_answers

NAME = "known"


@dataclass(frozen=True)
class MatchKnown(Labelled):
    """`uri` is the table of `runs` (pipelines/against.py)."""

    uri: str
    runs: Sequence[str]
    cfg: CaptionConfig
    shared: Shared = field(default_factory=Shared)

    def extend(self, rows: Rows) -> Rows:
        refs = rows.refs | self.label >> beam.ParDo(_KnownUnit(self, rows.site, rows.fold)).with_output_types(RowsRef)
        return replace(rows, refs=refs, fold=(*rows.fold, Join(NAME, partial(apply_known, runs=tuple(self.runs)))))


class _KnownUnit(beam.DoFn):
    def __init__(self, verb: MatchKnown, site: Site, fold: Fold) -> None:
        self._verb, self._site, self._fold = verb, site, fold

    def setup(self) -> None:
        self._known: Known = self._verb.shared.acquire(self._load)

    def _load(self) -> Known:
        storage = open_site(self._site)
        data = storage.read(self._verb.uri, 0, storage.stat(self._verb.uri).size)
        with pa.ipc.open_file(io.BytesIO(data)) as reader:
            return make_known(reader.read_all(), self._verb.cfg)

    def process(self, ref: RowsRef) -> Iterator[RowsRef]:
        samples = rows_of(ref, self._fold, open_site(self._site))
        yield with_answers(ref, NAME, compare_known(samples, self._known, self._verb.cfg))
