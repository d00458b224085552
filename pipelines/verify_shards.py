"""Verifying shards: the bytes against the manifest, the tar against the format, the samples against the ledger.

Each shard is mapped and read once from start to end; shards are read side by side in threads (hashing leaves Python's
lock). Left out on purpose: what the ledger itself must hold (pipelines/verify_ledger.py).
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from pipelines.checks import SHOWN, Problem, differ
from pipelines.ledger import fetched
from pipelines.verify_ledger import KEY, Digests, KeptRows, content_digest, join_texts, key_digest
from transforms.member_index import format_index, group_samples
from transforms.shards import BLOCK, EXTENSIONS, ShardInfo, tar_header
from transforms.storage import StoreUnavailable, join, storage_for
from transforms.tar_index import TarIndex, TarMember, index_headers

THREADS = 4
CHUNK = 8 << 20
RECORD = 20 * BLOCK


class Misplaced(NamedTuple):
    """Another sample than the ledger's plan puts at `rank` of the set."""

    place: str
    rank: int
    ordinal: int
    key: str


class ShardFindings(NamedTuple):
    """What one shard shows. `keys` has 16 bytes a sample."""

    name: str
    bytes: list[Problem]
    places: list[Problem]
    format: list[Problem]
    misplaced: list[Misplaced]
    contents: list[Problem]
    samples: int
    keys: Digests


class ShardSample(NamedTuple):
    """The members of one key that lie side by side, by what follows the key's dot."""

    key: str
    members: dict[str, TarMember]


def read_shards(output: str, shards: Sequence[ShardInfo], kept: KeptRows) -> list[ShardFindings]:
    """Findings of every shard, in their order."""
    first = np.cumsum([0, *(shard.samples for shard in shards)])
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda i: _read_shard(output, shards[i], kept, int(first[i])), range(len(shards))))


def _read_shard(output: str, shard: ShardInfo, kept: KeptRows, first: int) -> ShardFindings:
    empty = np.empty((0, KEY), np.uint8)
    try:
        with fetched(join(output, shard.name)) as path, open(path, "rb") as file:
            if not shard.bytes or not file.seek(0, 2):
                raise OSError("an empty file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return check_shard(data, shard, kept, first, output=output)
    except StoreUnavailable:
        raise
    except OSError as error:
        problem = Problem(shard.name, f"{shard.bytes} bytes", str(error))
        return ShardFindings(shard.name, [problem], [], [], [], [], 0, empty)


def check_shard(data: mmap.mmap, shard: ShardInfo, kept: KeptRows, first: int, *, output: str) -> ShardFindings:
    """`first` is the rank of the shard's first sample in the set."""
    index = index_headers(data)
    samples = list(group_adjacent(index.members))
    layout = [*_check_blocks(data, shard.name, index), *_check_samples(data, shard, samples, kept.documents)]
    pairs = list(zip(samples, range(first, first + shard.samples), strict=False))
    misplaced = list(_misplaced(shard.name, pairs, kept))
    contents = list(_check_contents(data, shard.name, pairs, kept))
    keys = np.array([list(key_digest(sample.key)) for sample in samples], np.uint8).reshape(-1, KEY)
    places = _check_places(output, shard, index)
    return ShardFindings(shard.name, _check_bytes(data, shard), places, layout, misplaced, contents, len(samples), keys)


def _check_places(output: str, shard: ShardInfo, index: TarIndex) -> list[Problem]:
    """The member index is the one that the shard's bytes give, and the one that the manifest states."""
    if shard.index is None:
        return []
    try:
        with storage_for(output).open(join(output, shard.index.name)) as file:
            found = file.read()
    except StoreUnavailable:
        raise
    except OSError as error:
        return [Problem(shard.index.name, "a member index", str(error))]
    told = differ(shard.index.name, f"sha256 {shard.index.sha256}", f"sha256 {hashlib.sha256(found).hexdigest()}")
    made = format_index(group_samples(index.members), shard.bytes)
    return told or ([] if found == made else [Problem(shard.index.name, "the places of the shard's members", "others")])


def group_adjacent(members: Sequence[TarMember]) -> Iterator[ShardSample]:
    for key, group in groupby(members, key=lambda member: member.name.partition(".")[0]):
        yield ShardSample(key, {member.name[len(key) + 1 :]: member for member in group})


def _check_bytes(data: mmap.mmap, shard: ShardInfo) -> list[Problem]:
    found = hashlib.sha256()
    with memoryview(data) as view:
        for start in range(0, len(view), CHUNK):
            with view[start : start + CHUNK] as part:
                found.update(part)
    size = differ(shard.name, f"{shard.bytes} bytes", f"{len(data)} bytes")
    return size + differ(shard.name, f"sha256 {shard.sha256}", f"sha256 {found.hexdigest()}")


def _check_blocks(data: mmap.mmap, name: str, index: TarIndex) -> Iterator[Problem]:
    """Fixed headers, no gap between members, zeros to the end of the last record: nothing hides in a shard."""
    for problem in index.problems:
        yield Problem(f"{name}@{problem.offset} {problem.name}", "a whole USTAR file", problem.message)
    position = 0
    for member in index.members:
        if member.start != position + BLOCK:
            yield Problem(f"{name}#{member.name}", f"its data at byte {position + BLOCK}", f"byte {member.start}")
        if not _is_fixed(data[member.start - BLOCK : member.start], member):
            yield Problem(f"{name}#{member.name}", "a USTAR header with fixed metadata", "another header")
        position = member.start + member.size + -member.size % BLOCK
    end = position + 2 * BLOCK
    yield from differ(
        name, f"end of the archive at byte {end + -end % RECORD}", f"end of the archive at byte {len(data)}"
    )
    if data[position : position + RECORD + 2 * BLOCK].strip(b"\0"):
        yield Problem(f"{name}@{position}", "zeros to the end", "other bytes")


def _is_fixed(header: bytes, member: TarMember) -> bool:
    try:
        return header == tar_header(member.name, member.size)
    except ValueError:  # a name that no header of ours can hold
        return False


def _check_samples(
    data: mmap.mmap, shard: ShardInfo, samples: Sequence[ShardSample], documents: bool
) -> Iterator[Problem]:
    yield from differ(shard.name, f"{shard.samples} samples", f"{len(samples)} samples")
    seen: set[str] = set()
    for sample in samples:
        place = f"{shard.name}#{sample.key}"
        if sample.key in seen:
            yield Problem(place, "one run of members a key", "members in two places")
        seen.add(sample.key)
        yield from _check_members(place, list(sample.members), documents)
        yield from _check_json(data, place, sample)


def _check_members(place: str, suffixes: list[str], document: bool) -> Iterator[Problem]:
    """A document has no text of its own, and may have no picture."""
    ending = ["json"] if document else ["txt", "json"]
    pictures = suffixes[: -len(ending)]
    numbered = [f"{i}.{suffix.rpartition('.')[2]}" for i, suffix in enumerate(pictures)]
    plain = len(pictures) == 1 and "." not in pictures[0]
    known = all(suffix.rpartition(".")[2] in EXTENSIONS.values() for suffix in pictures)
    some = document or pictures
    if not (suffixes[-len(ending) :] == ending and some and known and (plain or pictures == numbered)):
        yield Problem(place, f"picture(s), {', '.join(ending)}, and no dot in the key", ", ".join(suffixes))


def _check_json(data: mmap.mmap, place: str, sample: ShardSample) -> Iterator[Problem]:
    member = sample.members.get("json")
    if member is None:
        return
    try:
        found: Any = json.loads(_bytes(data, member))
    except ValueError as error:
        yield Problem(place, "JSON", str(error))
        return
    key = found.get("key") if isinstance(found, dict) else None
    yield from differ(place, f"key {sample.key!r} in its JSON", f"key {key!r} in its JSON")


def _misplaced(name: str, pairs: Sequence[tuple[ShardSample, int]], kept: KeptRows) -> Iterator[Misplaced]:
    for ordinal, (sample, rank) in enumerate(pairs):
        if rank >= len(kept.keys) or key_digest(sample.key) != kept.keys[rank].tobytes():
            yield Misplaced(f"{name}#{sample.key}", rank, ordinal, sample.key)


def _check_contents(
    data: mmap.mmap, name: str, pairs: Sequence[tuple[ShardSample, int]], kept: KeptRows
) -> Iterator[Problem]:
    """Samples that lie where they should have the pictures and the caption of their ledger row."""
    for sample, rank in pairs:
        here = rank < len(kept.keys) and key_digest(sample.key) == kept.keys[rank].tobytes()
        if here and _content(data, sample, kept.documents) != kept.contents[rank].tobytes():
            what = "texts" if kept.documents else "caption"
            yield Problem(f"{name}#{sample.key}", f"the pictures and the {what} of its ledger row", "other bytes")


def check_places(findings: Sequence[ShardFindings], kept: KeptRows) -> Iterator[Problem]:
    """The samples are the ledger's kept rows in the planned order. To name an expected key costs a pass over the
    ledger, so only those are named that are shown."""
    misplaced = (one for found in findings for one in found.misplaced)
    for i, (place, rank, ordinal, key) in enumerate(misplaced):
        expected = f"key {kept.key_at(rank)!r}" if i < SHOWN else "another key"
        yield Problem(place, f"{expected} as sample {ordinal} of the shard", f"key {key!r}")


def _content(data: mmap.mmap, sample: ShardSample, document: bool) -> bytes:
    pictures, text = [], b""
    for suffix, member in sample.members.items():
        if suffix == "txt":
            text = _bytes(data, member)
        elif suffix == "json" and document:
            text = _document_text(_bytes(data, member))
        elif suffix != "json":
            pictures.append(hashlib.sha256(_bytes(data, member)).digest())
    return content_digest(pictures, text)


def _document_text(record: bytes) -> bytes:
    """The texts among a document's pieces; nothing where its JSON is none of ours, which is told elsewhere."""
    try:
        pieces = json.loads(record)["beamsift"]["pieces"]
        return join_texts([piece["text"] for piece in pieces if "text" in piece]).encode()
    except (ValueError, KeyError, TypeError):
        return b""


def _bytes(data: mmap.mmap, member: TarMember) -> bytes:
    return data[member.start : member.start + member.size]


def check_unique(findings: Sequence[ShardFindings]) -> Iterator[Problem]:
    """No key twice in the whole set: one sort of 16 bytes a sample."""
    keys = np.concatenate([np.empty((0, KEY), np.uint8), *(found.keys for found in findings)])
    halves = np.ascontiguousarray(keys).view(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    same = np.flatnonzero((halves[order][1:] == halves[order][:-1]).all(axis=1))
    first = np.cumsum([0, *(len(found.keys) for found in findings)])
    for i in same.tolist():
        earlier, later = (_locate(findings, first, int(order[j])) for j in (i, i + 1))
        yield Problem(later, "a key that no other sample has", f"the key of {earlier}")


def _locate(findings: Sequence[ShardFindings], first: np.ndarray[Any, Any], rank: int) -> str:
    shard = int(np.searchsorted(first, rank, side="right")) - 1
    return f"{findings[shard].name} sample {rank - int(first[shard])}"
