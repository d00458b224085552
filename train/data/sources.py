"""A source of a mixture: a set by its manifest, a wids index, or bare tars; what it holds, checked when opened.

Opened without reading a shard: one listing tells of each shard that is missing or of another size. Only bare tars are
read, because nothing says how many samples they hold; their member indexes are kept in the cache.
Hashing whole shards is asked for by itself, once and not by every rank.
Left out on purpose: reading samples (train/data/reader.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import numpy as np

from train.data.errors import DataError
from train.data.records import Array
from train.data.shard_indexes import Shard, ShardIndexes
from transforms.shards import FORMAT, ShardInfo
from transforms.storage import StoreUnavailable, folder_of, join, scheme_of, storage_for

FORMATS = (FORMAT, "beamsift-recaption-1", "beamsift-converted-1")
"""Manifests whose shards are tars of samples."""
WIDS = "wids-shard-index-v1"
SHOWN = 3
HASHED_AT_ONCE = 4


class Source(NamedTuple):
    """`starts` is (shards + 1,) int64: the number of each shard's first sample, and all samples."""

    name: str
    uri: str
    shards: tuple[Shard, ...]
    starts: Array
    fingerprint: str
    """Of shards, samples and hashes, not of the place: the same set elsewhere is the same data."""

    @property
    def samples(self) -> int:
        return int(self.starts[-1])


class _Manifest(msgspec.Struct):
    format: str
    shards: list[ShardInfo]


class _WidsRow(msgspec.Struct):
    url: str
    nsamples: int
    filesize: int | None = None


def open_source(name: str, uri: str, indexes: ShardIndexes) -> Source:
    """`uri` is the folder of a set or its manifest.json, a wids index (`*.json`), or a pattern or folder of tars.

    Raises DataError where there is no such set, or another than its manifest says.
    """
    try:
        shards = _shards(uri, indexes)
    except StoreUnavailable:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"source {name!r}: {error}") from error
    if not sum(shard.samples for shard in shards):
        raise DataError(f"source {name!r}: {uri}: expected samples, found none in {len(shards):,} shards")
    starts = np.cumsum([0, *(shard.samples for shard in shards)])
    return Source(name, uri, tuple(shards), starts, _fingerprint(shards))


def check_hashes(
    source: Source, rank: int = 0, world: int = 1, note: Callable[[str], None] = lambda phase: None
) -> None:
    """Reads every shard that has a sha256 stated, of `world` ranks each its share. `note` is told of each one read.

    Raises DataError where one is another, and StoreUnavailable.
    """
    with ThreadPoolExecutor(HASHED_AT_ONCE) as pool:
        stated = [shard for shard in source.shards if shard.sha256][rank::world]
        for shard, found in zip(stated, pool.map(_sha256, stated), strict=True):
            note(f"hashing {shard.uri}")
            if found != shard.sha256:
                raise DataError(f"source {source.name!r}: {shard.uri}: expected sha256 {shard.sha256}, found {found}")


def _sha256(shard: Shard) -> str:
    found = hashlib.sha256()
    for piece in storage_for(shard.uri).stream(shard.uri, 0, shard.bytes):
        found.update(piece)
    return found.hexdigest()


def _fingerprint(shards: Iterable[Shard]) -> str:
    found = [(one.uri.rpartition("/")[2], one.samples, one.bytes, one.sha256) for one in shards]
    return hashlib.blake2b(msgspec.json.encode(found), digest_size=16).hexdigest()


def _shards(uri: str, indexes: ShardIndexes) -> list[Shard]:
    if uri.endswith("manifest.json"):
        return _listed(uri)
    if uri.endswith(".json"):
        return _wids(uri)
    if "*" not in uri and not uri.endswith(".tar"):
        for name, read in (("manifest.json", _listed), ("index.json", _wids)):
            if storage_for(uri).exists(join(uri, name)):
                return read(join(uri, name))
        uri = join(uri, "*.tar")
    return _bare(uri, indexes)


def _read(uri: str) -> bytes:
    with storage_for(uri).open(uri) as file:
        return file.read()


def _listed(uri: str) -> list[Shard]:
    """The shards of a manifest."""
    found = _decoded(uri)
    if (stated := found.get("format")) not in FORMATS:
        raise DataError(f"{uri}: expected a manifest of format {' or '.join(FORMATS)}, found {stated!r}")
    try:
        manifest = msgspec.convert(found, _Manifest)
    except msgspec.ValidationError as error:
        raise DataError(f"{uri}: expected a {stated} manifest: {error}") from error
    folder = folder_of(uri)
    shards = [Shard(join(folder, one.name), one.samples, one.bytes, one.sha256, _index(one)) for one in manifest.shards]
    if other := [shard.uri for shard in shards if not shard.uri.endswith(".tar")]:
        raise DataError(f"{uri}: expected shards that are tars, found {other[0]}")
    indexes = [(join(folder, one.index.name), one.index.bytes) for one in manifest.shards if one.index]
    _check_files([*((shard.uri, shard.bytes) for shard in shards), *indexes])
    return shards


def _index(info: ShardInfo) -> tuple[str, str] | None:
    return (info.index.name.rpartition("/")[2], info.index.sha256) if info.index else None


def _wids(uri: str) -> list[Shard]:
    found = _decoded(uri)
    if (stated := found.get("__kind__")) != WIDS:
        raise DataError(f"{uri}: expected a wids index ({WIDS}), found {stated!r}")
    try:
        rows = msgspec.convert(found.get("shardlist"), list[_WidsRow])
    except msgspec.ValidationError as error:
        raise DataError(f"{uri}: expected a list of shards: {error}") from error
    places = [_beside(uri, row.url) for row in rows]
    sizes = _check_files(list(zip(places, [row.filesize for row in rows], strict=True)))
    return [Shard(place, row.nsamples, sizes[place]) for place, row in zip(places, rows, strict=True)]


def _beside(index: str, url: str) -> str:
    absolute = scheme_of(url) or url.startswith("/")
    return url if absolute else join(folder_of(index), url)


def _bare(pattern: str, indexes: ShardIndexes) -> list[Shard]:
    found = storage_for(pattern).match(pattern)
    if not found:
        raise DataError(f"{pattern}: expected a manifest.json, an index.json or tars, found none of them")
    return [Shard(one.uri, len(indexes.build(Shard(one.uri, -1, one.size))), one.size) for one in found]


def _decoded(uri: str) -> dict[str, Any]:
    try:
        found = json.loads(_read(uri))
    except FileNotFoundError:
        raise DataError(f"{uri}: expected a manifest or an index, found no file") from None
    except ValueError as error:
        raise DataError(f"{uri}: expected JSON, found something else: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{uri}: expected a JSON object, found {type(found).__name__}")
    return found


def _check_files(stated: list[tuple[str, int | None]]) -> dict[str, int]:
    """Sizes by URI. Raises DataError naming the first files that are missing or of another size, and their number."""
    sizes = {file.uri: file.size for folder in {folder_of(uri) for uri, _ in stated} for file in _list(folder)}
    missing = [uri for uri, _ in stated if uri not in sizes]
    if missing:
        more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
        raise DataError(f"expected {len(stated):,} files, found all but {', '.join(missing[:SHOWN])}{more}")
    for uri, size in stated:
        if size is not None and sizes[uri] != size:
            raise DataError(f"{uri}: expected {size:,} bytes, found {sizes[uri]:,}")
    return sizes


def _list(folder: str) -> list[Any]:
    return storage_for(folder).list(folder)
