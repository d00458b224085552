"""WebDataset tars as samples: members whose names agree up to the first dot of the base name are one sample.

Taken are pictures (`key.jpg`; several as `key.0.jpg`, `key.left.png`, in the natural order of their names), captions
(`key.txt`, then `key.caption`; all lines of one file are one caption) and `key.json`, whose caption fields count only
where neither caption file is there. Extensions are compared without case. Members need not be adjacent; a key and
extension that come again begin a new sample.
Left out on purpose: other members (.cls, .npy, …), names without a key (`.hidden`, macOS `._x.jpg`), zstd.
"""

from __future__ import annotations

import gzip
import heapq
import mmap
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, cast

from configs.schema.caption import ReadRules
from transforms.loaded import Loaded
from transforms.raw_sample import (
    PICTURE_SUFFIXES,
    RawSample,
    add_caption_fields,
    add_captions,
    add_picture,
    check_picture_found,
    load_failure,
    load_sample,
    parse_meta,
)
from transforms.records import Container, Failure, Span, Unit
from transforms.tar_index import TarIndex, TarMember, TarProblem, index_headers

CAPTION_SUFFIXES = ("txt", "caption")
MAX_RATIO = 100
"""Decompressed over compressed bytes. Pictures hardly compress, text and padding reach 20; gzip can do 1,032."""
ALWAYS_ALLOWED = 256 << 20
"""Decompressed bytes below which the ratio does not matter."""
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


class OpenTar(NamedTuple):
    """The bytes of an archive. `problem` is what kept a gzip from being decompressed to its end."""

    data: mmap.mmap | bytes
    container: Container
    problem: TarProblem | None = None


@dataclass(slots=True)
class _Group:
    """The members of one sample, by extension."""

    key: str
    members: dict[str, TarMember] = field(default_factory=dict)


def index_tar(path: str) -> TarIndex:
    """Members and problems of an uncompressed tar; OSError where the file cannot be read."""
    with open(path, "rb") as file:
        return index_headers(_map(file))


def read_tar(path: str, unit: Unit, rules: ReadRules, staging: str | None = None) -> Iterator[Loaded]:
    """The rows of a tar, positions 0..n-1 by the offset of each one's first member; a problem is a row in its place.

    Pictures are slices of the mapped file, valid as long as somebody holds them. `staging` is the folder for the
    decompressed copy of a tar.gz, which is gone when the last slice is.
    """
    tar = open_tar(path, staging, rules.max_unpacked_bytes)
    if not len(tar.data) and tar.problem is None:
        failure = Failure("UnitEmpty", "expected a tar, found a file of zero bytes", f"{unit.uri}@0-0")
        yield load_failure(unit, 0, failure)
        return
    index = index_headers(tar.data)
    if tar.problem and not (tar.problem.error == "TarTruncated" and _ends_truncated(index)):
        index.problems.append(tar.problem)
    view = memoryview(tar.data)
    for position, item in enumerate(_in_order(group_members(index.members), index.problems)):
        if isinstance(item, TarProblem):
            yield _load_problem(item, unit, position)
        else:
            yield _load_group(item, RawSample(unit, position, item.key), _Archive(view, tar.container, rules))


def open_tar(path: str, staging: str | None = None, max_unpacked: int = sys.maxsize) -> OpenTar:
    """Maps a tar, or decompresses a gzip (told by its first bytes) into an unnamed file in `staging` and maps that.

    A gzip of over `max_unpacked` decompressed bytes, or over MAX_RATIO of its size, is a problem and leaves no file.
    """
    with open(path, "rb") as file:
        if file.read(2) == _GZIP:
            return _open_gzip(file, staging, max_unpacked)
        return OpenTar(_map(file), "tar")


def group_members(members: Iterable[TarMember]) -> list[_Group]:
    """Samples in the order of their first member. Members that are no part of any sample are left out."""
    groups: list[_Group] = []
    latest: dict[str, _Group] = {}
    for member in members:
        key, extension = split_name(member.name)
        if not _wanted(extension) or not key or key.endswith("/"):
            continue
        group = latest.get(key)
        if group is None or extension in group.members:
            group = latest[key] = _Group(key)
            groups.append(group)
        group.members[extension] = member
    return groups


def split_name(name: str) -> tuple[str, str]:
    """(key with its folders, extension in lower case): cut at the first dot of the base name, as WebDataset does."""
    dot = name.find(".", name.rfind("/") + 1)
    return (name, "") if dot < 0 else (name[:dot], name[dot + 1 :].lower())


def _wanted(extension: str) -> bool:
    return extension in _EXACT or extension.rpartition(".")[2] in PICTURE_SUFFIXES


_EXACT = PICTURE_SUFFIXES | {*CAPTION_SUFFIXES, "json"}


class _Archive(NamedTuple):
    """What reading one sample needs besides the sample."""

    view: memoryview
    container: Container
    rules: ReadRules

    def bytes_of(self, member: TarMember) -> memoryview:
        return self.view[member.start : member.start + member.size]


def _load_group(group: _Group, raw: RawSample, archive: _Archive) -> Loaded:
    members, uri, rules = group.members, raw.unit.uri, archive.rules
    for member in _pictures(members):
        span = Span(uri, member.start, member.start + member.size, archive.container, member.name)
        add_picture(raw, span, archive.bytes_of(member), rules)
    check_picture_found(raw, f"{uri}#{group.key}")
    captions = [members[suffix] for suffix in CAPTION_SUFFIXES if suffix in members]
    for member in captions:
        add_captions(raw, [archive.bytes_of(member)], f"{uri}#{member.name}", rules)
    if "json" in members:
        _add_json(raw, members["json"], archive, use_captions=not captions)
    return load_sample(raw)


def _pictures(members: dict[str, TarMember]) -> list[TarMember]:
    found = [extension for extension in members if extension.rpartition(".")[2] in PICTURE_SUFFIXES]
    return [members[extension] for extension in (sorted(sorted(found), key=_natural) if len(found) > 1 else found)]


def _natural(extension: str) -> list[tuple[int, str]]:
    """Orders `2.jpg` before `10.jpg`, which is what people and our own shards mean by the number."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", extension)
    # A number sorts by its count of digits, then by them; int() would refuse one of thousands of digits.
    return [(len(digits.lstrip("0")), digits.lstrip("0")) if digits else (sys.maxsize, text) for digits, text in parts]


def _add_json(raw: RawSample, member: TarMember, archive: _Archive, *, use_captions: bool) -> None:
    place = f"{raw.unit.uri}#{member.name}"
    parsed = parse_meta(archive.bytes_of(member), place, archive.rules)
    if isinstance(parsed, Failure):
        raw.failures.append(parsed)
        return
    raw.meta, fields = parsed
    if use_captions:
        add_caption_fields(raw, fields, place, archive.rules)


def _in_order(groups: list[_Group], problems: list[TarProblem]) -> Iterator[_Group | TarProblem]:
    return heapq.merge(groups, problems, key=_offset)


def _offset(item: _Group | TarProblem) -> int:
    return item.offset if isinstance(item, TarProblem) else next(iter(item.members.values())).start


def _load_problem(problem: TarProblem, unit: Unit, position: int) -> Loaded:
    place = f"{unit.uri}#{problem.name}" if problem.name else f"{unit.uri}@{problem.offset}-{problem.offset + 512}"
    return load_failure(unit, position, Failure(problem.error, problem.message, place), split_name(problem.name)[0])


def _ends_truncated(index: TarIndex) -> bool:
    return bool(index.problems) and index.problems[-1].error == "TarTruncated"


def _open_gzip(file: BinaryIO, staging: str | None, max_unpacked: int) -> OpenTar:
    allowed = min(max_unpacked, max(ALWAYS_ALLOWED, MAX_RATIO * os.fstat(file.fileno()).st_size))
    file.seek(0)
    if staging is not None:
        os.makedirs(staging, exist_ok=True)
    with tempfile.TemporaryFile(dir=staging) as target:
        try:
            complete = _decompress(file, cast(BinaryIO, target), allowed)
        except (gzip.BadGzipFile, zlib.error, ValueError) as error:
            # Damage inside a gzip is noticed behind the place where it lies, so no sample of it can be trusted.
            return OpenTar(b"", "tar.gz", TarProblem(0, "", "TarBroken", f"expected a gzip file, found: {error}"))
        size = target.tell()
        target.flush()
        message = f"expected the end of a gzip file, found its {size} first bytes only"
        problem = None if complete else TarProblem(size, "", "TarTruncated", message)
        return OpenTar(_map(cast(BinaryIO, target)), "tar.gz", problem)


def _decompress(source: BinaryIO, target: BinaryIO, allowed: int) -> bool:
    """Whether the gzip was whole; a cut one leaves what came before the cut. ValueError above `allowed` bytes."""
    written = 0
    with gzip.GzipFile(fileobj=source) as stream:
        try:
            # read1 and not read: it gives out what was decompressed before it finds the end missing.
            while chunk := stream.read1(_CHUNK):
                written += len(chunk)
                if written > allowed:
                    found = f"more than {allowed} decompressed bytes: over the limit, or {MAX_RATIO} times the file"
                    raise ValueError(found)
                target.write(chunk)
        except EOFError:
            return False
    return True


def _map(file: BinaryIO) -> mmap.mmap | bytes:
    """The file's bytes, mapped; a mapping cannot be empty."""
    if not os.fstat(file.fileno()).st_size:
        return b""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
