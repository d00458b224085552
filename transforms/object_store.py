"""Objects in s3:// and gs:// as files, through obstore: one code path for both.

An object appears only when it is complete, so a file is spooled locally and put under its final name in one upload; a
rename would be copy and delete. A read is one ranged request without a question before it; obstore tries again what
fails on the way (a body that breaks off is resumed by range), and what outlives that is a StoreUnavailable.
Left out on purpose: clients, keys and retries (transforms/store_clients.py), which bytes to ask for together
(transforms/ranges.py), keys with empty, "." or ".." segments, which obstore cannot spell.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from transforms.object_listing import glob_objects, is_glob
from transforms.ranged_file import RangedFile
from transforms.storage import COPY_BYTES, TEMPORARY, Files, FileStat, LocalStorage, copy_path, join
from transforms.store_clients import again, as_os_error, client_for, library

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta
    from obstore.store import ObjectStore

SPOOL_BYTES = 16 << 20
"""Up to here a file waits in memory and goes up in one request; above it waits on disk and goes up in parts."""
PART_BYTES = 16 << 20
MOST_PARTS = 9_000
"""S3 takes 10,000."""
PARTS_AT_ONCE = 4


@dataclass
class Traffic:
    """What this process has asked of object stores: calls by verb (a retry is none of its own), and bytes."""

    requests: Counter[str] = field(default_factory=Counter)
    bytes_read: int = 0
    bytes_written: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, verb: str, *, read: int = 0, written: int = 0, requests: int = 1) -> None:
        with self._lock:
            self.requests[verb] += requests
            self.bytes_read += read
            self.bytes_written += written


TRAFFIC = Traffic()


class ObjectStorage:
    """The files of one scheme. Holds nothing; clients are the process's. ImportError naming the extra to install."""

    def __init__(self, scheme: str) -> None:
        library(scheme)
        self._scheme = scheme

    def open(self, uri: str) -> BinaryIO:
        return cast(BinaryIO, RangedFile(partial(self._get, uri)))

    def read(self, uri: str, start: int, end: int) -> bytes:
        if not 0 <= start <= end:
            raise ValueError(f"{uri}: expected 0 <= start <= end, found {start} and {end}")
        data = self._get(uri, start, end)[0] if start < end else memoryview(b"")
        _check_length(uri, start, end, len(data))
        return bytes(data)

    def stream(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        found = 0
        if start < end:
            result = self._ask(uri, {"range": (start, end)})
            for piece in _pieces(uri, result):
                found += len(piece)
                yield piece
        _check_length(uri, start, end, found)

    @contextmanager
    def create(self, uri: str) -> Iterator[BinaryIO]:
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            yield cast(BinaryIO, spool)
            self._upload(cast(BinaryIO, spool), uri)

    def write(self, uri: str, data: bytes) -> None:
        with self.create(uri) as file:
            file.write(data)

    def claim(self, uri: str, data: bytes) -> bool:
        """As the protocol says. Where an attempt's answer was lost, an object that holds `data` counts as written by
        it: two claimants must not write the same bytes."""

        def attempt(number: int) -> bool:
            try:
                self._put(uri, data, mode="create")
            except Exception as error:
                if type(error).__name__ not in ("AlreadyExistsError", "PreconditionError"):
                    raise
                return number > 0 and self._holds(uri, data)
            return True

        return again(attempt)

    def exists(self, uri: str) -> bool:
        try:
            self.stat(uri)
        except FileNotFoundError:
            return False
        return True

    def stat(self, uri: str) -> FileStat:
        with self._path(uri) as (store, key):
            import obstore

            TRAFFIC.note("HEAD")
            return self._stat(uri, obstore.head(store, key))

    def list(self, folder: str) -> Files:
        files = again(lambda _: self._list(folder))
        return sorted(file for file in files if not file.uri.rpartition("/")[2].startswith((TEMPORARY, "/")))

    def match(self, pattern: str) -> Files:
        if "*" not in pattern:  # then it may be a plain name, whatever other signs of a glob it holds
            try:
                return [self.stat(pattern)]
            except FileNotFoundError:
                if not is_glob(pattern):
                    return []
        return sorted(again(lambda _: self._glob(pattern)))

    def delete(self, uri: str) -> None:
        with suppress(FileNotFoundError):  # S3 does not tell, GCS does
            again(lambda _: self._delete(uri))

    def fetch(self, uri: str, folder: str) -> str:
        path = copy_path(uri, folder)
        with LocalStorage().create(path) as target:
            result = self._ask(uri, {})
            for piece in _pieces(uri, result):
                target.write(piece)
            _check_length(uri, 0, result.meta["size"], target.tell())
        return path

    @contextmanager
    def _path(self, uri: str, *, folder: bool = False) -> Iterator[tuple[ObjectStore, str]]:
        """The client and the key of a URI; whatever goes wrong in the block is told of `uri`."""
        _, _, bucket, *key = uri.split("/", 3)
        name = "".join(key).strip("/") if folder else "".join(key)
        if not bucket or not (name or folder):
            raise OSError(f"{uri}: expected {self._scheme}://bucket/key")
        with as_os_error(uri):
            yield client_for(self._scheme, bucket), name

    def _list(self, folder: str) -> Files:
        with self._path(folder, folder=True) as (store, key):
            import obstore

            TRAFFIC.note("LIST")
            found = obstore.list_with_delimiter(store, key or None)["objects"]
        return [self._stat(join(folder, item["path"].rpartition("/")[2]), item) for item in found]

    def _glob(self, pattern: str) -> Files:
        with self._path(pattern, folder=True) as (store, key):
            found = list(glob_objects(store, key, partial(TRAFFIC.note, "LIST")))
        bucket = pattern.split("/", 3)[2]
        return [self._stat(f"{self._scheme}://{bucket}/{item['path']}", item) for item in found]

    def _delete(self, uri: str) -> None:
        with self._path(uri) as (store, key):
            import obstore

            TRAFFIC.note("DELETE")
            obstore.delete(store, key)

    def _ask(self, uri: str, options: Any) -> GetResult:
        with self._path(uri) as (store, key):
            import obstore

            TRAFFIC.note("GET")
            return obstore.get(store, key, options=options)

    def _get(self, uri: str, start: int, end: int | None) -> tuple[memoryview, int]:
        """As `ranged_file.Get`."""
        options = {} if (start, end) == (0, None) else {"range": _range(start, end)}
        try:
            result = self._ask(uri, options)
        except OSError as error:
            if not _beyond_end(error):
                raise
            size = self.stat(uri).size  # no range of an empty object can be had, and none behind the end
            return memoryview(b""), size
        with as_os_error(uri):
            data = memoryview(cast(Any, result.bytes()))
        TRAFFIC.note("GET", read=len(data), requests=0)
        first, behind = result.range
        _check_length(uri, first, behind, len(data))
        return data, result.meta["size"]

    def _upload(self, spool: BinaryIO, uri: str) -> None:
        size = spool.seek(0, 2)
        spool.seek(0)
        if size <= SPOOL_BYTES:
            self._put(uri, spool.read())
        else:
            again(lambda _: self._put_parts(uri, spool, size))

    def _put_parts(self, uri: str, spool: BinaryIO, size: int) -> None:
        spool.seek(0)
        part = max(PART_BYTES, -(-size // MOST_PARTS))
        with self._path(uri) as (store, key):
            import obstore

            TRAFFIC.note("PUT", written=size, requests=2 - -size // part)
            obstore.put(store, key, spool, use_multipart=True, chunk_size=part, max_concurrency=PARTS_AT_ONCE)

    def _put(self, uri: str, data: bytes, mode: Any = "overwrite") -> None:
        with self._path(uri) as (store, key):
            import obstore

            TRAFFIC.note("PUT", written=len(data))
            obstore.put(store, key, data, use_multipart=False, mode=mode)

    def _holds(self, uri: str, data: bytes) -> bool:
        try:
            with self.open(uri) as file:
                return file.read() == data
        except FileNotFoundError:  # deleted again since: whoever it was, it is not ours
            return False

    def _stat(self, uri: str, found: ObjectMeta) -> FileStat:
        return FileStat(uri, found["size"], found["last_modified"].timestamp())


def _pieces(uri: str, result: GetResult) -> Iterator[bytes]:
    pieces = iter(result.stream(COPY_BYTES))
    while True:
        with as_os_error(uri):  # around one step: an error of the consumer is none of ours
            piece = next(pieces, None)
        if piece is None:
            return
        TRAFFIC.note("GET", read=len(piece), requests=0)
        yield bytes(piece)


def _range(start: int, end: int | None) -> Any:
    if start < 0:
        return {"suffix": -start}
    return {"offset": start} if end is None else (start, end)


def _beyond_end(error: OSError) -> bool:
    return "status 416" in str(error) or "non-partial response" in str(error)


def _check_length(uri: str, start: int, end: int, found: int) -> None:
    if found != end - start:
        raise OSError(f"{uri}@{start}-{end}: expected {end - start} bytes, found {found}")
