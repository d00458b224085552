"""Match: brings rows of the whole pool together by key, and gives each row its answer.

What crosses the shuffle are packed candidates, tens of bytes a row, and then answers for the rows that met another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput

from transforms.beam.verbs import Labelled, Rows, open_site
from transforms.matching import Matcher, count_witnesses, expand_answers, pack_unit, resolve_bucket
from transforms.rows import Join, RowsRef, rows_of, with_answers


@dataclass(frozen=True)
class Match(Labelled):
    """`buckets` bounds what one worker sorts at a time; the answers do not depend on it."""

    matcher: Matcher
    buckets: int

    def extend(self, rows: Rows) -> Rows:
        label, name = self.label, self.matcher.name
        packing = beam.ParDo(PackRows(self.matcher, self.buckets, rows)).with_output_types(tuple[int, bytes])
        packed = rows.refs | f"{label}Pack" >> packing.with_outputs("witnesses", "followers", main="rows")
        answers = (
            self._offered(packed.rows, packed.witnesses)
            | f"{label}Bucket" >> beam.GroupByKey()  # shuffle: some tens of bytes a row
            | f"{label}Resolve" >> beam.FlatMap(_resolved, matcher=self.matcher).with_output_types(tuple[int, bytes])
        )
        keyed = rows.refs | f"{label}Key" >> beam.Map(_by_unit).with_output_types(tuple[int, RowsRef])
        answered = beam.FlatMap(_answered, matcher=self.matcher).with_output_types(RowsRef)
        refs = (
            {"refs": keyed, "answers": answers, "followers": packed.followers}
            | f"{label}Join" >> beam.CoGroupByKey()  # shuffle: refs and answers
            | f"{label}Answer" >> answered
        )
        return replace(rows, refs=refs, fold=(*rows.fold, Join(name, self.matcher.apply)))

    def _offered(self, packed: PCollection, witnesses: PCollection) -> PCollection:
        """What meets in the buckets: the packed rows, and how many witnesses each key has, where any are counted."""
        if not self.matcher.counts_witnesses:
            return packed
        counting = beam.FlatMap(_counted, buckets=self.buckets).with_output_types(tuple[int, bytes])
        counts = (
            witnesses
            | f"{self.label}Witnesses" >> beam.GroupByKey()  # shuffle: 32 bytes for each key and witness of a unit
            | f"{self.label}Count" >> counting
        )
        return (packed, counts) | f"{self.label}Both" >> beam.Flatten()


class PackRows(beam.DoFn):
    def __init__(self, matcher: Matcher, buckets: int, rows: Rows) -> None:
        self._matcher, self._buckets, self._site, self._fold = matcher, buckets, rows.site, rows.fold

    def process(self, ref: RowsRef) -> Iterator[tuple[int, bytes] | TaggedOutput]:
        samples = rows_of(ref, self._fold, open_site(self._site))
        packed = pack_unit(ref.unit.index, samples, self._matcher, self._buckets)
        yield from packed.rows
        for witnesses in packed.witnesses:
            yield TaggedOutput("witnesses", witnesses)
        if packed.followers:
            yield TaggedOutput("followers", (ref.unit.index, packed.followers))


def same_again() -> beam.ParDo:
    """For a Flatten beside another reader of the same packed rows: Flink's job server (2.70) makes such a Flatten twice
    and refuses the graph."""
    return beam.Map(_same).with_output_types(tuple[int, bytes])


def _same(packed: tuple[int, bytes]) -> tuple[int, bytes]:
    return packed


def _by_unit(ref: RowsRef) -> tuple[int, RowsRef]:
    return ref.unit.index, ref


def _counted(bucket: tuple[int, Iterable[bytes]], buckets: int) -> Iterator[tuple[int, bytes]]:
    yield from count_witnesses(bucket[1], buckets)


def _resolved(bucket: tuple[int, Iterable[bytes]], matcher: Matcher) -> Iterator[tuple[int, bytes]]:
    # A negative unit offers what is no row, as the stars of MatchNear: nobody hears what it is told.
    yield from (told for told in resolve_bucket(bucket[1], matcher) if told[0] >= 0)


def _answered(joined: tuple[int, dict[str, Iterable[Any]]], matcher: Matcher) -> Iterator[RowsRef]:
    _, grouped = joined
    followers = next(iter(grouped["followers"]), b"")
    answers = expand_answers(grouped["answers"], followers, matcher)
    for ref in grouped["refs"]:
        yield with_answers(ref, matcher.name, answers)
