"""Rows of a pool that was never drawn: what a scan would have stored, made from numbers, unit by unit.

A tenth of all rows carry one caption, captions follow Zipf's law, one picture stands for "not found", others come
back, keys clash between units, some pictures are small and some rows failed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from transforms.records import Failure, Picture, Sample, Span, Text, Unit

PICTURE = {"bytes": 59_000, "aspect_ratio": 1.3333, "frames": 1, "grey_std": 54.1234, "entropy": 7.1234}
CAPTION = {
    "characters": 40,
    "words": 8,
    "file_name_share": 0.0,
    "url_share": 0.0,
    "repeated_characters": 2,
    "repeated_words": 0.0,
    "control_characters": 0,
    "language": "en",
    "language_confidence": 0.9312,
}
SMALL = {**PICTURE, "short_side": 60, "pixel_count": 4_800}
LARGE = {**PICTURE, "short_side": 600, "pixel_count": 480_000}
BROKEN = Failure("PictureUndecodable", "expected a picture, found none", "a.tar#x.jpg")
HOT_CAPTIONS, COMMON_CAPTIONS, HOT_PICTURES, COPIES, CLASHES = 0.10, 0.30, 0.01, 0.04, 0.02


def draw(unit: int, rows: int) -> dict[str, np.ndarray]:
    """Columns of one unit: number of caption and of picture, and the flags clash, small and broken."""
    random = np.random.default_rng((2026, unit))
    ordinals = np.arange(rows, dtype=np.int64) + unit * rows
    kind, rank = random.random(rows), random.random(rows)
    zipf = 1 + (10.0 ** (9 * rank)).astype(np.int64)
    caption = np.where(kind < HOT_CAPTIONS, 0, np.where(kind < HOT_CAPTIONS + COMMON_CAPTIONS, zipf, ordinals + 10**10))
    chance, older = random.random(rows), (random.random(rows) * (ordinals + 1)).astype(np.int64)
    picture = np.where(chance < HOT_PICTURES, -1, np.where(chance < HOT_PICTURES + COPIES, older, ordinals))
    clash, small, broken = (random.random(rows) < share for share in (CLASHES, 0.05, 0.01))
    return {"caption": caption, "picture": picture, "clash": clash, "small": small, "broken": broken}


def unit_of(index: int) -> Unit:
    return Unit(index, f"/pool/{index:07d}.tar", "tar")


def samples_of(unit: int, rows: int) -> Iterator[Sample]:
    columns = {name: column.tolist() for name, column in draw(unit, rows).items()}
    uri, start = unit_of(unit).uri, unit * rows
    for position, (caption, picture, clash, small, broken) in enumerate(zip(*columns.values(), strict=True)):
        # Each unit counts its clashing keys from zero, as sources that were put together do.
        key = f"{position:09d}" if clash else f"k{start + position:012d}"
        hashed = (picture + 2).to_bytes(16, "little")
        source = Span(uri, position * 60_000, position * 60_000 + 59_000, "tar", key)
        side, measures = (60, SMALL) if small else (600, LARGE)
        pieces = (
            Picture(source, "jpeg", 800, side, hashed * 2, hashed, measures),
            Text(f"a picture of a river by the bridge {caption}", "caption", CAPTION),
        )
        yield Sample(key, uri, 0, position, pieces, key, failure=BROKEN if broken else None)


def different(values: np.ndarray) -> np.ndarray:
    """Sorted. np.unique hashes since numpy 2.3: 15 s for ten million, the sort takes a tenth of a second."""
    ranked = np.sort(values)
    return ranked[np.concatenate(([True], ranked[1:] != ranked[:-1]))]


def expected_fates(units: int, rows: int, max_pictures: int) -> dict[str, int]:
    """Counts by reason, "" for kept, from the columns alone: sorts of whole columns in place of any matching."""
    drawn = [draw(unit, rows) for unit in range(units)]
    column = {name: np.concatenate([one[name] for one in drawn]) for name in drawn[0]}
    sound = ~column["broken"]
    # Both in one number: captions take 34 bits, pictures 24.
    assert column["caption"].max() < 1 << 34 and column["picture"].max() + 1 < 1 << 24
    pairs = different(column["caption"][sound] << 24 | column["picture"][sound] + 1)
    captions, pictures = np.unique(pairs >> 24, return_counts=True)
    common = np.isin(column["caption"], captions[pictures > max_pictures])
    alive = sound & ~column["small"] & ~common
    kept = len(different(column["picture"][alive]))
    return {
        "": kept,
        "PictureUndecodable": int(column["broken"].sum()),
        "image_too_small": int((sound & column["small"]).sum()),
        "caption_boilerplate": int((sound & ~column["small"] & common).sum()),
        "image_duplicate": int(alive.sum()) - kept,
    }
