"""The member index of a shard: where each sample's members lie, so that any sample is one read away.

A file `{shard}.idx` of fixed-width tables, little-endian: a header (magic, bytes of the shard, samples, members, bytes
of suffixes, bytes of keys), for each sample the number of its first member and where its key begins (and one row more,
where the last ends), for each member (start, size, suffix), the suffixes each behind its length in two bytes, the keys.
Its bytes are a function of the shard's. About 80 bytes a sample of three members.
Left out on purpose: where an index comes from (transforms/beam/write_shards.py, train/data/shard_indexes.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from transforms.shard_reader import Extent

SUFFIX = ".idx"
MAGIC = b"beamidx1"
_HEADER = struct.Struct("<8sQIIII")
_SAMPLE = struct.Struct("<II")
_TWO_SAMPLES = struct.Struct("<IIII")
_MEMBER = struct.Struct("<QQI")
_LENGTH = struct.Struct("<H")

SampleExtents = tuple[str, Sequence[Extent]]
"""A key, and where its members lie, in order."""


def index_name(shard: str) -> str:
    """`shards/000000.idx` beside `shards/000000.tar`."""
    stem, dot, _ = shard.rpartition(".")
    return f"{stem if dot else shard}{SUFFIX}"


def group_samples(members: Iterable[tuple[str, int, int]]) -> Iterator[SampleExtents]:
    """Samples of (name, start, size): neighbours whose names agree up to the first dot of the base name, as WebDataset
    reads them. A suffix that comes again begins a new one; a name without key or suffix is no part of any."""
    latest, extents = "", list[Extent]()
    for name, start, size in members:
        key, suffix = split_member(name)
        if not suffix or not key.rpartition("/")[2]:
            continue
        if extents and (key != latest or any(suffix == one.suffix for one in extents)):
            yield latest, extents
            extents = []
        latest = key
        extents.append(Extent(suffix, start, size))
    if extents:
        yield latest, extents


def split_member(name: str) -> tuple[str, str]:
    """(key with its folders, suffix in lower case)."""
    dot = name.find(".", name.rfind("/") + 1)
    return (name, "") if dot < 0 else (name[:dot], name[dot + 1 :].lower())


def format_index(samples: Iterable[SampleExtents], shard_bytes: int) -> bytes:
    """ValueError where a suffix has over 65,535 bytes, or a table over 2**32 rows."""
    suffixes: dict[str, int] = {}
    rows, members, keys = bytearray(), bytearray(), bytearray()
    count = 0
    for key, extents in samples:
        rows += _packed(_SAMPLE, count, len(keys))
        keys += key.encode()
        count += len(extents)
        for suffix, start, size in extents:
            members += _packed(_MEMBER, start, size, suffixes.setdefault(suffix, len(suffixes)))
    names = b"".join(_packed(_LENGTH, len(name.encode())) + name.encode() for name in suffixes)
    header = _packed(_HEADER, MAGIC, shard_bytes, len(rows) // _SAMPLE.size, count, len(names), len(keys))
    return b"".join((header, rows, _packed(_SAMPLE, count, len(keys)), members, names, keys))


def _packed(form: struct.Struct, *values: int | bytes) -> bytes:
    try:
        return form.pack(*values)
    except struct.error as error:
        raise ValueError(f"member index: expected values that fit {form.format}, found {values}") from error


class MemberIndex:
    """An index in memory or in a mapped file. Raises ValueError, of `uri`, where the bytes are none."""

    def __init__(self, data: bytes | memoryview, uri: str) -> None:
        self._data = memoryview(data)
        if len(data) < _HEADER.size or bytes(self._data[:8]) != MAGIC:
            raise ValueError(f"{uri}: expected a member index, found {bytes(self._data[:8])!r}")
        _, self.shard_bytes, self._samples, members, names, keys = _HEADER.unpack_from(data)
        self._members = _HEADER.size + (self._samples + 1) * _SAMPLE.size
        self._names = self._members + members * _MEMBER.size
        self._keys = self._names + names
        if len(data) != self._keys + keys:
            raise ValueError(f"{uri}: expected a member index of {self._keys + keys} bytes, found {len(data)}")
        self.suffixes = self._read_suffixes(uri)
        self._check(uri, members, keys)

    def _read_suffixes(self, uri: str) -> list[str]:
        found, place = [], self._names
        while place < self._keys:
            end = place + 2 + (_LENGTH.unpack_from(self._data, place)[0] if place + 2 <= self._keys else self._keys)
            if end > self._keys:
                raise ValueError(f"{uri}: expected suffixes up to byte {self._keys}, found one up to byte {end}")
            found.append(bytes(self._data[place + 2 : end]).decode())
            place = end
        return found

    def _check(self, uri: str, members: int, keys: int) -> None:
        """That no row leads out of the tables or the shard, whoever wrote it."""
        rows = np.frombuffer(self._data[_HEADER.size : self._members], "<u4").reshape(-1, 2).astype(np.int64)
        types = [("start", "<u8"), ("size", "<u8"), ("suffix", "<u4")]
        table = np.frombuffer(self._data[self._members : self._names], types)
        ordered = rows[0].tolist() == [0, 0] and rows[-1].tolist() == [members, keys]
        if not ordered or (np.diff(rows, axis=0) < 0).any() or (np.diff(rows[:, 0]) < 1).any():
            raise ValueError(f"{uri}: expected samples in order, found an index whose rows overlap")
        behind = np.append(table["start"][1:], np.uint64(self.shard_bytes))
        apart = (table["start"] <= behind) & (table["size"] <= behind - table["start"])  # no sum, which could wrap
        if not apart.all() or (table["suffix"] >= len(self.suffixes)).any():
            raise ValueError(f"{uri}: expected members in order inside {self.shard_bytes} bytes, found others")

    def __len__(self) -> int:
        return int(self._samples)

    def __getitem__(self, sample: int) -> SampleExtents:
        """The key of a sample and where its members lie, in order. Raises IndexError behind the last one."""
        if not 0 <= sample < self._samples:
            raise IndexError(f"expected a sample below {self._samples}, found {sample}")
        first, key, behind, end = _TWO_SAMPLES.unpack_from(self._data, _HEADER.size + sample * _SAMPLE.size)
        rows = self._data[self._members + first * _MEMBER.size : self._members + behind * _MEMBER.size]
        extents = [Extent(self.suffixes[suffix], start, size) for start, size, suffix in _MEMBER.iter_unpack(rows)]
        return str(self._data[self._keys + key : self._keys + end], "utf-8"), extents


def samples_of(index: MemberIndex) -> Iterator[SampleExtents]:
    """The inverse of `format_index`."""
    yield from (index[sample] for sample in range(len(index)))


def bounds(extents: Sequence[Extent]) -> tuple[int, int]:
    """The bytes [start, end) that hold all members of a sample."""
    return extents[0].start, extents[-1].start + extents[-1].size
