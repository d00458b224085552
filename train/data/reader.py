"""Samples read by shard and number: one pread of a local shard, few ranged reads of a remote one.

The members of a sample lie side by side, so one read brings all of them. Of a remote shard, samples of one call that
are neighbours come in one request (transforms/ranges.py).
Left out on purpose: which samples (train/data/mixture.py), decoding, and hashing what was read.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from train.data.errors import CorruptSample, DataError
from train.data.records import RawSample
from train.data.shard_indexes import Shard, ShardIndexes
from transforms.member_index import bounds
from transforms.ranges import Costs, Place, merge_places
from transforms.shard_reader import Extent
from transforms.shards import BLOCK
from transforms.storage import StoreUnavailable, local_path, scheme_of, storage_for

MOST_FILES = 128
"""Shards open at a time in a process; a common limit on open files is 1,024."""


class Address(NamedTuple):
    """A sample to read: of draw `draw`, `source` by its number, sample `row` of shard `shard` of that source."""

    draw: int
    source: int
    position: int
    shard: int
    row: int


class Corrupt(NamedTuple):
    """A sample that cannot be used, and why: `kind` is the class it is counted under."""

    draw: int
    source: str
    key: str
    place: str
    kind: str
    message: str


class Found(NamedTuple):
    address: Address
    shard: Shard
    key: str
    extents: Sequence[Extent]


class Reader:
    """`shards[source][shard]`, as addresses count them. Threads may share one; it pickles without its files."""

    def __init__(self, names: Sequence[str], shards: Sequence[Sequence[Shard]], indexes: ShardIndexes) -> None:
        self._names, self._shards, self._indexes = tuple(names), tuple(tuple(one) for one in shards), indexes
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"names": self._names, "shards": self._shards, "indexes": self._indexes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def read(self, addresses: Sequence[Address]) -> Iterator[RawSample | Corrupt]:
        """One answer an address, in order. Raises DataError where a shard is gone, and StoreUnavailable."""
        places = [self._find(address) for address in addresses]
        remote = [one for one in places if isinstance(one, Found) and _is_remote(one.shard.uri)]
        fetched = _fetch(remote) if remote else {}
        for place in places:
            yield place if isinstance(place, Corrupt) else self._read(place, fetched.get(place.address.draw))

    def _find(self, address: Address) -> Found | Corrupt:
        shard = self._shards[address.source][address.shard]
        try:
            index = self._indexes[shard]
        except FileNotFoundError as error:
            raise DataError(f"{shard.uri}: expected a shard and its index, found none any more: {error}") from error
        if address.row >= len(index):
            problem = self._indexes.problems[shard.uri]  # else the counts agree
            place = f"{shard.uri} sample {address.row}"
            return Corrupt(address.draw, self._names[address.source], "", place, problem.error, problem.message)
        return Found(address, shard, *index[address.row])

    def _read(self, found: Found, data: bytes | OSError | None) -> RawSample | Corrupt:
        name, (start, end) = self._names[found.address.source], bounds(found.extents)
        try:
            if isinstance(data, OSError):
                raise data
            data = self._pread(found.shard.uri, start, end) if data is None else data
        except StoreUnavailable:
            raise
        except FileNotFoundError as error:
            raise DataError(f"{found.shard.uri}: expected a shard, found none any more: {error}") from error
        except OSError as error:
            place = f"{found.shard.uri}#{found.key}"
            return Corrupt(found.address.draw, name, found.key, place, "SampleUnreadable", str(error))
        parts = {one.suffix: data[one.start - start : one.start - start + one.size] for one in found.extents}
        return RawSample(name, found.key, found.address.position, parts)

    def _pread(self, uri: str, start: int, end: int) -> bytes:
        with self._lock:
            file = self._files.pop(uri, None) or _File(local_path(uri))
            self._files[uri] = file
            if len(self._files) > MOST_FILES:
                self._files.popitem(last=False)  # closed by whoever reads from it last
        data = os.pread(file.number, end - start, start)
        if len(data) != end - start:
            raise OSError(f"{uri}@{start}-{end}: expected {end - start} bytes, found {len(data)}")
        return data


class _File:
    """An open file for pread, closed with its last holder: closing it in another thread could give its number away."""

    def __init__(self, path: str) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


def _is_remote(uri: str) -> bool:
    return "://" in uri and scheme_of(uri) != "file"


def _fetch(found: Sequence[Found]) -> dict[int, bytes | OSError]:
    """Bytes of remote samples by draw, or what went wrong with their request."""
    fetched: dict[Place, bytes | OSError] = {}
    for run in merge_places(sorted({_blocks(one) for one in found}), Costs()):
        try:
            data: bytes | OSError = storage_for(run.uri).read(run.uri, run.start, run.end)
        except OSError as error:
            data = error
        for place in run.places:
            part = data if isinstance(data, OSError) else data[place.start - run.start : place.end - run.start]
            fetched[place] = part
    return {one.address.draw: _inside(fetched[_blocks(one)], one) for one in found}


def _blocks(found: Found) -> Place:
    """A sample's whole blocks, header and padding included, so that neighbours touch each other."""
    start, end = bounds(found.extents)
    return Place(found.shard.uri, start - BLOCK, min(end + -end % BLOCK, found.shard.bytes))


def _inside(blocks: bytes | OSError, found: Found) -> bytes | OSError:
    start, end = bounds(found.extents)
    return blocks if isinstance(blocks, OSError) else blocks[BLOCK : BLOCK + end - start]


def corrupt_of(sample: RawSample, draw: int, error: CorruptSample | Exception) -> Corrupt:
    """How a sample is counted that a transform could not use."""
    kind = error.kind if isinstance(error, CorruptSample) else type(error).__name__
    return Corrupt(draw, sample.source, sample.key, f"{sample.source}#{sample.key}", kind, str(error))
