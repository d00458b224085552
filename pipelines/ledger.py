"""Reading a finished run: SQL over its ledger, its rows as samples, the rows of one key.

Left out on purpose: writing a ledger (transforms/beam/write_ledger.py) and the report's questions (report_queries.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema.strict import parse_config
from pipelines import report_queries
from pipelines.errors import LedgerBroken
from pipelines.finish import finished_manifest
from pipelines.kinds import Config, kind_named
from transforms.records import Sample, decode_sample
from transforms.shards import Manifest
from transforms.storage import join, scheme_of, storage_for

ROWS_AT_ONCE = 1024
"""Rows decoded from Parquet at a time: bounds memory whatever the size of a row group."""


class LedgerRow(NamedTuple):
    """A row and the unit it came from: the rank of its file in the manifest's inputs and in ledger/."""

    unit: int
    sample: Sample


def reach(output: str) -> None:
    """Makes outputs readable that only Beam can read. It is imported for those alone: that takes seconds."""
    if scheme_of(output) not in ("", "file", "s3", "gs"):
        from transforms.beam.storage import register

        register()


def run_config(manifest: Manifest, output: str) -> Config:
    """The config a run was made with. Raises ConfigError where this version of beamsift does not know it."""
    return parse_config(manifest.config, kind_named(manifest.pipeline).config, join(output, "manifest.json"))


@contextmanager
def open_ledger(output: str, files: Sequence[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with all rows as the view `ledger`; sorts beyond its memory go to disk. Raises LedgerBroken.

    `files` are `ledger_files(output)`, where the caller has them, as below.
    """
    files = ledger_files(output) if files is None else files
    if not files:
        raise LedgerBroken(f"{join(output, 'ledger')}: expected Parquet files, found none")
    try:
        with report_queries.open_ledger(output, storage_for(output), files=files) as connection:
            yield connection
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException):
        raise  # a query of ours is wrong, not the file
    except duckdb.Error as error:
        raise LedgerBroken(f"{join(output, 'ledger')}: expected Parquet files of a ledger: {error}") from error


def ledger_files(output: str) -> list[str]:
    """URIs of the ledger's files in the order of their units."""
    found = [file.uri for file in storage_for(output).list(join(output, "ledger")) if file.uri.endswith(".parquet")]
    return sorted(found, key=unit_of_file)


def unit_of_file(uri: str) -> int:
    """The unit whose rows lie in a ledger file, as its name says. Raises LedgerBroken for another name."""
    stem = PurePosixPath(uri).stem
    if not stem.isdecimal():
        raise LedgerBroken(f"{uri}: expected a unit's number as the file's name, found {stem!r}")
    return int(stem)


def samples_by_unit(output: str, files: Sequence[str] | None = None) -> Iterator[LedgerRow]:
    """Every row of the pool in order, decoded some at a time."""
    for uri in ledger_files(output) if files is None else files:
        unit = unit_of_file(uri)
        with fetched(uri) as path:
            yield from (LedgerRow(unit, sample) for sample in _samples(path, uri))


def find_rows(output: str, key: str) -> list[LedgerRow]:
    """The rows of `key`, which is a key of the set or what the pool called its sample, in pool order."""
    places = {(one["uri"], one["part"]): unit for unit, one in enumerate(finished_manifest(output).inputs)}
    query = 'SELECT source, part, record FROM ledger WHERE "key" = $1 OR source_key = $1'
    with open_ledger(output) as connection:
        rows = connection.execute(query, [key]).fetchall()
    found = [LedgerRow(places[source, part], decode_sample(record)) for source, part, record in rows]
    return sorted(found, key=lambda row: (row.unit, row.sample.position))


@contextmanager
def fetched(uri: str) -> Iterator[str]:
    """The path of `uri`, or of a copy that lives as long as the block where it is not local."""
    with TemporaryDirectory(prefix="beamsift-") as folder:
        path = storage_for(uri).fetch(uri, folder)
        yield path
        if os.path.dirname(path) == folder:
            os.unlink(path)


def _samples(path: str, uri: str) -> Iterator[Sample]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=["record"]):
                yield from map(decode_sample, batch.column("record").to_pylist())
    except (pa.ArrowException, OSError, KeyError, msgspec.MsgspecError) as error:
        raise LedgerBroken(f"{uri}: expected a ledger file: {error}") from error
