"""Raw pools for the readers' tests: tars, Parquet files and indexes, made from literals."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from configs.schema.caption import ReadRules
from transforms.loaded import Loaded
from transforms.reading import list_units, read_unit
from transforms.records import Failure, texts

Members = dict[str, bytes] | list[tuple[str, bytes]]


def tar_bytes(
    members: Members, *, format: int = tarfile.USTAR_FORMAT, others: list[tarfile.TarInfo] | None = None
) -> bytes:
    """A tar of regular files, then of the members `others`, which have no data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in others or []:
            tar.addfile(info)
    return buffer.getvalue()


def write_tar(folder: Path, members: Members, name: str = "pool.tar") -> str:
    path = folder / name
    path.write_bytes(tar_bytes(members))
    return str(path)


def read_all(path: str | Path, rules: ReadRules | None = None) -> list[Loaded]:
    """Every row of a file, over all its units, in order."""
    rules = rules or ReadRules()
    staging = str(Path(path).parent / "staging")
    return [row for unit in list_units([str(path)], rules) for row in read_unit(unit.uri, unit, rules, staging)]


def read_index(tmp_path: Path, name: str, text: str | bytes, rules: ReadRules | None = None) -> list[Loaded]:
    """Every row of the index `text`, written beside the picture a.jpg."""
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "a.jpg").write_bytes(b"AA")
    return read_all(tmp_path / name, rules)


def failure_of(row: Loaded) -> Failure:
    assert row.sample.failure is not None, row.sample
    return row.sample.failure


def errors(rows: list[Loaded]) -> list[str]:
    return [row.sample.failure.error if row.sample.failure else "" for row in rows]


def captions(row: Loaded) -> list[str]:
    return [text.value for text in texts(row.sample)]


def data_of(row: Loaded) -> list[bytes | None]:
    return [None if data is None else bytes(data) for data in row.data]
