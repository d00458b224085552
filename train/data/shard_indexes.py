"""Member indexes of shards: the one beside a shard of ours, else one built from its headers and kept in a cache.

Of local shards the file is mapped, so that all processes of a machine share its pages; of remote ones it is held. The
last ones stay open. The cache is a folder outside the set; a file's name there holds the shard's URI, size and
time, so that another shard of that name gets another index, and two who build the same write the same bytes.
Left out on purpose: what an index looks like (transforms/member_index.py).
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from train.data.errors import DataError
from transforms.member_index import MemberIndex, format_index, group_samples
from transforms.storage import LocalStorage, folder_of, join, local_path, scheme_of, storage_for
from transforms.tar_index import TarProblem, walk_headers

MOST_MAPPED = 16_384
"""Indexes of local shards open in a process. Linux gives it 65,530 maps; their pages are the page cache's."""
MOST_HELD = 2_048
"""The same once one is of a remote shard, which is held: about 80 bytes a sample."""


class Shard(NamedTuple):
    """`samples` is what the set states, -1 where it states nothing. `member_index`: (name beside the shard, sha256)."""

    uri: str
    samples: int
    bytes: int
    sha256: str = ""
    member_index: tuple[str, str] | None = None


class TarDamaged(DataError):
    """A tar without index of ours that cannot be read to its end."""


def default_cache() -> str:
    """`$XDG_CACHE_HOME/beamsift/indexes`, or the same below ~/.cache."""
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"), "beamsift", "indexes")


class ShardIndexes:
    """Indexes by shard, for any number of threads. `damaged`: whether the samples before a tar's damage are used."""

    def __init__(self, cache: str = "", *, damaged: bool = False) -> None:
        self._cache, self._damaged = cache or default_cache(), damaged
        self._open: OrderedDict[str, MemberIndex] = OrderedDict()
        self._lock = threading.Lock()
        self.problems: dict[str, TarProblem] = {}
        """Of damaged tars that are used, by URI."""

    def __getstate__(self) -> dict[str, Any]:
        return {"_cache": self._cache, "_damaged": self._damaged}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_cache"], damaged=state["_damaged"])  # type: ignore[misc]

    def __getitem__(self, shard: Shard) -> MemberIndex:
        """Raises DataError where the index is not the shard's, and as the storage."""
        with self._lock:
            if shard.uri in self._open:
                self._open.move_to_end(shard.uri)
                return self._open[shard.uri]
        index = self._read(shard) if shard.member_index else self.build(shard)
        if shard.samples not in (-1, len(index)) and shard.uri not in self.problems:
            raise DataError(
                f"{shard.uri}: expected {shard.samples:,} samples, found {len(index):,} by its member index"
            )
        with self._lock:
            self._open[shard.uri] = index
            while len(self._open) > (MOST_MAPPED if _is_local(shard.uri) else MOST_HELD):
                self._open.popitem(last=False)
        return index

    def _read(self, shard: Shard) -> MemberIndex:
        name, sha256 = shard.member_index or ("", "")
        uri = join(folder_of(shard.uri), name)
        data = _mapped(local_path(uri)) if _is_local(uri) else _held(uri)
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise DataError(f"{uri}: expected the member index of the manifest, sha256 {sha256}, found {found}")
        return _parsed(data, uri, shard)

    def build(self, shard: Shard) -> MemberIndex:
        """From the cache, or from the shard's headers. Raises TarDamaged where they end before the tar does."""
        stat = storage_for(shard.uri).stat(shard.uri)
        made_of = f"{stat.uri}\0{stat.size}\0{stat.modified!r}".encode()
        path = os.path.join(self._cache, f"{hashlib.blake2b(made_of, digest_size=16).hexdigest()}.idx")
        if os.path.isfile(path):
            try:
                return _parsed(_mapped(path), path, shard)
            except DataError:  # cut by a full disk; it is made again
                os.unlink(path)
        data, problem = _walk(shard.uri)
        if problem is None:
            LocalStorage().write(path, data)
        elif not self._damaged:
            told = f"{problem.error}: {problem.message}"
            raise TarDamaged(f"{shard.uri}@{problem.offset}: expected a whole tar, found {told}")
        else:
            self.problems[shard.uri] = problem
        return _parsed(data, path, shard)


def _is_local(uri: str) -> bool:
    return scheme_of(uri) in ("", "file")


def _parsed(data: Any, uri: str, shard: Shard) -> MemberIndex:
    try:
        index = MemberIndex(memoryview(data), uri)
    except ValueError as error:
        raise DataError(str(error)) from error
    if index.shard_bytes != shard.bytes:
        raise DataError(f"{uri}: expected an index of {shard.bytes:,} bytes, found one of {index.shard_bytes:,}")
    return index


def _mapped(path: str) -> Any:
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _held(uri: str) -> bytes:
    with storage_for(uri).open(uri) as file:
        return file.read()


def _walk(uri: str) -> tuple[bytes, TarProblem | None]:
    """The index of a tar, and what ends it too early; a link or another odd member does not."""
    with tempfile.TemporaryDirectory(prefix="beamsift-") as folder:
        data = _mapped(storage_for(uri).fetch(uri, folder))
        if data[:2] == b"\x1f\x8b":
            raise DataError(f"{uri}: expected a tar that can be read at any place, found a gzip; unpack it")
        found, end = walk_headers(data)
        index = format_index(group_samples(found.members), len(data))
    return index, next((problem for problem in found.problems if problem.offset == end), None)
