"""Writing shards and reading samples by number, against webdataset's writer and wids' and webdataset's readers.

Both sides write the same members to tmpfs-or-disk in one process; both read every sample's bytes in the same random
order (webdataset cannot be indexed: it reads in order, and wids is the indexed peer).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import webdataset
from wids.wids import IndexedTarSamples

from tests.benchmarks.corpus import draw
from transforms.shard_reader import ShardReader
from transforms.shards import ShardInfo, ShardWriter

SAMPLES, ROUNDS = 2_000, 3

Row = tuple[str, bytes, bytes, bytes]


def rows() -> list[Row]:
    drawn = [draw(index) for index in range(200)]
    return [
        (f"{i:09d}", drawn[i % 200], b"a caption of some ten words " * 2, b'{"key": "%09d"}' % i)
        for i in range(SAMPLES)
    ]


def write_ours(made: list[Row], folder: Path) -> ShardInfo:
    with open(folder / "ours.tar", "wb") as file:
        writer = ShardWriter(file, "ours.tar")
        for key, picture, text, meta in made:
            writer.add([(f"{key}.jpg", picture), (f"{key}.txt", text), (f"{key}.json", meta)])
        return writer.finish()


def write_theirs(made: list[Row], folder: Path) -> None:
    with webdataset.ShardWriter(str(folder / "theirs-%06d.tar"), maxcount=10**6, maxsize=10**12, verbose=0) as writer:
        for key, picture, text, meta in made:
            writer.write({"__key__": key, "jpg": picture, "txt": text, "json": meta})


def read_ours(reader: ShardReader, order: list[int]) -> int:
    return sum(len(reader[index]["jpg"]) for index in order)


def read_wids(reader: IndexedTarSamples, order: list[int]) -> int:
    return sum(len(reader[index][".jpg"].getvalue()) for index in order)


def read_webdataset(path: str) -> int:
    return sum(len(sample["jpg"]) for sample in webdataset.WebDataset(path, shardshuffle=False))


def best(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def bench(folder: Path) -> list[tuple[str, str]]:
    made, order = rows(), np.random.default_rng(0).permutation(SAMPLES).tolist()
    path = str(folder / "ours.tar")
    ours, theirs = best(lambda: write_ours(made, folder)), best(lambda: write_theirs(made, folder))
    opening = best(lambda: ShardReader(path))
    with ShardReader(path) as reader:
        indexed = best(lambda: read_ours(reader, order))
    peer = IndexedTarSamples(path=path)
    indexed_wids, streamed = best(lambda: read_wids(peer, order)), best(lambda: read_webdataset(path))
    return [
        ("e. writing, ours / webdataset", faster(ours, theirs)),
        ("e. indexed reading, ours / webdataset in order", faster(indexed, streamed)),
        (
            "e. indexed reading with its index made anew, ours / webdataset in order",
            faster(indexed + opening, streamed),
        ),
        ("e. indexed reading, ours / wids", faster(indexed, indexed_wids)),
    ]


def faster(ours: float, theirs: float) -> str:
    return f"{SAMPLES / ours:,.0f}/s / {SAMPLES / theirs:,.0f}/s = {theirs / ours:.1f}"
