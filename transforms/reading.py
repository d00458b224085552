"""What a run reads: the units of its inputs, and the rows of one unit.

Left out on purpose: formats (tar_reader, parquet_reader, folder_reader) and storages (storage).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Literal

from msgspec.structs import replace

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from transforms.folder_reader import is_csv, read_folder, split_records
from transforms.interleaved_reader import read_interleaved
from transforms.loaded import Loaded
from transforms.member_index import SUFFIX
from transforms.parquet_reader import Broken, read_parquet, row_groups
from transforms.raw_sample import load_failure
from transforms.records import Failure, Unit
from transforms.staging import stage_unit
from transforms.storage import FileStat, Storage, StoreUnavailable, is_of_file, local_path, scheme_of, storage_for
from transforms.tar_reader import read_tar

Kind = Literal["tar", "parquet", "folder", "warc", "pages"]
KINDS: dict[str, Kind] = {
    ".tar": "tar",
    ".tar.gz": "tar",
    ".tgz": "tar",
    ".parquet": "parquet",
    ".jsonl": "folder",
    ".csv": "folder",
}
"""The kind of a file by the end of its name, in any case."""
ARCHIVES: dict[str, Kind] = {".warc": "warc", ".warc.gz": "warc"}
"""The kinds that hold pages; their reader is transforms/web_rows.py."""


Reader = Callable[[str, Unit, ReadRules, str], Iterator[Loaded]]
"""Of a file at a local path: the rows of a unit, under limits, with a folder for staging."""


def read_unit(
    path: str, unit: Unit, rules: ReadRules, staging: str, readers: Mapping[str, Reader] | None = None
) -> Iterator[Loaded]:
    """The rows of a unit whose file lies at the local `path`. An OSError ends them with one UnitUnreadable row.

    One that says nothing of the file, a StoreUnavailable or a full disk, goes up. `readers` are by kind; those of
    image–caption pairs where none are given.
    """
    read = readers[unit.kind] if readers else _reader_of(unit)
    rows = read(path, unit, rules, staging)
    position = 0
    while True:
        try:  # around one step: an OSError of the consumer is none of ours
            row = next(rows, None)
        except OSError as error:
            if not is_of_file(error):
                raise
            yield _unreadable(unit, position, error)
            return
        if row is None:
            return
        position = row.sample.position + 1
        yield row


def read_input(
    unit: Unit, rules: ReadRules, staging: str, readers: Mapping[str, Reader] | None = None
) -> Iterator[Loaded]:
    """The rows of a unit wherever its file lies, `unit.limit` at most; of a remote file a copy lies in `staging`
    while it is read."""
    rows = _read_fetched(unit, rules, staging, readers)
    return rows if unit.limit < 0 else islice(rows, unit.limit)


def limit_units(
    units: list[Unit], limit: int, rules: ReadRules, staging: str, readers: Mapping[str, Reader] | None = None
) -> list[Unit]:
    """The first `limit` rows of a pool: the units that hold them, the last one cut."""
    cut = []
    for unit in units:
        if limit <= 0:
            break
        unit = replace(unit, limit=limit)
        limit -= sum(1 for _ in read_input(unit, rules, staging, readers))
        cut.append(unit)
    return cut


def _read_fetched(unit: Unit, rules: ReadRules, staging: str, readers: Mapping[str, Reader] | None) -> Iterator[Loaded]:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(fetched_unit(unit, staging))
        except OSError as error:
            if not is_of_file(error):
                raise
            yield _unreadable(unit, 0, error)
            return
        yield from read_unit(path, unit, rules, staging, readers)


@contextmanager
def fetched_unit(unit: Unit, staging: str) -> Iterator[str]:
    """The local path of a unit's file, or of a copy in `staging` that lives as long as the block. Raises OSError."""
    path = stage_unit(storage_for(unit.uri), unit, staging)
    try:
        yield path
    finally:
        if path != local_path(unit.uri):
            with suppress(FileNotFoundError):
                os.unlink(path)


def _unreadable(unit: Unit, position: int, error: OSError) -> Loaded:
    return load_failure(unit, position, unreadable(unit, error))


def unreadable(unit: Unit, error: OSError) -> Failure:
    message = f"expected a readable {unit.kind}, found {type(error).__name__}: {error}"
    return Failure("UnitUnreadable", message, f"{unit.uri}@{unit.start}-{unit.end}")


def list_units(
    inputs: list[str],
    rules: ReadRules,
    storage_of: Callable[[str], Storage] = storage_for,
    kinds: Mapping[str, Kind] = KINDS,
) -> list[Unit]:
    """The units of all files that the paths and globs of `inputs` name, each file once, by (uri, part).

    ConfigError for an input that names no file, a file of unknown extension, or a name that is not UTF-8.
    """
    found: dict[str, tuple[FileStat, Storage]] = {}
    for pattern in inputs:
        storage = _storage(pattern, storage_of)
        files = _match(storage, pattern)
        if not files:
            raise ConfigError(f"input {pattern!r}: expected at least one file, found none")
        for file in files:
            found.setdefault(file_identity(file.uri), (file, storage))
    units = [unit for file, storage in found.values() for unit in _units_of(file, storage, rules, kinds)]
    units.sort(key=lambda unit: (unit.uri, unit.part))
    return [replace(unit, index=index) for index, unit in enumerate(units)]


def kind_of(uri: str, kinds: Mapping[str, Kind] = KINDS) -> Kind:
    for extension, kind in kinds.items():
        if uri.lower().endswith(extension):
            return kind
    raise ConfigError(f"input {uri!r}: expected a file of {' '.join(kinds)}, found another extension")


def _storage(pattern: str, storage_of: Callable[[str], Storage]) -> Storage:
    try:
        return storage_of(pattern)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"input {pattern!r}: {error}") from error


def _match(storage: Storage, pattern: str) -> list[FileStat]:
    try:
        return [file for file in storage.match(pattern) if not file.uri.endswith(SUFFIX)]  # `OUT/shards/*`
    except StoreUnavailable:
        raise
    except OSError as error:  # no such bucket, no leave to list it, no keys
        raise ConfigError(f"input {pattern!r}: {error}") from error


def file_identity(uri: str) -> str:
    """One name for a file that two inputs spell differently."""
    return uri if scheme_of(uri) else os.path.abspath(local_path(uri))


def _units_of(file: FileStat, storage: Storage, rules: ReadRules, kinds: Mapping[str, Kind]) -> list[Unit]:
    try:
        file.uri.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"input {file.uri!r}: expected a name in UTF-8") from error
    kind = kind_of(file.uri, kinds)
    unit = Unit(0, file.uri, kind, size=file.size, modified=file.modified)
    # A file that cannot be cut is one unit: reading it makes the failed row that says why.
    parts = _PARTS[kind](file, storage, rules) or [(0, 0)]
    return [replace(unit, part=part, start=start, end=end) for part, (start, end) in enumerate(parts)]


def _one_part(file: FileStat, storage: Storage, rules: ReadRules) -> list[tuple[int, int]]:
    return [(0, file.size)]


def _parquet_parts(file: FileStat, storage: Storage, rules: ReadRules) -> list[tuple[int, int]]:
    try:
        with storage.open(file.uri) as source:
            return row_groups(source)
    except StoreUnavailable:
        raise
    except Broken:
        return []


def _folder_parts(file: FileStat, storage: Storage, rules: ReadRules) -> list[tuple[int, int]]:
    try:
        with storage.open(file.uri) as source:
            return split_records(source, rules.rows_per_chunk, table=is_csv(file.uri))
    except StoreUnavailable:
        raise
    except OSError:
        return []


_PARTS: dict[Kind, Callable[[FileStat, Storage, ReadRules], list[tuple[int, int]]]] = {
    "tar": _one_part,
    "parquet": _parquet_parts,
    "folder": _folder_parts,
    "warc": _one_part,
}


def _without_staging(
    read: Callable[[str, Unit, ReadRules], Iterator[Loaded]], path: str, unit: Unit, rules: ReadRules, staging: str
) -> Iterator[Loaded]:
    return read(path, unit, rules)


def _reader_of(unit: Unit) -> Reader:
    return partial(read_interleaved, schema=unit.schema) if unit.schema else _READERS[unit.kind]


_READERS: dict[str, Reader] = {
    "tar": read_tar,
    "parquet": partial(_without_staging, read_parquet),
    "folder": partial(_without_staging, read_folder),
}
