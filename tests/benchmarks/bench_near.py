"""Near duplicates: the search for pairs against imagededup's brute force and faiss, and a million rows through Beam.

imagededup is measured from its compiled search with its lists made once, which its own class makes for every query.
faiss is asked on one thread for exactly the same pairs: 4 tables of 16 bits find all within 4 bits with 1 flip in a
table, within 8 with 2. It is asked samples of the queries, scaled up. Seconds are of CPU. Neither is a dependency.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measured import measure_command
from tests.benchmarks.near_run import draw_codes
from transforms.hamming import pairs_between, pairs_within

SMALL, LARGE = 20_000, 1_000_000
FLAT, HASHED = 500, 50_000
"""Queries that the flat index and the tables are asked; the seconds are scaled up to all."""


def bench(folder: Path) -> list[tuple[str, str]]:
    small, large = np.unique(draw_codes(SMALL)), np.unique(draw_codes(LARGE))
    found = [_brute_force(small, distance) for distance in (4, 8)]
    found += [_faiss(large, distance) for distance in (4, 8)]
    return [*found, *(_through_beam(folder, distance) for distance in (4, 8))]


def _timed(action: Callable[[], int]) -> tuple[int, float]:
    started = time.process_time()
    return action(), time.process_time() - started


def _ours(codes: np.ndarray, distance: int) -> tuple[int, float]:
    return _timed(lambda: sum(len(i) for i, _ in pairs_within(codes, distance)))


def _brute_force(codes: np.ndarray, distance: int) -> tuple[str, str]:
    label = f"h. {len(codes):,} hashes, {distance} bits, imagededup's cython brute force"
    try:
        import brute_force_cython_ext as theirs
    except ImportError:
        return label, "not installed"
    pairs, ours = _ours(codes, distance)
    names, values = [str(i).encode() for i in range(len(codes))], codes.tolist()
    both, other = _timed(lambda: sum(len(theirs.query(names, values, value, distance)) for value in values))
    return (
        label,
        f"{other:.2f} s, ours {ours:.3f} s: {other / ours:.0f} times; pairs {(both - len(codes)) // 2}, {pairs}",
    )


def _faiss(codes: np.ndarray, distance: int) -> tuple[str, str]:
    label = f"h. {len(codes):,} hashes, {distance} bits, faiss on one thread"
    try:
        import faiss
    except ImportError:
        return label, "not installed"
    faiss.omp_set_num_threads(1)
    packed = codes.astype(">u8").view(np.uint8).reshape(-1, 8)
    pairs, ours = _ours(codes, distance)
    flat = faiss.IndexBinaryFlat(64)
    flat.add(packed)
    _, sampled = _timed(lambda: _asked(flat, packed[:FLAT], distance))
    tables = faiss.IndexBinaryMultiHash(64, 4, 16)
    tables.nflip = distance // 4
    _, adding = _timed(lambda: tables.add(packed) or 0)
    found, hashed = _timed(lambda: _asked(tables, packed[:HASHED], distance))
    exact = sum(len(i) for i, _ in pairs_between(codes[:HASHED], codes, distance))
    scanned, hashed = sampled * len(codes) / FLAT, adding + hashed * len(codes) / HASHED
    return label, (
        f"flat {scanned:,.0f} s, multi-hash {hashed:.1f} s, ours {ours:.2f} s ({pairs} pairs): "
        f"{scanned / ours:,.0f} and {hashed / ours:.1f} times; of {HASHED:,} queries pairs {found}, ours {exact}"
    )


def _asked(index: Any, queries: np.ndarray, distance: int) -> int:
    limits, _, _ = index.range_search(queries, distance + 1)
    return int(limits[-1])


def _through_beam(folder: Path, distance: int) -> tuple[str, str]:
    command = ["-m", "tests.benchmarks.near_run", str(folder / "near"), str(LARGE)]
    measure_command([*command, "none"])
    told = measure_command([*command, str(distance), "--direct_num_workers=2"])
    return (
        f"h. {LARGE:,} rows through Beam, 2 workers, {distance} bits",
        f"{told.wall:.0f} s, {told.cpu:.0f} s of CPU, {told.peak / 1e9:.2f} GB at the peak",
    )
