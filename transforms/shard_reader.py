"""Reading a written shard by sample number: the inverse of `ShardWriter`, and what verify and trainers open.

Left out on purpose: raw pools, whose faults become rows (transforms/tar_reader.py). Here a fault is an error.
"""

from __future__ import annotations

import mmap
import os
from types import TracebackType
from typing import NamedTuple

from transforms.tar_index import index_headers


class Extent(NamedTuple):
    suffix: str
    start: int
    size: int


class ShardReader:
    """Samples of a local shard by number; a context manager. Raises OSError where the file is no shard of ours."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:  # mmap answers it with a ValueError
                raise OSError(f"{path}: expected a shard, found a file of zero bytes")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        index = index_headers(self._data)
        if index.problems:
            problem = index.problems[0]
            raise OSError(f"{path}@{problem.offset}: expected a member, found {problem.error}: {problem.message}")
        self.keys: list[str] = []
        self._extents: list[list[Extent]] = []
        for name, start, size in index.members:
            self._add(name, Extent(name.partition(".")[2], start, size))

    def _add(self, name: str, extent: Extent) -> None:
        key = name.partition(".")[0]
        if not self.keys or self.keys[-1] != key:
            self.keys.append(key)
            self._extents.append([])
        self._extents[-1].append(extent)

    def __enter__(self) -> ShardReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.close()

    def __len__(self) -> int:
        return len(self.keys)

    def extents(self, index: int) -> list[Extent]:
        """Where the members of a sample lie, in order."""
        return self._extents[index]

    def __getitem__(self, index: int) -> dict[str, bytes]:
        """The members of a sample by suffix (`jpg`, `0.png`, `txt`, `json`)."""
        return {suffix: self._data[start : start + size] for suffix, start, size in self._extents[index]}
