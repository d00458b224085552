"""Pictures known from finished runs: rows of a new pool that are one of them, equal or nearly, and so go.

The kept rows of the finished runs are one table that every worker holds, some 200 bytes a row. All readable rows are
compared, whatever earlier rules think of them, so that what is known of a row does not move with their thresholds.
Left out on purpose: rows of several pictures, embeddings of finished runs, reading these (pipelines/against.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from configs.schema.caption import CaptionConfig
from transforms.hamming import Codes, differing_bits, pairs_between
from transforms.perceptual_hash import LOOK_BYTES, Looks, look_difference
from transforms.records import Drop, Picture, Sample, pictures, with_measures

RULE = "image_known"
KNOWN_MEASURES = ("known_run", "known_as", "known_distance", "known_difference")
SCHEMA = pa.schema(
    [("run", pa.int32()), ("key", pa.string())]
    + [(name, pa.binary()) for name in ("sha256", "pixels", "likeness", "look")]
)

Told = tuple[int, str, int, float]
"""Which run, the key there, bits and share between the two; an exact copy has 0 and 0.0."""


@dataclass(frozen=True)
class Known:
    """Rows of finished runs, in the order of the runs and of the rows in each: of equal ones the first is named."""

    runs: list[int]
    keys: list[str]
    exact: dict[bytes, int]
    """First row of each sha256 or hash of pixels."""
    hashed: np.ndarray[Any, np.dtype[np.int64]]
    """Rows that have a perceptual hash, and then these."""
    codes: Codes
    looks: Looks


def make_known(table: pa.Table, cfg: CaptionConfig) -> Known:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    exact: dict[bytes, int] = {}
    if cfg.duplicates.enabled:
        for row, value in enumerate(columns["sha256" if cfg.duplicates.of == "bytes" else "pixels"]):
            if value:
                exact.setdefault(value, row)
    hashed = [row for row, value in enumerate(columns["likeness"]) if value and cfg.near_duplicates.enabled]
    codes, looks = _seen([(columns["likeness"][row], columns["look"][row]) for row in hashed])
    return Known(columns["run"], columns["key"], exact, np.array(hashed, np.int64), codes, looks)


def compare_known(samples: Iterable[Sample], known: Known, cfg: CaptionConfig) -> dict[int, Told]:
    """By position, what is known of a row: an exact copy first, else the near row least different from it."""
    asked = [(sample.position, one) for sample in samples if (one := _only_picture(sample)) is not None]
    told: dict[int, Told] = {}
    rest: list[tuple[int, Picture]] = []
    for position, picture in asked:
        row = known.exact.get(picture.sha256 if cfg.duplicates.of == "bytes" else picture.pixels)
        if row is not None:
            told[position] = known.runs[row], known.keys[row], 0, 0.0
        elif picture.likeness:
            rest.append((position, picture))
    return told | _compare_near(rest, known, cfg)


def _compare_near(rows: Sequence[tuple[int, Picture]], known: Known, cfg: CaptionConfig) -> dict[int, Told]:
    rules = cfg.near_duplicates
    best: dict[int, tuple[float, int, int]] = {}
    if not rules.enabled or not rows or not len(known.codes):
        return {}
    codes, looks = _seen([(picture.likeness, picture.look) for _, picture in rows])
    for i, j in pairs_between(codes, known.codes, rules.max_distance):
        differences = look_difference(looks[i], known.looks[j])
        near = np.flatnonzero(differences <= rules.max_difference)
        i, j, bits = i[near], j[near], differing_bits(codes[i[near]], known.codes[j[near]])
        for own, row, difference, distance in zip(
            i.tolist(), known.hashed[j].tolist(), differences[near].tolist(), bits.tolist(), strict=True
        ):
            found = (difference, distance, row)
            best[own] = min(best.get(own, found), found)
    return {
        rows[own][0]: (known.runs[row], known.keys[row], distance, difference)
        for own, (difference, distance, row) in best.items()
    }


def apply_known(sample: Sample, answer: Sequence[Any], runs: Sequence[str]) -> Sample:
    run, key, distance, difference = answer
    return with_measures(
        sample, known_run=runs[run], known_as=key, known_distance=distance, known_difference=difference
    )


def check_known(sample: Sample, cfg: CaptionConfig) -> Drop | None:
    """Drop every row that a finished run keeps already: the old one always stays."""
    if not cfg.against.runs or "known_as" not in sample.measures:
        return None
    distance = int(sample.measures["known_distance"])
    return Drop(RULE, distance, 0, f"{sample.measures['known_run']} {sample.measures['known_as']}")


def _only_picture(sample: Sample) -> Picture | None:
    found = pictures(sample)
    return found[0] if sample.failure is None and len(found) == 1 else None


def _seen(rows: Sequence[tuple[bytes, bytes]]) -> tuple[Codes, Looks]:
    codes = np.frombuffer(b"".join([likeness for likeness, _ in rows]), ">u8").astype(np.uint64)
    looks = b"".join([(look or b"").ljust(LOOK_BYTES, b"\0") for _, look in rows])
    return codes, np.frombuffer(looks, np.uint8).reshape(-1, LOOK_BYTES)
