"""Decode and every picture measure against `imagehash.phash(PIL.Image.open(...))` alone: one process, one thread.

The two sides alternate over the same bytes in
memory; CPU seconds are counted and the best of several rounds taken, because other programs share the machine. Sets of
../shared/data are skipped where they are absent.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from configs.schema.caption import ImageRules, ReadRules
from transforms.image_quality import measure_content, measure_shape
from transforms.loaded import Loaded
from transforms.pictures import decode, hash_pixels, measure_pictures, read_header
from transforms.records import Picture, Sample, Span

DATA = Path(__file__).parents[3] / "shared" / "data"
SPAN = Span("raw.tar", 0, 1, "tar", "a.jpg")
ROUNDS = 7


def photo_like(seed: int) -> bytes:
    """A 512 x 384 JPEG whose spectrum falls as 1/f, as photographs' do (Field 1987); about 60 kB at quality 85."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(384)[:, None], np.fft.rfftfreq(512)[None]) + 1 / 512
    layers = [np.fft.irfft2(np.fft.rfft2(rng.normal(size=(384, 512))) / frequency, (384, 512)) for _ in range(3)]
    grey = layers[0][..., None] + 0.3 * np.stack(layers, axis=-1)
    pixels = np.clip(128 + 50 * (grey - grey.mean()) / grey.std(), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


def real_sets() -> dict[str, list[bytes]]:
    sets: dict[str, list[bytes]] = {}
    for folder in ("duplicates", "scene_text", "web_images"):
        for path in sorted((DATA / folder).glob("*.*")):
            if path.suffix in {".jpg", ".jpeg", ".png"}:
                sets.setdefault(f"{folder} {path.suffix[1:]}", []).append(path.read_bytes())
    for path in sorted(DATA.glob("caption_pairs/*.tar"))[:1]:
        with tarfile.open(path) as archive:
            for member in archive:
                suffix = member.name.rsplit(".", 1)[-1]
                if suffix in {"jpg", "png"}:
                    sets.setdefault(f"caption_pairs {suffix}", []).append(archive.extractfile(member).read())
    return sets


def best_seconds(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for name, side in sides.items():
            started = time.process_time()
            side()
            best[name] = min(best[name], time.process_time() - started)
    return best


def compare(pictures: list[bytes]) -> dict[str, float]:
    """Milliseconds a picture, by side."""
    image, read = ImageRules(), ReadRules()

    def ours() -> None:
        for data in pictures:
            measure_pictures([Loaded(Sample("a", "b", 0, 0, (Picture(SPAN),)), [data], [None])], image, read)

    def theirs() -> None:
        for data in pictures:
            imagehash.phash(Image.open(io.BytesIO(data)))

    found = best_seconds({"ours": ours, "phash": theirs})
    return {name: seconds * 1000 / len(pictures) for name, seconds in found.items()}


def parts(pictures: list[bytes]) -> dict[str, float]:
    """Milliseconds a picture, by part of our step."""
    pixels = [decode(data, 10**9) for data in pictures]
    sides: dict[str, Callable[[], object]] = {
        "header x2": lambda: [(read_header(data), read_header(data)) for data in pictures],
        "decode": lambda: [decode(data, 10**9) for data in pictures],
        "sha256": lambda: [hashlib.sha256(data).digest() for data in pictures],
        "pixel hash": lambda: [hash_pixels(array) for array in pixels],
        "content": lambda: [measure_content(array) for array in pixels],
        "shape": lambda: [measure_shape(512, 384, 1, 9) for _ in pictures],
        "pillow decode": lambda: [Image.open(io.BytesIO(data)).load() for data in pictures],
    }
    return {name: seconds * 1000 / len(pictures) for name, seconds in best_seconds(sides).items()}


def bench(folder: Path) -> list[tuple[str, str]]:
    """Ratios by set. What our step spends beside decoding stands behind each."""
    warnings.simplefilter("ignore")  # phash's side warns of palette transparency
    figures = []
    for name, pictures in {"512x384 made": [photo_like(seed) for seed in range(40)], **real_sets()}.items():
        found, spent = compare(pictures), parts(pictures)
        size = np.mean([len(data) for data in pictures]) / 1000
        ratio = f"{found['phash']:.3f} ms / {found['ours']:.3f} ms = {found['phash'] / found['ours']:.2f}"
        ceiling = f"decoding alone {spent['decode']:.3f} ms"
        figures.append((f"d. phash / ours, {name}, {len(pictures)} of {size:.0f} kB", f"{ratio} ({ceiling})"))
    return figures
