"""MatchSemantic: rows meet by the embeddings that a Visit left in its sidecar, and are told whose copy they are.

Embeddings never cross a shuffle. A few of them, drawn by a hash of the key, give the centroids, a file whose name is
its content; each unit then writes its embeddings in the order of their clusters, and what travels is where they lie,
with what the choice needs of each row. One worker a cluster finds pairs, one worker chooses from all pairs of the pool.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import msgspec
import numpy as np
from apache_beam.pvalue import AsSingleton, PCollection

from configs.schema.caption import SemanticDuplicateRules
from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.fingerprints import fingerprint
from transforms.rows import Fold, Join, RowsRef, joined_sidecars, rows_of, unit_name, with_answers
from transforms.semantic_duplicates import (
    Drawn,
    Nodes,
    Seen,
    apply_semantic,
    assign,
    choose,
    draw,
    find_centroids,
    join_drawn,
    like_pairs,
    see,
)
from transforms.sidecars import read_records
from transforms.storage import Storage, join

NAME, FOLDER = "semantic_duplicates", "semantic"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One unit's rows in one cluster: their embeddings are `size` bytes from `start` on, then the captions'."""

    unit: int
    uri: str
    start: int
    size: int
    positions: list[int]
    weights: list[tuple[int, int, int]]
    keys: list[str]


@dataclass(frozen=True)
class MatchSemantic(Labelled):
    """`visited` is the name of the Visit whose answers hold the embeddings."""

    rules: SemanticDuplicateRules
    visited: str
    seed: int

    def extend(self, rows: Rows) -> Rows:
        label, site = self.label, rows.site
        drawn = rows.refs | f"{label}Draw" >> beam.ParDo(DrawUnit(self, site, rows.fold)).with_output_types(bytes)
        centroids = (
            drawn
            | f"{label}Sample" >> beam.CombineGlobally(JoinDrawn())
            | f"{label}Centroids" >> beam.Map(_write_centroids, self.rules, site).with_output_types(str)
        )
        assigning = beam.ParDo(AssignUnit(self, site, rows.fold), centroids=AsSingleton(centroids))
        pairs = (
            rows.refs
            | f"{label}Assign" >> assigning.with_output_types(tuple[int, bytes])
            | f"{label}Clusters" >> beam.GroupByKey()  # shuffle: some 20 bytes and a key for each row and cluster
            | f"{label}Compare" >> beam.FlatMap(_compared, self.rules, site).with_output_types(tuple[int, bytes])
            | f"{label}Pairs" >> beam.GroupByKey()  # shuffle: rows that are like another, to one place
            | f"{label}Choose" >> beam.FlatMap(_chosen).with_output_types(tuple[int, bytes])
        )
        return replace(rows, refs=self._tell(rows.refs, pairs), fold=(*rows.fold, Join(NAME, apply_semantic)))

    def _tell(self, refs: PCollection, answers: PCollection) -> PCollection:
        keyed = refs | f"{self.label}Key" >> beam.Map(_by_unit).with_output_types(tuple[int, RowsRef])
        return (
            {"refs": keyed, "answers": answers}
            | f"{self.label}Join" >> beam.CoGroupByKey()  # shuffle: refs and answers
            | f"{self.label}Answer" >> beam.FlatMap(_answered).with_output_types(RowsRef)
        )


class _SeeingFn(beam.DoFn):
    def __init__(self, verb: MatchSemantic, site: Site, fold: Fold) -> None:
        self._verb, self._site, self._fold = verb, site, fold

    def _seen(self, ref: RowsRef, storage: Storage) -> Iterator[Seen]:
        answers = dict(map(msgspec.msgpack.decode, read_records(storage, joined_sidecars(ref)[self._verb.visited])))
        for sample in rows_of(ref, self._fold, storage):
            if sample.position in answers and (one := see(sample, answers[sample.position], self._verb.rules)):
                yield one


class DrawUnit(_SeeingFn):
    def process(self, ref: RowsRef) -> Iterator[bytes]:
        yield msgspec.msgpack.encode(draw(self._seen(ref, open_site(self._site)), self._verb.seed))


class JoinDrawn(beam.CombineFn):
    def create_accumulator(self) -> bytes:
        return msgspec.msgpack.encode(Drawn(0, []))

    def add_input(self, accumulator: bytes, drawn: bytes) -> bytes:
        return self.merge_accumulators([accumulator, drawn])

    def merge_accumulators(self, accumulators: Iterable[bytes]) -> bytes:
        parts = (msgspec.msgpack.decode(one, type=Drawn) for one in accumulators)
        return msgspec.msgpack.encode(join_drawn(parts))

    def extract_output(self, accumulator: bytes) -> bytes:
        return accumulator


def _write_centroids(drawn: bytes, rules: SemanticDuplicateRules, site: Site) -> str:
    """URI of the centroids: the name says the content, so whoever writes them writes the same."""
    file = io.BytesIO()
    np.save(file, find_centroids(msgspec.msgpack.decode(drawn, type=Drawn), rules))
    return _write_once(site, "centroids", file.getvalue(), "npy")


def _write_once(site: Site, name: str, data: bytes, ending: str) -> str:
    uri, storage = join(site.output, "work", FOLDER, f"{name}-{fingerprint(data)[:16]}.{ending}"), open_site(site)
    if not storage.exists(uri):
        storage.write(uri, data)
    return uri


class AssignUnit(_SeeingFn):
    """Writes the unit's embeddings cluster by cluster, and says where each cluster's lie."""

    def process(self, ref: RowsRef, centroids: str) -> Iterator[tuple[int, bytes]]:
        storage = open_site(self._site)
        seen = list(self._seen(ref, storage))
        if not seen:
            return
        found = list(assign(seen, self._centroids(centroids, storage)))
        blocks = [_embeddings([seen[index] for index in members], self._verb.rules) for _, members in found]
        uri = _write_once(self._site, unit_name(ref.unit), b"".join(blocks), "f16")
        start = 0
        for (cluster, members), block in zip(found, blocks, strict=True):
            yield cluster, msgspec.msgpack.encode(_part(ref, (uri, start, len(block)), [seen[i] for i in members]))
            start += len(block)

    def _centroids(self, uri: str, storage: Storage) -> Any:
        if getattr(self, "_known", None) != uri:
            self._known, self._loaded = uri, np.load(io.BytesIO(storage.read(uri, 0, storage.stat(uri).size)))
        return self._loaded


def _embeddings(rows: Sequence[Seen], rules: SemanticDuplicateRules) -> bytes:
    captions = [one.caption for one in rows] if rules.text_min_cosine > -1 else []
    return b"".join([*(one.picture for one in rows), *captions])


def _part(ref: RowsRef, where: tuple[str, int, int], rows: Sequence[Seen]) -> Part:
    positions, weights, keys = ([getattr(one, name) for one in rows] for name in ("position", "weight", "key"))
    return Part(ref.unit.index, *where, positions, weights, keys)


def _compared(
    cluster: tuple[int, Iterable[bytes]], rules: SemanticDuplicateRules, site: Site
) -> Iterator[tuple[int, bytes]]:
    parts = sorted((msgspec.msgpack.decode(one, type=Part) for one in cluster[1]), key=lambda part: part.unit)
    storage, halves = open_site(site), []
    for part in parts:
        data = storage.read(part.uri, part.start, part.start + part.size)
        sides = 2 if rules.text_min_cosine > -1 else 1
        halves.append(np.frombuffer(data, np.float16).reshape(sides, len(part.keys), -1))
    vectors = np.concatenate(halves, axis=1)
    left, right, cosines = like_pairs(vectors[0], vectors[1] if len(vectors) > 1 else None, rules)
    if len(left):
        yield 0, msgspec.msgpack.encode(_nodes(parts, np.stack([left, right]), cosines))


def _nodes(parts: Sequence[Part], pairs: Any, cosines: Any) -> Nodes:
    """Only the rows that are like another."""
    units = [part.unit for part in parts for _ in part.keys]
    positions, weights, keys = (
        [value for part in parts for value in getattr(part, name)] for name in ("positions", "weights", "keys")
    )
    which, numbers = np.unique(pairs, return_inverse=True)
    left, right = (side.astype(np.uint32).tobytes() for side in numbers.reshape(2, -1))
    told = [[column[index] for index in which.tolist()] for column in (units, positions, weights, keys)]
    return Nodes(told[0], told[1], told[2], told[3], left, right, cosines.astype(np.int32).tobytes())


def _chosen(pairs: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    for unit, told in sorted(choose(msgspec.msgpack.decode(one, type=Nodes) for one in sorted(pairs[1])).items()):
        yield unit, msgspec.msgpack.encode(sorted(told.items()))


def _by_unit(ref: RowsRef) -> tuple[int, RowsRef]:
    return ref.unit.index, ref


def _answered(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[RowsRef]:
    _, grouped = joined
    told = dict(msgspec.msgpack.decode(next(iter(grouped["answers"]), b"\x90")))
    for ref in grouped["refs"]:
        yield with_answers(ref, NAME, told)
