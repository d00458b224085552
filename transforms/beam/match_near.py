"""MatchNear: a Match whose rows also meet where their perceptual hashes are near, not only where they are equal.

Each different hash goes once to a bucket of each band, packed; pairs are found there, and one worker chooses who stays
from the pairs alone, all of which it must hold. What it says of a hash goes to the bucket where the rows of that hash
meet, and from there the answers travel as those of any Match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection

from transforms.beam.match import Match, same_again
from transforms.near_duplicates import NearDuplicates, choose_stars, collapse_rows
from transforms.near_pairs import Near, Within, near_in_bucket, spread_hashes


@dataclass(frozen=True)
class MatchNear(Match):
    matcher: NearDuplicates

    def _offered(self, packed: PCollection, witnesses: PCollection) -> PCollection:
        """The packed rows, and beside them what the hashes that are near others are told."""
        label, within, buckets = self.label, self.matcher.within, self.buckets
        spreading = beam.FlatMap(_spread, self.matcher, buckets).with_output_types(tuple[int, bytes])
        finding = beam.FlatMap(_found, within, buckets).with_output_types(tuple[int, bytes])
        choosing = beam.FlatMap(_chosen, buckets).with_output_types(tuple[int, bytes])
        stars = (
            packed
            | f"{label}Hashes" >> beam.GroupByKey()  # shuffle: the packed rows, 120 bytes and a key each
            | f"{label}Spread" >> spreading
            | f"{label}Bands" >> beam.GroupByKey()  # shuffle: 120 bytes and a key for each hash and band
            | f"{label}Near" >> finding
            | f"{label}Pairs" >> beam.GroupByKey()  # shuffle: near hashes and their pairs, to one place
            | f"{label}Choose" >> choosing
        )
        return (packed | f"{label}Again" >> same_again(), stars) | f"{label}Both" >> beam.Flatten()


def _spread(bucket: tuple[int, Iterable[bytes]], matcher: NearDuplicates, buckets: int) -> Iterator[tuple[int, bytes]]:
    yield from spread_hashes(collapse_rows(bucket[1], matcher), matcher.within.distance, buckets)


def _found(bucket: tuple[int, Iterable[bytes]], within: Within, buckets: int) -> Iterator[tuple[int, bytes]]:
    near = near_in_bucket(bucket[0], bucket[1], within, buckets)
    if near.left:
        yield 0, msgspec.msgpack.encode(near)


def _chosen(pairs: tuple[int, Iterable[bytes]], buckets: int) -> Iterator[tuple[int, bytes]]:
    yield from choose_stars((msgspec.msgpack.decode(one, type=Near) for one in pairs[1]), buckets)
