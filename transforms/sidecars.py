"""Sidecars: what a stage leaves beside a unit of work so that no later stage, and no resume, needs the pictures again.

An Arrow IPC file of opaque records in row order, so that any range of rows can be read alone. The schema carries the
fingerprint of what made it; an empty last batch carries the totals, known only at the end. The file appears under its
name only when whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa

from transforms.ranged_file import RangedFile
from transforms.storage import Storage

ROWS_PER_BATCH = 512


class SidecarWriter:
    def __init__(self, file: BinaryIO, fingerprint: str) -> None:
        self.rows = 0
        self.totals: dict[str, Any] = {}
        self._schema = pa.schema([("record", pa.binary())], metadata={"fingerprint": fingerprint})
        self._writer = pa.ipc.new_file(file, self._schema)
        self._waiting: list[bytes] = []

    def append(self, record: bytes) -> None:
        self._waiting.append(record)
        self.rows += 1
        if len(self._waiting) == ROWS_PER_BATCH:
            self._flush()

    def close(self) -> None:
        if self._waiting:
            self._flush()
        totals = json.dumps({**self.totals, "rows": self.rows})
        self._writer.write_batch(self._batch([]), custom_metadata={"totals": totals})
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_batch(self._batch(self._waiting))
        self._waiting = []

    def _batch(self, records: list[bytes]) -> pa.RecordBatch:
        return pa.record_batch([pa.array(records, pa.binary())], schema=self._schema)


@contextmanager
def create_sidecar(storage: Storage, uri: str, fingerprint: str) -> Iterator[SidecarWriter]:
    """A writer whose file stands at `uri` only if the block ends without an exception."""
    with storage.create(uri) as file:
        writer = SidecarWriter(file, fingerprint)
        yield writer
        writer.close()


def read_totals(storage: Storage, uri: str, fingerprint: str | None = None) -> dict[str, Any] | None:
    """Totals of the sidecar at `uri`; None where there is none, or one that something else made.

    Of an object one request: the totals lie beside the footer, in what is fetched with the size.
    """
    try:
        with storage.open(uri) as file, _open(file, uri) as reader:
            if fingerprint is not None and _fingerprint(reader) != fingerprint:
                return None
            return _totals(reader)
    except FileNotFoundError:
        return None


def read_records(storage: Storage, uri: str, start: int = 0, count: int | None = None) -> Iterator[bytes]:
    """Records `start` to `start + count` (to the end where None), reading only the batches they lie in."""
    with storage.open(uri) as file, _open(file, uri, whole=count is None) as reader:
        last = reader.num_record_batches - 1
        stop = last * ROWS_PER_BATCH if count is None else start + count
        batches = range(start // ROWS_PER_BATCH, min(last, -(-stop // ROWS_PER_BATCH)))
        if isinstance(file, RangedFile) and (rows := _totals(reader)["rows"]):
            file.expect(min(rows, len(batches) * ROWS_PER_BATCH) * file.size() // rows)
        for index in batches:
            first = index * ROWS_PER_BATCH
            column = reader.get_batch(index).column(0)
            yield from column.slice(max(0, start - first), stop - max(first, start)).to_pylist()


class Clock:
    """Wall and CPU time since it was made, the CPU time of the whole process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self) -> dict[str, float]:
        return {
            "wall_seconds": round(time.perf_counter() - self._wall, 3),
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
        }


def _open(file: BinaryIO, uri: str, *, whole: bool = False) -> Any:
    if whole and isinstance(file, RangedFile):
        file.begin_whole()
    try:
        return pa.ipc.open_file(file)
    except pa.ArrowInvalid as error:
        raise OSError(
            f"{uri}: expected a whole sidecar, found a damaged one ({error}); delete it and run again"
        ) from error


def _totals(reader: Any) -> dict[str, Any]:
    _, metadata = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
    return dict(json.loads(metadata[b"totals"]))


def _fingerprint(reader: Any) -> str:
    return str((reader.schema.metadata or {}).get(b"fingerprint", b"").decode())
