"""MatchKnown: tells each row which picture or document of a finished run it is, unit by unit against one table held by
the process.

Nothing is shuffled: what is asked about lies in a file whose name says which finished runs it was made of.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.utils.shared import Shared

from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.known_documents import apply_known_document, compare_documents, make_known_documents
from transforms.known_pictures import apply_known, compare_known, make_known
from transforms.records import Sample
from transforms.rows import Answers, Fold, Join, RowsRef, rows_of, with_answers

NAME = "known"


class Knowing(NamedTuple):
    """What is known of rows of one kind: the table as workers hold it, the comparison, and the row with its answer."""

    make: Callable[[pa.Table, Any], Any]
    compare: Callable[[Iterable[Sample], Any, Any], Answers]
    apply: Callable[..., Sample]


PICTURES = Knowing(make_known, compare_known, apply_known)
DOCUMENTS = Knowing(make_known_documents, compare_documents, apply_known_document)


@dataclass(frozen=True)
class MatchKnown(Labelled):
    """`uri` is the table of `runs` (pipelines/against.py)."""

    uri: str
    runs: Sequence[str]
    cfg: Any
    knowing: Knowing = PICTURES
    shared: Shared = field(default_factory=Shared)

    def extend(self, rows: Rows) -> Rows:
        refs = rows.refs | self.label >> beam.ParDo(_KnownUnit(self, rows.site, rows.fold)).with_output_types(RowsRef)
        return replace(
            rows, refs=refs, fold=(*rows.fold, Join(NAME, partial(self.knowing.apply, runs=tuple(self.runs))))
        )


class _KnownUnit(beam.DoFn):
    def __init__(self, verb: MatchKnown, site: Site, fold: Fold) -> None:
        self._verb, self._site, self._fold = verb, site, fold

    def setup(self) -> None:
        self._known = self._verb.shared.acquire(self._load)

    def _load(self) -> Any:
        storage = open_site(self._site)
        data = storage.read(self._verb.uri, 0, storage.stat(self._verb.uri).size)
        with pa.ipc.open_file(io.BytesIO(data)) as reader:
            return self._verb.knowing.make(reader.read_all(), self._verb.cfg)

    def process(self, ref: RowsRef) -> Iterator[RowsRef]:
        samples = rows_of(ref, self._fold, open_site(self._site))
        yield with_answers(ref, NAME, self._verb.knowing.compare(samples, self._known, self._verb.cfg))
