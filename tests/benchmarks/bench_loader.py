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
from typing import NamedTuple

import numpy as np
import simplejpeg
import webdataset

from tests.benchmarks.corpus import texture
from tests.train.data.toy_set import write_indexed
from train.data.course import new_course
from train.data.decoding import Workers
from train.data.loader import PLANNED, Loader, LoaderRules, OpenMixture, SourceSpec, open_mixture
from train.data.mixture import Mixture, Share
from train.data.records import Array, RawSample
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


class Rates(NamedTuple):
    """Samples a second, and a second of this process's CPU: the best of the rounds of each."""

    wall: float
    cpu: float


def take_turns(*sides: Callable[[], int]) -> list[Rates]:
    walls, cpus = [[float("inf")] * len(sides) for _ in range(2)]
    for _ in range(ROUNDS):
        for number, side in enumerate(sides):
            wall, cpu = time.perf_counter(), time.process_time()
            if (found := side()) != SAMPLES:
                raise RuntimeError(f"expected {SAMPLES} samples, found {found}")
            walls[number] = min(walls[number], time.perf_counter() - wall)
            cpus[number] = min(cpus[number], time.process_time() - cpu)
    return [Rates(SAMPLES / wall, SAMPLES / cpu) for wall, cpu in zip(walls, cpus, strict=True)]


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
    rate = f"{loaded.wall:,.0f}/s / {bound.wall:,.0f}/s = {loaded.wall / bound.wall:.2f}"
    yield "l. with decoding, 2 processes that are up, ours / decoding alone in 2 threads", rate
    yield "l. pictures made into patches of 4.8 MB, 2 threads / 2 processes", patching(mixed)
    yield "l. locating draws among ten billion samples of three sources, one rank / each of 512", locating()
    yield from packing()


def cut_patches(sample: RawSample) -> Array:
    """(1024, 1176) float32, as the picture processor of GLM-4.1V gives them."""
    pixels = (simplejpeg.decode_jpeg(sample.parts["jpg"]).astype(np.float32) - 120) / 60
    blocks = pixels.reshape(16, 2, 14, 16, 2, 14, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    return np.repeat(blocks.reshape(1024, 3, 1, 196), 2, axis=2).reshape(1024, 1176)


def patching(mixed: OpenMixture, samples: int = 400) -> str:
    rates = []
    for kind in ("thread", "process"):
        with Loader(mixed, cut_patches, rules=LoaderRules(Workers(2, kind))) as loader:
            given = iter(loader)
            next(given)
            started = time.perf_counter()
            rates.append(sum(1 for _ in islice(given, samples)) / (time.perf_counter() - started))
    return f"{rates[0]:,.0f}/s / {rates[1]:,.0f}/s = {rates[0] / rates[1]:.1f}"


def locating() -> str:
    """Microseconds a draw: what a rank pays for an order that nobody holds."""
    mixture = Mixture([Share("a", 6 * 10**9, 7), Share("b", 3 * 10**9, 2), Share("c", 10**9, 1)], 1)
    figures = []
    for world in (1, 512):
        course, started, count = new_course(world, 1), time.perf_counter(), 0
        while count < 32 * PLANNED:
            count += len(mixture.locate(course.draws(0, 10**6 + count, PLANNED)).row)
        figures.append((time.perf_counter() - started) / count * 1e6)
    return " / ".join(f"{figure:.1f} µs" for figure in figures)


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


def ratio(ours: Rates, theirs: Rates) -> str:
    wall = f"{ours.wall:,.0f}/s / {theirs.wall:,.0f}/s = {ours.wall / theirs.wall:.2f}"
    return f"{wall}; by CPU {ours.cpu / theirs.cpu:.2f}"
