"""Pools for the benchmarks: photo-like JPEGs with unique pixels and captions, in img2dataset's layout.

Each picture is a window of one large seeded texture, so drawing costs little beside encoding. A pool is made once for
each (pictures, width, height) under the folder given and found again by name.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from transforms.shards import ShardWriter

WIDTH, HEIGHT, QUALITY = 800, 600, 85
PER_SHARD = 500
WORDS = [
    *("river", "stone", "market", "bridge", "garden", "painter", "harbour", "winter", "lantern", "forest", "violin"),
    *("kitchen", "mountain", "window", "bicycle", "orchard", "station", "letter", "meadow", "copper", "marble"),
]


@cache
def texture() -> np.ndarray:
    """One photo-like RGB picture of 2048 x 2048: smooth blobs of several sizes under sensor noise."""
    random = np.random.default_rng(7)
    layers = [random.integers(0, 255, (size, size, 3), dtype=np.uint8) for size in (8, 32, 128)]
    grown = [np.asarray(Image.fromarray(layer).resize((2048, 2048), Image.Resampling.BICUBIC)) for layer in layers]
    mixed = np.average(np.stack(grown).astype(np.float32), axis=0, weights=(0.5, 0.3, 0.2))
    return (mixed + random.normal(0, 4, (2048, 2048, 1))).clip(0, 255).astype(np.uint8)


def draw(index: int) -> bytes:
    random = np.random.default_rng(index)
    top, left = int(random.integers(0, 2048 - HEIGHT)), int(random.integers(0, 2048 - WIDTH))
    window = np.roll(texture()[top : top + HEIGHT, left : left + WIDTH], index % 3, axis=2)
    return simplejpeg.encode_jpeg(np.ascontiguousarray(window), quality=QUALITY)


def write_shard(folder: str, shard: int, count: int) -> None:
    with open(Path(folder) / f"{shard:05d}.tar", "wb") as file:
        writer = ShardWriter(file, "")
        for row in range(count):
            index = shard * PER_SHARD + row
            words = np.random.default_rng((1, index)).choice(WORDS, 10, replace=False)
            key, caption = f"{index:09d}", " ".join(words)
            meta = json.dumps({"caption": caption, "url": f"https://example.org/{key}.jpg"}).encode()
            writer.add([(f"{key}.jpg", draw(index)), (f"{key}.txt", caption.encode()), (f"{key}.json", meta)])
        writer.finish()


def make_pool(folder: Path, pictures: int) -> list[str]:
    """Paths of the pool's tars."""
    pool = folder / f"{pictures}x{WIDTH}x{HEIGHT}"
    counts = [min(PER_SHARD, pictures - start) for start in range(0, pictures, PER_SHARD)]
    if not (pool / "done").exists():
        pool.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(2) as workers:
            list(workers.map(write_shard, [str(pool)] * len(counts), range(len(counts)), counts))
        (pool / "done").touch()
    return sorted(str(path) for path in pool.glob("*.tar"))
