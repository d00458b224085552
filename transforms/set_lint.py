"""What is wrong with a WebDataset shard, whoever wrote it: names, order, members, and the bytes behind the names.

Members whose names agree up to the first dot of the base name are one sample, and only while they lie side by side:
readers of WebDataset stream, so a member that comes later is another sample or an error (webdataset #407). Headers are
walked without the data; a picture's first bytes are looked at, texts and JSON are decoded.
Left out on purpose: whether a picture can be decoded (a run's scan says that), and the law of our own shards
(pipelines/verify.py). What only the whole set can tell is in set_keys.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from transforms.picture_headers import sniff_format
from transforms.raw_sample import PICTURE_SUFFIXES
from transforms.tar_index import BLOCK, TarIndex, TarMember, TarProblem, parse_header, walk_headers
from transforms.tar_reader import split_name

Data = mmap.mmap | bytes
TEXTS = frozenset({"txt", "caption", "text", "md", "html"})
ALIASES = {"jpg": "jpeg", "tif": "tiff"}
MAX_JSON = 64 << 20
"""Bytes of one JSON that is decoded; a larger one is a finding of its own."""
LOOKED_AT = 1 << 20
"""Bytes behind the end mark that are looked at; writers fill at most a record of 10 KiB."""
OWN = "__"
"""What WebDataset's own members begin with."""
_TAR_FAULTS = {"TarTruncated": "tar_truncated", "TarLink": "tar_link", "TarDevice": "tar_device"}
_decode_json = msgspec.json.Decoder().decode


class Finding(NamedTuple):
    """`fault` is a class in snake case, `place` the shard and member, `message` a sentence."""

    fault: str
    place: str
    message: str


class ShardLint(NamedTuple):
    findings: list[Finding]
    keys: list[str]
    """Of the samples, in order; one that comes again in the shard only once."""
    members: int


class _Group(NamedTuple):
    """Members of one key that lie side by side, each with its extension."""

    key: str
    members: list[tuple[str, TarMember]]


def lint_shard(data: Data, name: str, *, contents: bool = True) -> ShardLint:
    """The findings of one tar, in the order of their places. Without `contents` nothing but headers is read."""
    if not len(data):
        return ShardLint([Finding("shard_empty", name, "the file has no bytes, not even a tar's end mark")], [], 0)
    index, end = walk_headers(data)
    findings = [_problem(problem, name) for problem in index.problems]
    if not findings or index.problems[-1].offset != end:
        findings += _check_end(data, end, name)
    findings += [finding for member in index.members for finding in _check_name(member, data, name)]
    groups = [
        _Group(key, [(extension, member) for _, extension, member in members])
        for key, members in groupby(_parts(index), key=lambda part: part[0])
    ]
    if not groups and not findings:
        findings.append(Finding("shard_empty", name, "the shard holds no sample"))  # webdataset #376
    findings += _check_folders(groups, name)
    keys: dict[str, _Group] = {}
    for group in groups:
        findings += _check_order(group, keys, name)
        findings += _check_members(group, name)
        if contents:
            findings += _check_contents(group, data, name)
        keys.setdefault(group.key, group)
    return ShardLint(findings, list(keys), len(index.members))


def _parts(index: TarIndex) -> Iterator[tuple[str, str, TarMember]]:
    """Members that a WebDataset reader takes, with key and extension."""
    for member in index.members:
        key, extension = split_name(member.name)
        base = key.rpartition("/")[2]
        if extension and base and not base.startswith(OWN):
            yield key, extension, member


def _problem(problem: TarProblem, name: str) -> Finding:
    place = f"{name}#{problem.name}" if problem.name else f"{name}@{problem.offset}"
    return Finding(_TAR_FAULTS.get(problem.error, "tar_broken"), place, problem.message)


def _check_end(data: Data, end: int, name: str) -> Iterator[Finding]:
    """The end mark, which a writer that was killed never wrote, and what lies behind it."""
    if not len(data[end : end + BLOCK]):
        yield Finding(
            "tar_without_end", f"{name}@{end}", "the file ends without a tar's end mark: its writer was stopped"
        )
    elif data[end : end + LOOKED_AT].strip(b"\0"):
        message = "bytes follow the end mark, as where tars were joined: readers stop before them"
        yield Finding("tar_goes_on", f"{name}@{end}", message)


def _check_name(member: TarMember, data: Data, name: str) -> Iterator[Finding]:
    found, place = member.name, f"{name}#{member.name}"
    if found.startswith("/") or "\\" in found or ".." in found.split("/"):
        yield Finding("name_unsafe", place, "the name is absolute or leads out of the folder it is unpacked in")
    if not found.isprintable():
        yield Finding("name_unsafe", place, "the name holds control characters or bytes that are not UTF-8")
    if not found.isascii() or _is_extended(member, data):
        message = "the name needs more than a USTAR header (PAX, GNU or UTF-8): not every reader sees the same name"
        yield Finding("name_not_ustar", place, message)
    key, extension = split_name(found)
    base = key.rpartition("/")[2]
    if (not extension or not base) and not base.startswith(OWN):
        what = "no extension" if base else "nothing before its first dot"
        yield Finding("name_without_key", place, f"the name has {what}: WebDataset readers pass over the member")


def _is_extended(member: TarMember, data: Data) -> bool:
    block = data[member.start - BLOCK : member.start]
    if block[: len(member.name) + 1].rstrip(b"\0") == member.name.encode():
        return False
    return parse_header(block).name.decode("utf-8", "backslashreplace") != member.name


def _check_order(group: _Group, earlier: dict[str, _Group], name: str) -> Iterator[Finding]:
    """A key that comes again: its members lie apart, or two samples have one key."""
    before = earlier.get(group.key)
    if before is None:
        return
    place = f"{name}#{group.key}"
    twice = sorted({extension for extension, _ in before.members} & {extension for extension, _ in group.members})
    if twice:
        message = f"two samples of the shard have this key: both have {', '.join(twice)}"
        yield Finding("key_repeated", place, message)
    else:
        apart = ", ".join(extension for extension, _ in group.members)
        message = f"{apart} lies apart from the sample's other members: a streaming reader makes two samples of it"
        yield Finding("members_apart", place, message)


def _check_members(group: _Group, name: str) -> Iterator[Finding]:
    extensions = [extension for extension, _ in group.members]
    for extension in sorted({one for one in extensions if extensions.count(one) > 1} if len(extensions) > 1 else ()):
        message = f"the sample has {extensions.count(extension)} members of this extension: readers keep one or stop"
        yield Finding("member_repeated", f"{name}#{group.key}.{extension}", message)
    for _, member in group.members:
        if not member.size:
            yield Finding("member_empty", f"{name}#{member.name}", "the member has no bytes")
    if dotted := _dotted(extensions):
        message = (
            f"WebDataset cuts a name at its first dot: {dotted!r} becomes a part of every extension, and samples whose "
            f"names differ behind the dot become one"
        )
        yield Finding("key_dotted", f"{name}#{group.key}", message)


def _dotted(extensions: list[str]) -> str:
    """What of a dotted key went into the extensions (webdataset #237); several pictures, `0.jpg`, are none.

    A sample of several parts has a plain member, mostly its JSON. Where every member has a further part, and one part
    has members of two types, the dot belongs to the key.
    """
    parts = [extension.rpartition(".")[0] for extension in extensions]
    if not all(parts):
        return ""
    return next((part for part in parts if parts.count(part) > 1), "")


def _check_folders(groups: list[_Group], name: str) -> Iterator[Finding]:
    """Folders meant as samples (webdataset #319): `000/image.jpg`, `000/meta.json`, every one a sample of its own."""
    for folder, inside in groupby(groups, key=lambda group: group.key.rpartition("/")[0]):
        found = list(inside)
        extensions = [extension for group in found for extension, _ in group.members]
        single = len(found) > 1 and len(extensions) == len(found) and len(set(extensions)) == len(extensions)
        if folder and single and not PICTURE_SUFFIXES.isdisjoint(extensions):
            listed = ", ".join(member.name.rpartition("/")[2] for group in found[:3] for _, member in group.members)
            message = f"{listed} share a folder and no name: WebDataset makes a sample of each"
            yield Finding("folder_as_sample", f"{name}#{folder}/", message)


def _check_contents(group: _Group, data: Data, name: str) -> Iterator[Finding]:
    for extension, member in group.members:
        last, place = extension.rpartition(".")[2], f"{name}#{member.name}"
        if not member.size:
            continue
        if last in PICTURE_SUFFIXES:
            yield from _check_picture(last, data[member.start : member.start + min(16, member.size)], place)
        elif last == "json":
            yield from _check_json(group, member, data, place)
        elif last in TEXTS:
            yield from _check_text(data[member.start : member.start + member.size], place)


def _check_picture(extension: str, head: bytes, place: str) -> Iterator[Finding]:
    stated, found = ALIASES.get(extension, extension), sniff_format(head)
    if stated != found:
        bytes_of = f"those of {found}" if found else f"no known picture's ({head[:8]!r}…)"
        yield Finding("extension_wrong", place, f"the name says {stated}, the first bytes are {bytes_of}")


def _check_text(text: bytes, place: str) -> Iterator[Finding]:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        yield Finding("text_not_utf8", place, f"expected UTF-8, found {error.reason} at byte {error.start}")


def _check_json(group: _Group, member: TarMember, data: Data, place: str) -> Iterator[Finding]:
    if member.size > MAX_JSON:
        yield Finding("json_too_large", place, f"expected at most {MAX_JSON} bytes, found {member.size}")
        return
    text = data[member.start : member.start + member.size]
    try:
        fields = _decode_json(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            yield Finding("json_broken", place, f"expected JSON, found {error}")
            return
        yield Finding("json_not_strict", place, f"Python's json reads it, strict readers do not: {error}")
    if isinstance(fields, dict):
        yield from _check_named(fields, group, place)


def _check_named(fields: dict[str, Any], group: _Group, place: str) -> Iterator[Finding]:
    """Pictures that the JSON names are members of the sample."""
    held = [extension for extension, _ in group.members if extension.rpartition(".")[2] in PICTURE_SUFFIXES]
    expected = _pictures_of_ours(fields.get("beamsift"))
    if expected is not None and expected != len(held):
        message = f"the JSON's pieces speak of {expected} pictures with a member, the sample has {len(held)}"
        yield Finding("picture_missing" if expected > len(held) else "picture_unnamed", place, message)
    names = {member.name.rpartition("/")[2] for _, member in group.members} | set(held)
    for named in _named(fields):
        if named.rpartition("/")[2] not in names:
            yield Finding("picture_missing", place, f"the JSON names the picture {named!r:.200}, the sample lacks it")


def _pictures_of_ours(ours: Any) -> int | None:
    pieces = ours.get("pieces") if isinstance(ours, dict) else None
    if not isinstance(pieces, list):
        return None
    away = ("drop", "failure", "reference")
    pictures = [piece for piece in pieces if isinstance(piece, dict) and "picture" in piece]
    return sum(not any(name in piece for name in away) for piece in pictures)


def _named(fields: dict[str, Any]) -> Iterator[str]:
    """File names, not addresses, in the fields in which interleaved sets name pictures."""
    infos = fields.get("image_info")
    found = [info.get("image_name") for info in infos if isinstance(info, dict)] if isinstance(infos, list) else []
    images = fields.get("images")
    found += images if isinstance(images, list) else []
    found.append(fields.get("image"))
    for name in found:
        if isinstance(name, str) and "://" not in name and name.rpartition(".")[2].lower() in PICTURE_SUFFIXES:
            yield name
