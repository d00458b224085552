"""From a reference to bytes: the one way a picture's bytes are read again after its scan.

A `SpanReader` keeps the last few files open, because plans visit spans in the order of their files. Of remote files it
reads neighbours in one request, where it was told what will be asked for (transforms/ranges.py). What cannot be cut is
read as it is: a Parquet column chunk in one request, a tar.gz once as a whole. Of a WARC record the bytes are what its
HTTP message carries.
Left out on purpose: decoding (transforms/pictures.py).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from configs.schema.web_reading import WebReadRules
from transforms import data_uris
from transforms.parquet_reader import Broken, picture_bytes, read_column, split_member
from transforms.picture_headers import PictureError
from transforms.ranged_file import RangedFile
from transforms.ranges import Costs, Place
from transforms.records import Recipe, Span
from transforms.run_reader import RunReader
from transforms.staging import stage_column
from transforms.storage import Storage, StoreUnavailable, local_path, read_range, scheme_of, storage_for
from transforms.tar_reader import OpenTar, open_tar
from transforms.tiff_frames import format_frames, parse_frames
from transforms.warc_members import Data, unpack_all
from transforms.warc_reader import open_warc, read_body


def tiff_frame(recipe: Recipe, spans: SpanReader) -> bytes:
    """The `frame`-th frame of the TIFF at the recipe's span, as a file of its own. OSError where it has none."""
    data, number = spans.read(recipe.inputs[0]), int(recipe.arguments["frame"])
    try:
        frame = next(islice(parse_frames(data), number, None), None)
    except PictureError as error:
        raise OSError(f"{recipe.inputs[0].uri}: {error}") from error
    if frame is None:
        raise OSError(f"{recipe.inputs[0].uri}: expected a frame {number}, found fewer")
    return format_frames([frame])


RECIPES: dict[str, Callable[[Recipe, SpanReader], bytes]] = {
    data_uris.FUNCTION: data_uris.read_data_uri,
    "tiff_frame": tiff_frame,
}
"""Pure functions that make a picture's bytes from a recipe's arguments and the spans it reads."""


Made = TypeVar("Made")


class _Source(Protocol):
    def read(self, span: Span) -> bytes: ...

    def close(self) -> None: ...


class SpanReader:
    """Reads spans; use it as a context manager. Not thread-safe: one for each worker.

    `staging` is a local folder for what cannot be read in place: a decompressed tar.gz lies there as an unnamed file.
    Up to `open_files` sources are held open, each with what it has cached (Parquet: one row group's column). `web` are
    the limits under which a WARC's records were read.
    """

    def __init__(
        self,
        staging: str,
        *,
        storage_of: Callable[[str], Storage] = storage_for,
        open_files: int = 4,
        costs: Costs | None = None,
        web: WebReadRules | None = None,
    ) -> None:
        self._staging = staging
        self._storage_of = storage_of
        self._open_files = open_files
        self._web = web or WebReadRules()
        self._runs = RunReader(storage_of, costs)
        self._sources: OrderedDict[tuple[str, str], _Source] = OrderedDict()
        self._made: tuple[Any, Any] = (None, None)

    def __enter__(self) -> SpanReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runs.close()
        while self._sources:
            self._sources.popitem()[1].close()

    def expect(self, sources: Iterable[Span | Recipe]) -> None:
        """What will be read, in order: spans of remote files then come in merged requests. Others cost one each."""
        self._runs.expect(_place(span) for source in sources for span in _spans(source) if _is_ranged(span))

    def read(self, span: Span) -> bytes:
        """The span's bytes; OSError with expected and found where they are not there (any more)."""
        data = self._read(span)
        if span.container not in ("warc", "warc.gz"):
            return data
        try:
            return read_body(data, self._web)
        except OSError as error:
            raise OSError(f"{span.uri}@{span.start}-{span.end}: {error}") from error

    def once(self, span: Span, make: Callable[[bytes], Made]) -> Made:
        """What `make` makes of the span's bytes; held until another span is asked for. OSError as `read`."""
        if self._made[0] != (span, make):
            self._made = (span, make), make(self.read(span))
        return cast(Made, self._made[1])

    def _read(self, span: Span) -> bytes:
        if self._runs.planned and (data := self._runs.read(_place(span))) is not None:
            return data
        key = (span.uri, span.container)
        if key not in self._sources:
            while len(self._sources) >= self._open_files:
                self._sources.popitem(last=False)[1].close()
            self._sources[key] = self._open(span)
        self._sources.move_to_end(key)
        return self._sources[key].read(span)

    def _open(self, span: Span) -> _Source:
        if span.container == "warc.gz":
            return _GzipWarc(self._storage_of(span.uri), span.uri, self._staging, self._web)
        if span.container not in _SOURCES:
            raise ValueError(f"{span.uri}: expected a container of {sorted(_SOURCES)}, found {span.container!r}")
        return _SOURCES[span.container](self._storage_of(span.uri), span.uri, self._staging)


def materialise(source: Span | Recipe, spans: SpanReader) -> bytes:
    """The bytes behind a picture's reference. OSError as `SpanReader.read`, ValueError for an unknown recipe."""
    if isinstance(source, Span):
        return spans.read(source)
    if source.function not in RECIPES:
        raise ValueError(f"expected a recipe of {sorted(RECIPES)}, found {source.function!r}")
    return RECIPES[source.function](source, spans)


def _spans(source: Span | Recipe) -> Iterator[Span]:
    if isinstance(source, Span):
        yield source
    else:
        yield from source.inputs


def _is_ranged(span: Span) -> bool:
    """Whether the span is a byte range of a file that is not on this machine."""
    return span.container in ("tar", "file", "warc") and scheme_of(span.uri) not in ("", "file")


def _place(span: Span) -> Place:
    return Place(span.uri, span.start, span.end)


class _File:
    """A file whose spans are byte ranges: `tar`, `file` and `warc`."""

    def __init__(self, storage: Storage, uri: str, staging: str) -> None:
        self._file: BinaryIO = storage.open(uri)
        if isinstance(self._file, RangedFile):
            self._file.expect_exact_reads()

    def read(self, span: Span) -> bytes:
        return read_range(self._file, span.uri, span.start, span.end)

    def close(self) -> None:
        self._file.close()


class _GzipTar:
    """A tar.gz: spans are ranges of the decompressed stream, which is made again for this reader."""

    def __init__(self, storage: Storage, uri: str, staging: str) -> None:
        os.makedirs(staging, exist_ok=True)
        path = storage.fetch(uri, staging)
        self._tar: OpenTar = open_tar(path, staging)
        if path != local_path(uri):
            os.unlink(path)

    def read(self, span: Span) -> bytes:
        return _cut(self._tar.data, span)

    def close(self) -> None:
        self._tar = OpenTar(b"", "tar.gz")


def _cut(stream: Data, span: Span) -> bytes:
    data = stream[span.start : span.end]
    if len(data) != span.end - span.start:
        place = f"{span.uri}@{span.start}-{span.end}"
        raise OSError(f"{place}: expected {span.end - span.start} bytes, found {len(data)}")
    return data


class _GzipWarc:
    """A WARC that is one gzip stream: spans are ranges of what it unpacks to, as for a tar.gz."""

    def __init__(self, storage: Storage, uri: str, staging: str, rules: WebReadRules) -> None:
        os.makedirs(staging, exist_ok=True)
        path = storage.fetch(uri, staging)
        try:
            limits = (rules.max_unpacked_bytes, rules.max_unpacked_ratio)
            self._data: Data = unpack_all(open_warc(path), staging, limits)
        finally:
            if path != local_path(uri):
                os.unlink(path)

    def read(self, span: Span) -> bytes:
        return _cut(self._data, span)

    def close(self) -> None:
        self._data = b""


class _Parquet:
    """A Parquet file: spans are rows; a row group's column is read once and kept until another one is asked for.

    Of a remote file a column chunk is one request, into an unnamed file.
    """

    def __init__(self, storage: Storage, uri: str, staging: str) -> None:
        self._storage, self._uri, self._staging = storage, uri, staging
        self._column = ""
        self._first = 0
        self._values: Any = ()

    def read(self, span: Span) -> bytes:
        place = f"{span.uri}@{span.start}-{span.end}"
        column, index = split_member(span.member)
        try:
            if self._column != column or not 0 <= span.start - self._first < len(self._values):
                self._values = ()
                with self._open(span.start, column) as file:
                    self._first, self._values = read_column(file, span.start, column)
                self._column = column
            cell = self._values[span.start - self._first]
            data = picture_bytes(cell if index is None else cell.values[index])
        except StoreUnavailable:
            raise
        except (*Broken, KeyError, IndexError, TypeError) as error:  # the last two: a cell without such an item
            raise OSError(f"{place}: expected a picture in column {span.member!r}, found: {error}") from error
        if data is None:
            raise OSError(f"{place}: expected bytes in column {span.member!r}, found none")
        return bytes(data)

    def _open(self, row: int, column: str) -> BinaryIO:
        if scheme_of(self._uri) in ("", "file"):
            return self._storage.open(self._uri)
        path = stage_column(self._storage, self._uri, (row, column), self._staging)
        try:
            return open(path, "rb")
        finally:
            os.unlink(path)

    def close(self) -> None:
        self._values = ()


_SOURCES: dict[str, Callable[[Storage, str, str], _Source]] = {
    "tar": _File,
    "file": _File,
    "warc": _File,
    "tar.gz": _GzipTar,
    "parquet": _Parquet,
}
