"""Keys that two samples of a whole set share: 24 bytes a sample, in memory up to a bound and on disk beyond it.

A key is its 16-byte digest, spread over files by its first bits; one file at a time is sorted, and equal neighbours are
a repeated key. At ten billion samples a bucket has 940 MB at the default of 256.
Left out on purpose: the keys' texts; whoever reports a place reads it there again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from transforms.fingerprints import digest

ROW = np.dtype([("high", "<u8"), ("low", "<u8"), ("shard", "<u4"), ("sample", "<u4")])
Rows = np.ndarray[Any, np.dtype[Any]]


class Place(NamedTuple):
    shard: int
    sample: int


class SetKeys:
    """`add` the keys of each shard in order, then ask `repeated` once. Files lie in `folder`, which must exist."""

    def __init__(self, folder: str, *, held: int = 4 << 20, buckets: int = 256) -> None:
        self._folder, self._most, self._buckets = folder, held, buckets
        self._waiting: list[Rows] = []
        self._held = 0
        self._spilled = False

    def add(self, shard: int, keys: Iterable[str]) -> None:
        digests = b"".join(digest(key.encode("utf-8", "surrogatepass")) for key in keys)
        halves = np.frombuffer(digests, "<u8").reshape(-1, 2)
        rows = np.empty(len(halves), ROW)
        rows["high"], rows["low"], rows["shard"] = halves[:, 0], halves[:, 1], shard
        rows["sample"] = np.arange(len(halves))
        self._waiting.append(rows)
        self._held += len(rows)
        if self._held > self._most:
            self._spill()

    def repeated(self) -> Iterator[tuple[Place, Place]]:
        """(an earlier place, a later place) of one key, for every sample whose key an earlier one has."""
        if not self._spilled:
            yield from _repeated(np.concatenate([np.empty(0, ROW), *self._waiting]))
            return
        self._spill()
        for bucket in range(self._buckets):
            path = self._path(bucket)
            if os.path.exists(path):
                yield from _repeated(np.fromfile(path, ROW))

    def _spill(self) -> None:
        self._spilled = True
        if not self._waiting:
            return
        rows = np.concatenate(self._waiting)
        self._waiting, self._held = [], 0
        chosen = rows["high"] % np.uint64(self._buckets)
        order = np.argsort(chosen, kind="stable")
        counts = np.bincount(chosen.astype(np.int64), minlength=self._buckets)
        for bucket, part in enumerate(np.split(rows[order], np.cumsum(counts)[:-1])):
            if len(part):
                with open(self._path(bucket), "ab") as file:
                    file.write(part.tobytes())

    def _path(self, bucket: int) -> str:
        return os.path.join(self._folder, f"keys-{bucket:03d}")


def _repeated(rows: Rows) -> Iterator[tuple[Place, Place]]:
    order = np.lexsort((rows["sample"], rows["shard"], rows["low"], rows["high"]))
    ordered = rows[order]
    same = (ordered["high"][1:] == ordered["high"][:-1]) & (ordered["low"][1:] == ordered["low"][:-1])
    for i in np.flatnonzero(same).tolist():
        yield _place(ordered[i]), _place(ordered[i + 1])


def _place(row: Any) -> Place:
    return Place(int(row["shard"]), int(row["sample"]))
