"""What a conversion writes: tars of documents, or files of records with the pictures' tars beside them.

`shards/000000.tar` (beamsift, MINT-1T); `records/000000.parquet|jsonl` and, where bytes are there,
`pictures/000000.tar` with `{row:06d}.{n}.jpg`, row and number of the picture in the file of records.
Every file appears whole under its name or not at all; its bytes are a function of its rows.
Left out on purpose: which documents there are (pipelines/convert.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.picture_headers import PictureError
from transforms.shards import EXTENSIONS, Member, ShardInfo, ShardWriter
from transforms.storage import join, storage_for
from transforms.tiff_frames import format_frames, parse_frames

ROWS_AT_ONCE = 256
"""Rows of a Parquet row group: bounds what is held."""
_NUMBERS = ("fluency_prob", "non_advertisement_prob", "politics_prob", "porn_prob", "toxic_prob")
_SAID = {
    **dict.fromkeys(("aesthetic_prob", "unsafe_prob"), pa.float64()),
    **dict.fromkeys(("bytes", "d_hash_dup_count", "height", "p_hash_dup_count", "width"), pa.int64()),
    **dict.fromkeys(("d_hash", "img_url_sha", "p_hash"), pa.string()),
}
_GENERAL = {
    **dict.fromkeys(_NUMBERS, pa.float64()),
    "domain": pa.list_(pa.string()),
    "id": pa.string(),
    "url": pa.string(),
}
_TEXTS = pa.list_(pa.string())
COLUMNS = {
    "obelics": pa.schema({"images": _TEXTS, "metadata": pa.string(), "general_metadata": pa.string(), "texts": _TEXTS}),
    "omnicorpus": pa.schema(
        {
            "general_metadata": pa.struct(dict(sorted(_GENERAL.items()))),
            "images": _TEXTS,
            "texts": _TEXTS,
            "metadata": pa.list_(pa.struct(dict(sorted(_SAID.items())))),
        }
    ),
}
"""As the data sets' cards list them."""


class Shown(NamedTuple):
    """A picture that a record holds, its format as sniffed, and its bytes where they are there."""

    format: str
    data: bytes | None


class Sink(Protocol):
    """Takes documents one by one; `close` ends the last file and says what was written."""

    def add(self, record: Any, pictures: list[Shown]) -> None: ...

    def close(self) -> list[ShardInfo]: ...


class _Hashed:
    """A file that is written once from start to end, its size and hash kept. Enough of a file for pyarrow."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size, self.hash, self.closed = file, 0, hashlib.sha256(), False

    def write(self, data: Any) -> int:
        written = bytes(data)
        self._file.write(written)
        self.hash.update(written)
        self.size += len(written)
        return len(written)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Files:
    """Numbered files of `rows` documents each, opened when the first document comes. A context manager by `stack`."""

    def __init__(self, output: str, rows: int, stack: ExitStack) -> None:
        self.output, self.rows, self._outer = output, rows, stack
        self.infos: list[ShardInfo] = []
        self.number, self.row = -1, rows
        self._open = ExitStack()
        stack.push(self._unwind)

    def _unwind(self, *error: Any) -> bool | None:
        return self._open.__exit__(*error)

    def next_row(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        if self.row == self.rows:
            if self.number >= 0:
                end()
            self.number, self.row = self.number + 1, 0
            begin()
        self.row += 1

    def create(self, name: str) -> BinaryIO:
        return self._open.enter_context(storage_for(self.output).create(join(self.output, name)))

    def finish(self) -> None:
        """The open files appear under their names."""
        self._open.close()


class TarSink:
    """Shards of members; `record` is the sample's members already."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._writer: ShardWriter | None = None

    def add(self, record: list[Member], pictures: list[Shown]) -> None:
        self._files.next_row(self._begin, self._end)
        assert self._writer is not None
        self._writer.add(record)

    def _begin(self) -> None:
        name = f"shards/{self._files.number:06d}.tar"
        self._writer = ShardWriter(self._files.create(name), name)

    def _end(self) -> None:
        if self._writer is not None:
            self._files.infos.append(self._writer.finish())
            self._files.finish()
            self._writer = None

    def close(self) -> list[ShardInfo]:
        self._end()
        return self._files.infos


class RecordSink:
    """Files of records, JSONL or Parquet by `columns`, and tars of pictures beside them."""

    def __init__(self, files: Files, columns: pa.Schema | None) -> None:
        self._files, self._columns = files, columns
        self._file: _Hashed | None = None
        self._parquet: pq.ParquetWriter | None = None
        self._waiting: list[dict[str, Any]] = []
        self._pictures: ShardWriter | None = None

    def add(self, record: dict[str, Any], pictures: list[Shown]) -> None:
        self._files.next_row(self._begin, self._end)
        assert self._file is not None
        if self._columns is None:
            self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        else:
            self._waiting.append(record)
            if len(self._waiting) == ROWS_AT_ONCE:
                self._flush()
        row = self._files.row - 1
        members = [
            (f"{row:06d}.{n}.{EXTENSIONS[shown.format]}", shown.data)
            for n, shown in enumerate(pictures)
            if shown.data is not None
        ]
        if members:
            self._picture_tar().add(members)

    def _name(self) -> str:
        return f"records/{self._files.number:06d}.{'jsonl' if self._columns is None else 'parquet'}"

    def _begin(self) -> None:
        self._file = _Hashed(self._files.create(self._name()))
        if self._columns is not None:
            self._parquet = pq.ParquetWriter(self._file, self._columns, compression="zstd")

    def _picture_tar(self) -> ShardWriter:
        if self._pictures is None:
            name = f"pictures/{self._files.number:06d}.tar"
            self._pictures = ShardWriter(self._files.create(name), name)
        return self._pictures

    def _flush(self) -> None:
        if self._parquet is not None and self._waiting:
            self._parquet.write_table(pa.Table.from_pylist(self._waiting, schema=self._columns))
            self._waiting = []

    def _end(self) -> None:
        if self._file is None:
            return
        self._flush()
        if self._parquet is not None:
            self._parquet.close()
        infos = self._files.infos
        infos.append(ShardInfo(self._name(), self._files.row, self._file.size, self._file.hash.hexdigest()))
        if self._pictures is not None:
            infos.append(self._pictures.finish())
        self._files.finish()
        self._file = self._parquet = self._pictures = None

    def close(self) -> list[ShardInfo]:
        self._end()
        return self._files.infos


def mint_members(key: str, record: dict[str, Any], pictures: list[Shown]) -> list[Member]:
    """A document of MINT-1T: pictures as frames of one TIFF where all are TIFFs that the pool named, else members."""
    document = (f"{key}.json", json.dumps(record, ensure_ascii=False, sort_keys=True).encode())
    named = not any(name is not None and name.startswith(f"{key}.") for name in record["images"])
    if named and (tiff := _one_tiff(pictures)) is not None:
        return [(f"{key}.tiff", tiff), document]
    members = [
        (f"{key}.{n}.{EXTENSIONS[shown.format]}", shown.data)
        for n, shown in enumerate(pictures)
        if shown.data is not None
    ]
    return [*members, document]


def _one_tiff(pictures: list[Shown]) -> bytes | None:
    """All pictures as frames of one file; None where one of them cannot be such a frame."""
    held = [shown.data for shown in pictures if shown.data is not None and shown.format == "tiff"]
    if len(held) < 2 or len(held) != len(pictures):
        return None
    try:
        frames = [frame for data in held for frame in parse_frames(data)]
        return format_frames(frames) if len(frames) == len(held) else None
    except (PictureError, ValueError):  # a BigTIFF, two byte orders: they stay files of their own
        return None
