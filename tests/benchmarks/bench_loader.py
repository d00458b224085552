"""The training loader against webdataset without decoding, and against decoding alone with it.

One set of 448 x 448 JPEGs, page cache warm. Ours reads in full random order and counts what a state needs; webdataset
reads in order, which is the best it can do. Decoding alone has the bytes in memory and as many workers. Sides take
turns in each round, and the best round of each counts, because the machine is shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import simplejpeg
import webdataset

from tests.benchmarks.corpus import texture
from tests.train.data.toy_set import write_indexed
from train.data.decoding import Workers
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.records import RawSample
from train.pack import Packer

SAMPLES, PER_SHARD, DRAWN, SIDE, ROUNDS = 6_000, 500, 200, 448, 5


@cache
def jpegs() -> list[bytes]:
    random = np.random.default_rng(3)
    corners = random.integers(0, 2048 - SIDE, (DRAWN, 2)).tolist()
    windows = (np.ascontiguousarray(texture()[top : top + SIDE, left : left + SIDE]) for top, left in corners)
    return [simplejpeg.encode_jpeg(window, quality=60) for window in windows]


def write_pool(folder: Path) -> Path:
    pool = folder / f"loader-{SAMPLES}"
    if not (pool / "manifest.json").exists():
        rows = [
            (f"{i:09d}", {"jpg": jpegs()[i % DRAWN], "txt": b"a caption of some ten words " * 2, "json": b"{}"})
            for i in range(SAMPLES)
        ]
        write_indexed(pool, rows, PER_SHARD)
    return pool


def decode(sample: RawSample) -> int:
    return decode_picture(sample.parts["jpg"])


def decode_picture(data: bytes) -> int:
    return int(simplejpeg.decode_jpeg(data).shape[0])


def through(loader: Loader) -> int:
    with loader:
        return sum(1 for _ in loader)


def by_webdataset(pool: Path) -> int:
    paths = [str(path) for path in sorted((pool / "shards").glob("*.tar"))]
    return sum(1 for _ in webdataset.WebDataset(paths, shardshuffle=False))


def alone(workers: int) -> int:
    data = [jpegs()[i % DRAWN] for i in range(SAMPLES)]
    if not workers:
        return sum(1 for one in data if decode_picture(one))
    with ThreadPoolExecutor(workers) as threads:
        return sum(1 for _ in threads.map(decode_picture, data))


def take_turns(*sides: Callable[[], int]) -> list[float]:
    """Samples a second of each side, the best of its rounds."""
    best = [float("inf")] * len(sides)
    for _ in range(ROUNDS):
        for number, side in enumerate(sides):
            started = time.perf_counter()
            if (found := side()) != SAMPLES:
                raise RuntimeError(f"expected {SAMPLES} samples, found {found}")
            best[number] = min(best[number], time.perf_counter() - started)
    return [SAMPLES / seconds for seconds in best]


def bench(folder: Path) -> Iterable[tuple[str, str]]:
    pool = write_pool(folder)
    mixed = open_mixture([SourceSpec("s", str(pool))], 1)
    size = sum(map(len, jpegs())) / DRAWN / 1000

    def ours(workers: Workers, transform: Callable[[RawSample], object] | None = None) -> Callable[[], int]:
        rules = LoaderRules(workers, rounds=1)
        return lambda: through(Loader(mixed, transform, rules=rules) if transform else Loader(mixed, rules=rules))

    plain, peer = take_turns(ours(Workers()), lambda: by_webdataset(pool))
    yield f"l. without decoding, {size:.0f} kB, ours in random order / webdataset in order", ratio(plain, peer)
    for name, workers in (("no workers", Workers()), ("2 threads", Workers(2))):
        loaded, bound = take_turns(ours(workers, decode), lambda count=workers.count: alone(count))
        yield f"l. with decoding, {name}, ours / decoding alone", ratio(loaded, bound)
    with Loader(mixed, decode, rules=LoaderRules(Workers(2, "process"))) as endless:
        given = iter(endless)
        next(given)  # processes take a second to start
        loaded, bound = take_turns(lambda: sum(1 for _ in islice(given, SAMPLES)), lambda: alone(2))
    yield "l. with decoding, 2 processes that are up, ours / decoding alone in 2 threads", ratio(loaded, bound)
    yield from packing()


def packing() -> Iterable[tuple[str, str]]:
    lengths = np.clip(np.random.default_rng(0).lognormal(np.log(665), 1.0, 20_000), 16, 8192).astype(int).tolist()
    for window in (128, 256, 512):
        packer, packs, started = Packer[int](8192, window), 0, time.perf_counter()
        for number, length in enumerate(lengths):
            packer.put(length, number)
            while packer.is_full():
                packs += bool(packer.take())
        while len(packer):
            packs += bool(packer.take())
        seconds = time.perf_counter() - started
        label = f"l. packing 20,000 log-normal lengths to 8,192, window {window}: efficiency, documents/s"
        yield label, f"{sum(lengths) / packs / 8192:.4f}, {len(lengths) / seconds:,.0f}/s"


def ratio(ours: float, theirs: float) -> str:
    return f"{ours:,.0f}/s / {theirs:,.0f}/s = {ours / theirs:.2f}"
