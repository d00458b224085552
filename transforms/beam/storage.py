"""HDFS as a Storage, through Beam's FileSystems.

Options (`--hdfs_host`, `--hdfs_port`, `--hdfs_user`) are Beam's own; Beam hands them to FileSystems when a Pipeline is
made and in each worker, and whoever works outside a pipeline calls `FileSystems.set_options` first.
Left out on purpose: s3:// and gs://, which need no Beam (transforms/object_store.py), and FileSystems.rename: a file is
spooled locally and sent to its final name, and an upload that fails is deleted.
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems

from transforms.storage import (
    COPY_BYTES,
    REMOTE,
    TEMPORARY,
    Files,
    FileStat,
    Storage,
    download,
    join,
    read_pieces,
    read_range,
)

# scheme: (package Beam needs for it, what to install)
REQUIRED = {"hdfs": ("hdfs", "apache-beam[hadoop]")}
SPOOL_BYTES = 64 << 20
"""Up to here a file waits in memory, above it in a temporary file."""
READ_BYTES = 64 << 10
"""Beam's own readers fetch 16 MiB for each seek; spans are mostly smaller than a tenth of that."""


def register() -> None:
    """Makes `storage_for` serve hdfs:// too. Repeated calls change nothing."""
    REMOTE.update({scheme: _factory(scheme) for scheme in REQUIRED})


def _factory(scheme: str) -> Callable[[], Storage]:
    def build() -> Storage:
        package, extra = REQUIRED[scheme]
        if not _installed(package):
            raise ImportError(f"{scheme}:// expects the package {package}: pip install '{extra}'")
        return BeamStorage()

    return build


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent of a dotted name is missing
        return False


class BeamStorage:
    """Files behind Beam's FileSystems. Bytes are as stored: Beam's decompression by file name is turned off."""

    def open(self, uri: str) -> BinaryIO:
        with _as_os_error(uri):
            if not FileSystems.exists(uri):
                raise FileNotFoundError(f"{uri}: expected a file, found none")
            return io.BufferedReader(_Ranges(_open(uri), uri), READ_BYTES)

    def read(self, uri: str, start: int, end: int) -> bytes:
        with self.open(uri) as file:
            return read_range(file, uri, start, end)

    def stream(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        with self.open(uri) as file:
            yield from read_pieces(file, uri, start, end)

    @contextmanager
    def create(self, uri: str) -> Iterator[BinaryIO]:
        # Spooled, because closing Beam's writer after an error publishes the half that was written.
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            yield cast(BinaryIO, spool)
            spool.seek(0)
            with _as_os_error(uri):
                _upload(cast(BinaryIO, spool), uri)

    def write(self, uri: str, data: bytes) -> None:
        with self.create(uri) as file:
            file.write(data)

    def claim(self, uri: str, data: bytes) -> bool:
        """Not atomic: Beam's FileSystems have no write that fails where a file stands."""
        if self.exists(uri):
            return False
        self.write(uri, data)
        return True

    def exists(self, uri: str) -> bool:
        with _as_os_error(uri):
            return bool(FileSystems.exists(uri))

    def stat(self, uri: str) -> FileStat:
        with _as_os_error(uri):
            return _stat(FileSystems.get_filesystem(uri).metadata(uri))

    def list(self, folder: str) -> Files:
        found = self.match(join(folder, "*"))
        return [file for file in found if not file.uri.rpartition("/")[2].startswith(TEMPORARY)]

    def match(self, pattern: str) -> Files:
        with _as_os_error(pattern):
            (found,) = FileSystems.match([pattern])
        return sorted(_stat(file) for file in found.metadata_list if not file.path.endswith("/"))

    def delete(self, uri: str) -> None:
        with _as_os_error(uri):
            if FileSystems.exists(uri):
                FileSystems.delete([uri])

    def fetch(self, uri: str, folder: str) -> str:
        return download(self, uri, folder)


class _Ranges(io.RawIOBase):
    """One remote file for reading. Asks for as many bytes as its caller wants, and raises nothing but OSError."""

    def __init__(self, file: BinaryIO, uri: str):
        self._file = file
        # Under Beam's BufferedReader, whose 16 MiB buffer would be filled for each span.
        self._raw: Any = getattr(file, "raw", file)
        self._uri = uri

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _as_os_error(self._uri):
            return int(self._raw.seek(offset, whence))

    def tell(self) -> int:
        return int(self._raw.tell())

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _as_os_error(self._uri):
            return int(self._raw.readinto(buffer))

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _open(uri: str) -> BinaryIO:
    return FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED)


def _upload(source: BinaryIO, uri: str) -> None:
    target = FileSystems.create(uri, compression_type=CompressionTypes.UNCOMPRESSED)
    try:
        shutil.copyfileobj(source, target, COPY_BYTES)
        target.close()
    except BaseException:
        with suppress(Exception):  # the upload's own error is the one to report
            target.close()
            FileSystems.delete([uri])
        raise


def _stat(file: FileMetadata) -> FileStat:
    return FileStat(file.path, file.size_in_bytes, float(file.last_updated_in_seconds or 0.0))


@contextmanager
def _as_os_error(uri: str) -> Iterator[None]:
    """Beam lets each client's own errors through (HdfsError is not an OSError); readers know OSError only."""
    try:
        yield
    except (OSError, ImportError):
        raise
    except Exception as error:
        raise OSError(f"{uri}: {type(error).__name__}: {error}") from error
