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
from transforms.shards import ShardInfo, ShardWriter, wids_index

SAMPLES, ROUNDS = 2_000, 3

Row = tuple[str, bytes, bytes, bytes]


def rows() -> list[Row]:
    drawn = [draw(index) for index in range(200)]
    return [(f"{i:09d}", drawn[i % 200], b"a caption of some ten words " * 2, b'{"key": "%09d"}' % i) for i in range(SAMPLES)]


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


def read_ours(folder: Path, order: list[int]) -> int:
    with ShardReader(str(folder / "ours.tar")) as reader:
        return sum(len(reader[index]["jpg"]) for index in order)


def read_wids(folder: Path, order: list[int]) -> int:
    reader = IndexedTarSamples(path=str(folder / "ours.tar"))
    return sum(len(reader[index][".jpg"].getbuffer()) for index in order)


def read_webdataset(folder: Path, order: list[int]) -> int:
    return sum(len(sample["jpg"]) for sample in webdataset.WebDataset(str(folder / "ours.tar"), shardshuffle=False))


def best(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def bench(folder: Path) -> list[tuple[str, str]]:
    made, order = rows(), np.random.default_rng(0).permutation(SAMPLES).tolist()
    info = write_ours(made, folder)
    (folder / "index.json").write_bytes(wids_index([info], "ours"))
    ours, theirs = best(lambda: write_ours(made, folder)), best(lambda: write_theirs(made, folder))
    indexed, peer, streamed = (best(lambda r=r: r(folder, order)) for r in (read_ours, read_wids, read_webdataset))
    rate = {"ours": ours, "theirs": theirs, "indexed": indexed, "wids": peer, "webdataset": streamed}
    shown = {name: f"{SAMPLES / seconds:,.0f}/s" for name, seconds in rate.items()}
    return [
        ("e. writing, ours / webdataset", f"{shown['ours']} / {shown['theirs']} = {theirs / ours:.1f}"),
        ("e. indexed reading, ours / wids", f"{shown['indexed']} / {shown['wids']} = {peer / indexed:.1f}"),
        ("e. indexed reading, ours / webdataset in order", f"{shown['indexed']} / {shown['webdataset']} = {streamed / indexed:.1f}"),
    ]
