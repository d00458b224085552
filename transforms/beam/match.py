"""Match: brings rows of the whole pool together by key, and gives each row its answer.

What crosses the shuffle are packed candidates, tens of bytes a row, and then answers for the rows that met another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import msgspec

from transforms.beam.verbs import Labelled, Rows, open_site
from transforms.matching import Matcher, pack_candidates, resolve_bucket
from transforms.rows import Join, RowsRef, rows_of, with_answers


@dataclass(frozen=True)
class Match(Labelled):
    """`buckets` bounds what one worker sorts at a time; the answers do not depend on it."""

    matcher: Matcher
    buckets: int

    def extend(self, rows: Rows) -> Rows:
        label, name = self.label, self.matcher.name
        answers = (
            rows.refs
            | f"{label}Pack"
            >> beam.ParDo(PackRows(self.matcher, self.buckets, rows)).with_output_types(tuple[int, bytes])
            | f"{label}Bucket" >> beam.GroupByKey()  # shuffle: some tens of bytes a row
            | f"{label}Resolve" >> beam.FlatMap(_resolved, matcher=self.matcher).with_output_types(tuple[int, bytes])
        )
        keyed = rows.refs | f"{label}Key" >> beam.Map(_by_unit).with_output_types(tuple[int, RowsRef])
        refs = (
            {"refs": keyed, "answers": answers}
            | f"{label}Join" >> beam.CoGroupByKey()  # shuffle: refs and answers
            | f"{label}Answer" >> beam.FlatMap(_answered, name=name).with_output_types(RowsRef)
        )
        return replace(rows, refs=refs, fold=(*rows.fold, Join(name, self.matcher.apply)))


class PackRows(beam.DoFn):
    def __init__(self, matcher: Matcher, buckets: int, rows: Rows) -> None:
        self._matcher, self._buckets, self._site, self._fold = matcher, buckets, rows.site, rows.fold

    def process(self, ref: RowsRef) -> Iterator[tuple[int, bytes]]:
        samples = rows_of(ref, self._fold, open_site(self._site))
        yield from pack_candidates(ref.unit.index, samples, self._matcher, self._buckets)


def _by_unit(ref: RowsRef) -> tuple[int, RowsRef]:
    return ref.unit.index, ref


def _resolved(bucket: tuple[int, Iterable[bytes]], matcher: Matcher) -> Iterator[tuple[int, bytes]]:
    for unit, answers in resolve_bucket(bucket[1], matcher).items():
        yield unit, msgspec.msgpack.encode(sorted(answers.items()))


def _answered(joined: tuple[int, dict[str, Iterable[Any]]], name: str) -> Iterator[RowsRef]:
    _, grouped = joined
    answers: dict[int, list[Any]] = {}
    for packed in sorted(grouped["answers"]):
        for position, found in msgspec.msgpack.decode(packed):
            answers.setdefault(position, []).extend(found)
    for ref in grouped["refs"]:
        yield with_answers(ref, name, answers)
