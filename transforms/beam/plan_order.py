"""PlanByOrder: the shard plan of a set whose rows lie in the order of one of their measures.

A row's rank is how many rows are ordered before it: counts of buckets of the order, added up, and within a bucket one
sort. What crosses the shuffle are two numbers for each kept row and the URI of their sidecar for each unit and bucket.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection

from transforms.beam.verbs import Site, open_site
from transforms.beam.write_ledger import Tally
from transforms.planning import Segment, order_bucket, plan_ordered
from transforms.records import decode_sample
from transforms.sidecars import read_records


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """Kept rows of one unit in one bucket: (order, which of its kept rows) each."""

    unit: int
    rows: str
    """URI of the unit's sidecar of kept rows."""
    places: list[tuple[float, int]]


@dataclass
class PlanByOrder(beam.PTransform):
    """Encoded tallies to (shard, segment), a segment a row."""

    measure: str
    size: int
    """Samples of a shard."""
    buckets: int
    site: Site

    def expand(self, tallies: PCollection) -> PCollection:
        placing = beam.FlatMap(_placed, measure=self.measure, buckets=self.buckets, site=self.site)
        placed = tallies | "Place" >> placing.with_output_types(tuple[int, bytes])
        counts = (
            placed
            | "Count" >> beam.MapTuple(_count).with_output_types(tuple[int, int])
            | "AddUp" >> beam.CombinePerKey(sum)
        )
        plan = beam.FlatMap(_planned, beam.pvalue.AsList(counts), size=self.size)
        return (
            placed
            | "ByBucket" >> beam.GroupByKey()  # shuffle: an order and a place for each kept row
            | "Plan" >> plan.with_output_types(tuple[int, Segment])
        )


def _placed(encoded: bytes, measure: str, buckets: int, site: Site) -> Iterator[tuple[int, bytes]]:
    tally = msgspec.json.decode(encoded, type=Tally)
    found: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for row, record in enumerate(read_records(open_site(site), tally.rows)):
        order = float(decode_sample(record).measures[measure])
        found[order_bucket(order, buckets)].append((order, row))
    for bucket, places in found.items():
        yield bucket, msgspec.msgpack.encode(Placed(tally.unit, tally.rows, places))


def _count(bucket: int, placed: bytes) -> tuple[int, int]:
    return bucket, len(msgspec.msgpack.decode(placed, type=Placed).places)


def _planned(
    element: tuple[int, Iterable[bytes]], counts: list[tuple[int, int]], size: int
) -> Iterator[tuple[int, Segment]]:
    bucket, encoded = element
    found = [msgspec.msgpack.decode(one, type=Placed) for one in encoded]
    rows = [(order, one.unit, row, one.rows) for one in found for order, row in one.places]
    yield from plan_ordered(rows, size, sum(count for other, count in counts if other < bucket))
