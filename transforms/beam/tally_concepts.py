"""TallyConcepts: how often each entry of the vocabulary is named before and after the balance, as one table.

A branch beside the run: nothing of it goes back to the rows. Left out on purpose: showing it (pipelines/).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import msgspec
import numpy as np
from apache_beam.pvalue import PCollection

from transforms.beam.count_concepts import (
    FANOUT,
    AddVectors,
    VocabularyFile,
    VocabularyFn,
    matched_rows,
    solved_uri,
    told_rows,
)
from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.concept_counts import CAPTIONS, counts_table, pack_counts, table_uri, unpack_counts
from transforms.concept_fates import LIMIT
from transforms.concepts import count_entries
from transforms.rows import RowsRef, joined_sidecars
from transforms.sidecars import read_records


@dataclass(frozen=True)
class TallyConcepts(Labelled):
    """Rows to the URI of the table; `t` None where BalanceConcepts solved it."""

    vocabulary: VocabularyFile
    t: float | None

    def extend(self, rows: Rows) -> PCollection:
        label = self.label
        return (
            rows.refs
            | f"{label}Count" >> beam.ParDo(TallyUnit(self, rows.site)).with_output_types(bytes)
            | f"{label}Add" >> beam.CombineGlobally(AddVectors()).with_fanout(FANOUT)
            | f"{label}Write" >> beam.ParDo(WriteTable(self, rows.site)).with_output_types(str)
        )


class TallyUnit(VocabularyFn):
    """Counts before, counts after and CAPTIONS in one vector: they add up together."""

    def process(self, ref: RowsRef) -> Iterator[bytes]:
        limits = _limits(ref, self._site) if self._verb.t is None else {}
        before, after, unmatched = [], [], 0
        for row, (position, told) in zip(matched_rows(ref, self._site), told_rows(ref, self._site), strict=True):
            t = limits[position] if self._verb.t is None else self._verb.t
            before += row.ids
            after += [ids for ids, (named, least, _) in zip(row.ids, told, strict=True) if named and least < t]
            unmatched += sum(not named for named, _, _ in told)
        counts = [count_entries(np.frombuffer(b"".join(ids), np.int32), self._entries) for ids in (before, after)]
        yield pack_counts(np.concatenate([*counts, np.array([len(before), unmatched, len(after)])]))

    @property
    def _entries(self) -> int:
        return len(self._concepts.vocabulary)


class WriteTable(VocabularyFn):
    def process(self, packed: bytes) -> Iterator[str]:
        vocabulary, storage = self._concepts.vocabulary, open_site(self._site)
        entries, site = len(vocabulary), self._site
        total = unpack_counts(packed) if packed else np.zeros(2 * entries + len(CAPTIONS), np.int64)
        before, after, captions = np.split(total, (entries, 2 * entries))
        settings = {"vocabulary": vocabulary.sha256, "padding": self._concepts.padding, "t": repr(self._t())}
        settings |= {name: str(number) for name, number in zip(CAPTIONS, captions.tolist(), strict=True)}
        storage.write(table_uri(site.output), counts_table(vocabulary, before, after, settings))
        yield table_uri(site.output)

    def _t(self) -> float:
        if self._verb.t is not None:
            return float(self._verb.t)
        with open_site(self._site).open(solved_uri(self._site.output)) as file:
            return msgspec.json.decode(file.read(), type=float)


def _limits(ref: RowsRef, site: Site) -> dict[int, float]:
    records = read_records(open_site(site), joined_sidecars(ref)[LIMIT])
    return dict(msgspec.msgpack.decode(record, type=tuple[int, float]) for record in records)
