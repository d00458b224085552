"""ResolvePictures: gives each picture of each page the span of the capture that its addresses mean, over all archives.

Redirects are first matched with themselves, a few rounds; then the rows meet the redirects, and then the captures, in
two Matches into whose buckets the archives' entries go beside the rows.
Left out on purpose: which capture counts, and how a chain of redirects is followed (web_resources, web_redirects).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection

from configs.schema.web_reading import WebReadRules
from transforms.beam.match import Match
from transforms.beam.scan_archives import index_of
from transforms.beam.verbs import Labelled, Rows, Site
from transforms.matching import resolve_bucket
from transforms.rows import RowsRef
from transforms.web_redirects import Hop, RedirectedPictures, follow_hops, hop_entry, pack_hops, rounds_of
from transforms.web_resources import CapturedPictures, pack_entries

Hops = tuple[int, bytes]
"""A unit's redirects, packed."""
_DECODER = msgspec.msgpack.Decoder(list[Hop])


@dataclass(frozen=True)
class MatchBeside(Match):
    """A Match whose rows also meet what `beside` offers: (bucket, packed) of no row of any unit."""

    beside: PCollection

    def _offered(self, packed: PCollection, witnesses: PCollection) -> PCollection:
        return (super()._offered(packed, witnesses), self.beside) | f"{self.label}Beside" >> beam.Flatten()


@dataclass(frozen=True)
class ResolvePictures(Labelled):
    rules: WebReadRules
    buckets: int

    def extend(self, rows: Rows) -> Rows:
        label, site, buckets = self.label, rows.site, self.buckets
        hops = rows.refs | f"{label}Hops" >> beam.FlatMap(_hops, site=site).with_output_types(Hops)
        for number in range(rounds_of(self.rules)):
            hops = hops | f"{label}Round{number}" >> FollowRedirects(buckets)
        pack = beam.FlatMap(_packed_hops, buckets=buckets).with_output_types(tuple[int, bytes])
        redirects = hops | f"{label}PackHops" >> pack
        rows = rows | f"{label}Redirects" >> MatchBeside(RedirectedPictures(), buckets, redirects)
        index = beam.FlatMap(_packed_captures, site=site, buckets=buckets, matcher=CapturedPictures(self.rules))
        captures = rows.refs | f"{label}PackCaptures" >> index.with_output_types(tuple[int, bytes])
        return rows | f"{label}Captures" >> MatchBeside(CapturedPictures(self.rules), buckets, captures)


@dataclass
class FollowRedirects(beam.PTransform):
    """One round: each redirect takes over where its target leads."""

    buckets: int

    def expand(self, hops: PCollection) -> PCollection:
        answers = (
            hops
            | "Pack" >> beam.FlatMap(_asked, buckets=self.buckets).with_output_types(tuple[int, bytes])
            | "Bucket" >> beam.GroupByKey()  # shuffle: the redirects of all archives, some 100 bytes each
            | "Resolve" >> beam.FlatMap(_resolved).with_output_types(tuple[int, bytes])
        )
        joined = {"hops": hops, "answers": answers} | "Join" >> beam.CoGroupByKey()
        return joined | "Follow" >> beam.FlatMap(_followed).with_output_types(Hops)


def _hops(ref: RowsRef, site: Site) -> Iterator[Hops]:
    found = [hop for _, hop in index_of(ref, site) if hop is not None]
    if found:
        yield ref.unit.index, msgspec.msgpack.encode(found)


def _asked(hops: Hops, buckets: int) -> Iterator[tuple[int, bytes]]:
    yield from pack_hops(hops[0], _DECODER.decode(hops[1]), buckets)


def _resolved(bucket: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    yield from (told for told in resolve_bucket(bucket[1], RedirectedPictures()) if told[0] >= 0)


def _followed(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Hops]:
    unit, grouped = joined
    for packed in grouped["hops"]:
        followed = follow_hops(_DECODER.decode(packed), sorted(grouped["answers"]))
        yield unit, msgspec.msgpack.encode(followed)


def _packed_hops(hops: Hops, buckets: int) -> Iterator[tuple[int, bytes]]:
    entries = map(hop_entry, _DECODER.decode(hops[1]))
    yield from pack_entries(hops[0], entries, RedirectedPictures().better, buckets)


def _packed_captures(ref: RowsRef, site: Site, buckets: int, matcher: CapturedPictures) -> Iterator[tuple[int, bytes]]:
    entries = (entry for entry, _ in index_of(ref, site) if entry is not None)
    yield from pack_entries(ref.unit.index, entries, matcher.better, buckets)
