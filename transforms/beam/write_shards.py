"""WriteShards: plans where kept rows go, then reads only their spans and writes each shard once, whole or not at all.

Beside a shard lies its member index. Both are there before the record that says the shard is done.
Only segments (a few integers for a run of rows) are grouped. A shard's name and bytes are a function of the plan, so a
retry or a second worker on the same shard writes the same file again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection
from msgspec.structs import replace

from configs.schema.caption import OutputRules
from transforms.beam.plan_order import PlanByOrder
from transforms.beam.verbs import Site, open_site
from transforms.beam.write_ledger import Tally
from transforms.fingerprints import fingerprint
from transforms.materialise import SpanReader, materialise
from transforms.member_index import format_index, group_samples, index_name
from transforms.planning import Segment, plan_shards
from transforms.recaptions import member_text
from transforms.records import Picture, Piece, Sample, decode_sample
from transforms.rows import staging_folder
from transforms.shards import IndexInfo, ShardInfo, ShardWriter, sample_json, sample_members
from transforms.sidecars import Clock, read_records
from transforms.storage import Storage, join

UNITS_PER_BLOCK = 1_000
"""Units that one worker plans together: of ten million units the side input is ten thousand counts."""


class ShardRecord(msgspec.Struct, frozen=True):
    """The sidecar of a written shard: what made it, so that a resume can take it over."""

    index: int
    made_by: str
    info: ShardInfo
    seconds: dict[str, float]


@dataclass
class WriteShards(beam.PTransform):
    """Encoded tallies to one encoded ShardRecord a shard."""

    rules: OutputRules
    seed: int
    site: Site
    documents: bool = False
    """Whether samples are documents, which have no `.txt`."""
    order: tuple[str, int] = ("", 0)
    """The measure by which rows are ordered, empty for the pool's order, and into how many buckets it is cut."""

    def expand(self, tallies: PCollection) -> PCollection:
        measure, buckets = self.order
        by_order = PlanByOrder(measure, self.rules.samples_per_shard, buckets, self.site)
        return (
            (tallies | "PlanByOrder" >> by_order if measure else self._plan(tallies))
            | "ByShard" >> beam.GroupByKey()  # shuffle: segments, never pictures
            | "Write" >> beam.ParDo(WriteShard(self.site, self.documents)).with_output_types(bytes)
        )

    def _plan(self, tallies: PCollection) -> PCollection:
        blocks = (
            tallies
            | "Kept" >> beam.Map(_kept).with_output_types(tuple[int, tuple[int, int, str]])
            | "ByBlock" >> beam.GroupByKey()  # shuffle: a small record a unit
        )
        counts = blocks | "Count" >> beam.MapTuple(_count).with_output_types(tuple[int, int])
        plan = beam.FlatMap(_planned, beam.pvalue.AsList(counts), rules=self.rules, seed=self.seed)
        return blocks | "Plan" >> plan.with_output_types(tuple[int, Segment])


def _kept(encoded: bytes) -> tuple[int, tuple[int, int, str]]:
    """A unit's rows for the plan, by block of units."""
    tally = msgspec.json.decode(encoded, type=Tally)
    return tally.unit // UNITS_PER_BLOCK, (tally.unit, tally.kept, tally.rows)


def _count(block: int, kept: Iterable[tuple[int, int, str]]) -> tuple[int, int]:
    return block, sum(count for _, count, _ in kept)


def _planned(
    element: tuple[int, Iterable[tuple[int, int, str]]], counts: list[tuple[int, int]], rules: OutputRules, seed: int
) -> Iterator[tuple[int, Segment]]:
    """A block's part of the plan, which needs of the others only how many rows they keep."""
    block, kept = element
    before, total = sum(n for other, n in counts if other < block), sum(n for _, n in counts)
    size, run = rules.samples_per_shard, rules.shuffle_run
    yield from plan_shards(sorted(kept), size, run, seed, before=before, total=total)


def shard_name(index: int) -> str:
    return f"shards/{index:06d}.tar"


def shard_record_uri(output: str, index: int) -> str:
    return join(output, "work", "shards", f"{index:06d}.json")


class WriteShard(beam.DoFn):
    def __init__(self, site: Site, documents: bool = False) -> None:
        self._site, self._documents = site, documents

    def process(self, element: tuple[int, Iterable[Segment]]) -> Iterator[bytes]:
        index, segments = element[0], sorted(element[1], key=lambda segment: segment.rank)
        storage = open_site(self._site)
        record_uri = shard_record_uri(self._site.output, index)
        rows = [
            record
            for segment in segments
            for record in read_records(storage, segment.rows, segment.first, segment.count)
        ]
        made_by = fingerprint(self._site.code, index, rows)
        record = self._taken_over(storage, index, made_by)
        if record is None:
            record = self._write(storage, index, rows, made_by)
            storage.write(record_uri, msgspec.json.encode(record))
        yield msgspec.json.encode(record)

    def _taken_over(self, storage: Storage, index: int, made_by: str) -> ShardRecord | None:
        try:
            with storage.open(shard_record_uri(self._site.output, index)) as file:
                record = msgspec.json.decode(file.read(), type=ShardRecord)
            same = record.made_by == made_by and _stands(storage, self._site.output, record.info)
        except FileNotFoundError:
            return None
        return record if same else None

    def _write(self, storage: Storage, index: int, rows: list[bytes], made_by: str) -> ShardRecord:
        clock, staging = Clock(), staging_folder(self._site.output)
        with storage.create(join(self._site.output, shard_name(index))) as file, SpanReader(staging) as spans:
            writer = ShardWriter(file, shard_name(index))
            samples = [decode_sample(row) for row in rows]
            spans.expect(piece.source for sample in samples for piece in sample.pieces if _is_written(piece))
            for sample in samples:
                writer.add(_members(sample, spans, self._documents))
            info = writer.finish()
        info = _write_index(storage, self._site.output, info, writer)
        return ShardRecord(index, made_by, info, clock.seconds())


def _stands(storage: Storage, output: str, info: ShardInfo) -> bool:
    """FileNotFoundError where the shard or its index is gone."""
    files = [(info.name, info.bytes), *([(info.index.name, info.index.bytes)] if info.index else [])]
    return all(storage.stat(join(output, name)).size == size for name, size in files)


def _write_index(storage: Storage, output: str, info: ShardInfo, writer: ShardWriter) -> ShardInfo:
    data, name = format_index(group_samples(writer.members), info.bytes), index_name(info.name)
    storage.write(join(output, name), data)
    return replace(info, index=IndexInfo(name, len(data), hashlib.sha256(data).hexdigest()))


def _members(sample: Sample, spans: SpanReader, document: bool) -> list[tuple[str, bytes]]:
    data = [_picture_bytes(piece, spans) for piece in sample.pieces]
    return sample_members(sample, data, sample_json(sample), member_text(sample, document))


def _is_written(piece: Piece) -> TypeGuard[Picture]:
    return isinstance(piece, Picture) and piece.drop is None and piece.failure is None


def _picture_bytes(piece: Piece, spans: SpanReader) -> bytes | None:
    if not _is_written(piece):
        return None
    data = materialise(piece.source, spans)
    if (found := hashlib.sha256(data).digest()) != piece.sha256:
        raise OSError(
            f"{piece.source}: expected the bytes that were scanned, sha256 {piece.sha256.hex()}, "
            f"found {found.hex()}; the input changed during the run"
        )
    return data
