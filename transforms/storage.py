"""Where files lie: a small storage protocol, and the local file system behind it.

A URI without a scheme, or with file://, is a local path; s3:// and gs:// are transforms/object_store.py. Another scheme
is served only after somebody has put a factory for it into `REMOTE`; transforms/beam/storage.py does so for hdfs.
Left out on purpose: retries and credentials (the remote storages' business), fsync (the manifest is the commit, and a
shard that a power cut emptied fails its sha256).
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import shutil
import stat as modes
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import BinaryIO, Protocol
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

TEMPORARY = ".tmp-"
"""What every unfinished file's name begins with: hidden from `list` and from globs."""
OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""A full disk and its like: the next machine, or the next try, may read the file well."""
COPY_BYTES = 1 << 20


class StoreUnavailable(OSError):
    """A passing fault of a store that outlived all retries: 5xx, throttling, a time-out, a cut connection.

    It says nothing about the file, so it is never a bad input: readers let it through, and it stops the run.
    """


def is_of_file(error: OSError) -> bool:
    """Whether an error says something of the file: what is of the store or of the machine stops the run."""
    return not isinstance(error, StoreUnavailable) and error.errno not in OF_THE_MACHINE


class FileStat(msgspec.Struct, frozen=True, order=True):
    uri: str
    size: int
    """Bytes."""
    modified: float
    """Seconds since the epoch; 0.0 where the storage does not tell."""


Files = list[FileStat]
"""Under a name of its own, because the storages' method `list` hides the type inside their classes."""


class Storage(Protocol):
    """What the pipelines ask of a storage. Whatever goes wrong with a file is an OSError naming its URI."""

    def open(self, uri: str) -> BinaryIO:
        """A seekable file for reading. An object store may say only at the first read that there is none."""

    def read(self, uri: str, start: int, end: int) -> bytes:
        """Exactly the bytes `[start, end)`; OSError with expected and found where the file is shorter."""

    def stream(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        """The same bytes in pieces, in one request: for ranges that need not be in memory at once."""

    def create(self, uri: str) -> AbstractContextManager[BinaryIO]:
        """A file for writing that appears whole under its name when the block ends well, and not at all otherwise."""

    def write(self, uri: str, data: bytes) -> None: ...

    def claim(self, uri: str, data: bytes) -> bool:
        """Writes `data` only where no file stands, whole or not at all; False where one does. One of many wins."""

    def exists(self, uri: str) -> bool: ...

    def stat(self, uri: str) -> FileStat: ...

    def list(self, folder: str) -> Files:
        """The finished files directly in `folder`, each as `join(folder, name)`; none where there is no such folder."""

    def match(self, pattern: str) -> Files:
        """The files whose URI is or matches `pattern` (`*` within a name, `**` over folders), by URI."""

    def delete(self, uri: str) -> None:
        """Removes one file; nothing happens where there is none."""

    def fetch(self, uri: str, folder: str) -> str:
        """The path of a local copy: the file itself where it is local, else downloaded into `folder` in one pass."""


class LocalStorage:
    """The local (or mounted) file system. Only regular files are files: a FIFO or device must not stall a run."""

    def open(self, uri: str) -> BinaryIO:
        return open(_regular(local_path(uri)), "rb")

    def read(self, uri: str, start: int, end: int) -> bytes:
        with self.open(uri) as file:
            return read_range(file, uri, start, end)

    def stream(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        with self.open(uri) as file:
            yield from read_pieces(file, uri, start, end)

    @contextmanager
    def create(self, uri: str) -> Iterator[BinaryIO]:
        path = local_path(uri)
        temporary = _temporary(path)
        try:
            with open(temporary, "xb") as file:
                yield file
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def write(self, uri: str, data: bytes) -> None:
        with self.create(uri) as file:
            file.write(data)

    def claim(self, uri: str, data: bytes) -> bool:
        path = local_path(uri)
        temporary = _temporary(path)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
            os.link(temporary, path)  # unlike a rename it fails where the name is taken
        except FileExistsError:
            return False
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        return True

    def exists(self, uri: str) -> bool:
        return os.path.isfile(local_path(uri))

    def stat(self, uri: str) -> FileStat:
        path = local_path(uri)
        found = os.stat(_regular(path))
        return FileStat(path, found.st_size, found.st_mtime)

    def list(self, folder: str) -> Files:
        path = local_path(folder)
        if not os.path.isdir(path):
            return []
        names = sorted(name for name in os.listdir(path) if not name.startswith(TEMPORARY))
        found = [(name, os.path.join(path, name)) for name in names]
        files: Files = []
        for name, file in found:
            with suppress(FileNotFoundError):  # another process removed it since the listing
                if os.path.isfile(file):
                    # Spelled as the folder was asked for: whoever compares with `join(folder, name)` must find it.
                    files.append(replace(self.stat(file), uri=join(folder, name)))
        return files

    def match(self, pattern: str) -> Files:
        path = local_path(pattern)
        found = [path] if os.path.lexists(path) else glob.glob(path, recursive=True)
        return [self.stat(name) for name in sorted(set(map(os.path.normpath, found))) if os.path.isfile(name)]

    def delete(self, uri: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(local_path(uri))

    def fetch(self, uri: str, folder: str) -> str:
        return _regular(local_path(uri))


def _objects(scheme: str) -> Storage:
    # Imported when it is asked for: obstore is an extra, and a local run needs none of it.
    from transforms.object_store import ObjectStorage

    return ObjectStorage(scheme)


REMOTE: dict[str, Callable[[], Storage]] = {scheme: partial(_objects, scheme) for scheme in ("s3", "gs")}
"""Factories of the storages other than the local one, by scheme."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOCAL = LocalStorage()


def storage_for(uri: str) -> Storage:
    """The storage that serves `uri`; ValueError where nothing is registered for its scheme."""
    scheme = scheme_of(uri)
    if scheme in ("", "file"):
        return _LOCAL
    if scheme not in REMOTE:
        known = ", ".join(f"{name}://" for name in sorted(REMOTE)) or "none"
        raise ValueError(
            f"{uri}: expected a local path or one of the registered schemes ({known}), found {scheme}://; "
            "hdfs comes with transforms.beam.storage.register() and apache-beam[hadoop]"
        )
    return REMOTE[scheme]()


def scheme_of(uri: str) -> str:
    """The scheme in lower case; empty for a plain path."""
    match = _SCHEME.match(uri)
    return match.group(1).lower() if match else ""


def local_path(uri: str) -> str:
    """The path behind a plain path or a file:// URI."""
    return unquote(uri[len("file://") :]) if uri[:7].lower() == "file://" else uri


def join(uri: str, *names: str) -> str:
    """`uri` as a folder, then `names`, with one slash between each two."""
    parts = [uri.rstrip("/") if uri.strip("/") else "", *(name.strip("/") for name in names)]
    return "/".join(parts) if names else uri


def folder_of(uri: str) -> str:
    """The folder a file lies in: "." for a bare local name."""
    head, slash, _ = uri.rpartition("/")
    return head or (slash or ".")


def read_range(file: BinaryIO, uri: str, start: int, end: int) -> bytes:
    """Exactly `[start, end)` of an open file; OSError with expected and found where it is shorter."""
    if not 0 <= start <= end:
        raise ValueError(f"{uri}: expected 0 <= start <= end, found {start} and {end}")
    file.seek(start)
    data = file.read(end - start)
    if len(data) != end - start:
        raise OSError(f"{uri}@{start}-{end}: expected {end - start} bytes, found {len(data)}")
    return data


def read_pieces(file: BinaryIO, uri: str, start: int, end: int) -> Iterator[bytes]:
    """As `read_range`, a piece at a time."""
    while start < end:
        piece = min(end, start + COPY_BYTES)
        yield read_range(file, uri, start, piece)
        start = piece


def copy_path(uri: str, folder: str) -> str:
    """Where a copy of `uri` goes in `folder`. Two who copy one file never share: one would remove the other's."""
    name = f"{hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()}-{uuid.uuid4().hex[:8]}"
    return os.path.join(folder, f"{name}-{uri.rpartition('/')[2][-100:]}")


def download(storage: Storage, uri: str, folder: str) -> str:
    """A copy of a remote file in `folder`, read from start to end."""
    path = copy_path(uri, folder)
    with storage.open(uri) as source, _LOCAL.create(path) as target:
        shutil.copyfileobj(source, target, COPY_BYTES)
    return path


def _temporary(path: str) -> str:
    """An unfinished file's name beside `path`, whose folder is made."""
    folder, name = os.path.split(path)
    os.makedirs(folder or ".", exist_ok=True)
    # 200: a name may have 255 bytes on the common file systems, and prefix and suffix need 38 of them.
    return os.path.join(folder, f"{TEMPORARY}{name[:200]}.{uuid.uuid4().hex}")


def _regular(path: str) -> str:
    """`path`, when a regular file lies there: opening a FIFO would wait for ever."""
    mode = os.stat(path).st_mode
    if not modes.S_ISREG(mode):
        raise OSError(f"{path}: expected a regular file, found {_KINDS.get(modes.S_IFMT(mode), 'a device')}")
    return path


_KINDS = {modes.S_IFDIR: "a folder", modes.S_IFIFO: "a FIFO", modes.S_IFSOCK: "a socket"}
