"""Tars of documents as rows: `{key}.json` with the pictures beside it, of MINT-1T or of our own shards.

MINT-1T keeps the pictures of a document as the frames of `{key}.tiff`; several members, `{key}.0.jpg`, are read too.
Left out on purpose: members that are neither JSON nor picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from configs.schema.caption import ReadRules
from transforms.interleaved_documents import Document, RecordBroken, format_json
from transforms.interleaved_pictures import Bytes, place_bytes
from transforms.interleaved_schemas import Schema
from transforms.interleaved_shards import missing_pictures, picture_suffixes
from transforms.loaded import Loaded
from transforms.picture_headers import PictureError, read_header
from transforms.raw_sample import clean_key, load_failure, parse_meta
from transforms.records import Container, Failure, Picture, Piece, Recipe, Sample, Span, Unit
from transforms.tar_index import TarMember, index_headers
from transforms.tar_reader import group_members, open_tar, split_name
from transforms.tiff_frames import format_frames, parse_frames


def read_document_tar(
    path: str, unit: Unit, rules: ReadRules, staging: str | None = None, *, schema: Schema
) -> Iterator[Loaded]:
    """A row for each key, in the order of their first members, then one for each problem of the archive."""
    tar = open_tar(path, staging, rules.max_unpacked_bytes)
    index = index_headers(tar.data)
    view, position = memoryview(tar.data), 0
    for group in group_members(index.members):
        members = {suffix: _Member(unit.uri, tar.container, view, member) for suffix, member in group.members.items()}
        sample = Sample(clean_key(group.key), unit.uri, unit.part, position, source_key=group.key)
        try:
            yield _load(members, sample, rules, schema)
        except _Refused as error:
            yield load_failure(unit, position, error.failure, group.key)
        position += 1
    problems = [*index.problems, *([tar.problem] if tar.problem else [])]
    for problem in problems:
        place = f"{unit.uri}#{problem.name}" if problem.name else f"{unit.uri}@{problem.offset}-{problem.offset + 512}"
        yield load_failure(unit, position, Failure(problem.error, problem.message, place))
        position += 1


class _Refused(Exception):
    """A sample that cannot be a row."""

    def __init__(self, error: str, message: str, place: str) -> None:
        super().__init__(message)
        self.failure = Failure(error, message, place)


class _Member:
    def __init__(self, uri: str, container: Container, view: memoryview, member: TarMember) -> None:
        end = member.start + member.size
        self.span = Span(uri, member.start, end, container, member.name)
        self.data = view[member.start : end]
        self.place = f"{uri}#{member.name}"


def _load(members: dict[str, _Member], sample: Sample, rules: ReadRules, schema: Schema) -> Loaded:
    place = f"{sample.source}#{sample.source_key}"
    if "json" not in members:
        raise _Refused("RecordBroken", "expected a document's JSON, found none", place)
    parsed = parse_meta(members["json"].data, members["json"].place, rules)
    if isinstance(parsed, Failure):
        raise _Refused(parsed.error, parsed.message, parsed.place)
    record = parsed[1]
    try:
        document = schema.parse(record)
        meta = format_json(document.meta) if document.meta else ""
    except (RecordBroken, RecursionError) as error:  # the second: values nested thousands deep
        raise _Refused("RecordBroken", str(error), place) from error
    held = [members[suffix] for suffix in picture_suffixes(list(members))]
    find = _numbered if schema.name == "beamsift" else _in_order
    # A large picture is a reference still, for whoever reads it to refuse; frames are cut here and now.
    one = held[0] if len(held) == 1 and find is _in_order and sum(map(_is_picture, document.pieces)) > 1 else None
    if one is not None and len(one.data) > rules.max_picture_bytes:
        message = f"expected frames in at most {rules.max_picture_bytes} bytes, found {len(one.data)}"
        raise _Refused("PictureTooLarge", message, one.place)
    return place_bytes(document, meta, find(document, record, held, place), sample)


def _numbered(document: Document, record: dict[str, Any], held: list[_Member], place: str) -> list[Bytes]:
    """Our own: a member for each picture piece that says nothing of being away."""
    expected = missing_pictures(record)
    if len(expected) != len(held):
        raise _Refused("PictureMissing", f"expected {len(expected)} pictures, found {len(held)}", place)
    of_piece = dict(zip(expected, held, strict=True))
    pictures = [i for i, piece in enumerate(document.pieces) if _is_picture(piece)]
    return [_bytes(of_piece[i]) if i in of_piece else None for i in pictures]


def _in_order(document: Document, record: dict[str, Any], held: list[_Member], place: str) -> list[Bytes]:
    """Others': members by their numbers, as many as pictures, or frames of one TIFF; none where they are addresses."""
    count = sum(map(_is_picture, document.pieces))
    if not held:
        return [None] * count
    numbers = [_number(member) for member in held]
    if all(0 <= number < count for number in numbers) and len(set(numbers)) == len(numbers):
        by_number = dict(zip(numbers, held, strict=True))
        return [_bytes(by_number[n]) if n in by_number else None for n in range(count)]
    if len(held) == 1 and count != 1:
        frames = _frames(held[0])
        if len(frames) == count:
            return frames
        raise _Refused("PictureMissing", f"expected {count} frames of one TIFF, found {len(frames)}", place)
    if len(held) != count:
        raise _Refused("PictureMissing", f"expected {count} pictures, found {len(held)}", place)
    return [_bytes(member) for member in held]


def _is_picture(piece: Piece) -> bool:
    return isinstance(piece, Picture)


def _number(member: _Member) -> int:
    """The number in `{key}.{number}.jpg`; -1 where there is none."""
    part = split_name(member.span.member)[1].rpartition(".")[0]
    return int(part) if part.isascii() and part.isdigit() and len(part) < 10 else -1


def _bytes(member: _Member) -> Bytes:
    return member.span, member.data


def _frames(member: _Member) -> list[Bytes]:
    try:
        if read_header(member.data).format != "tiff":
            return [_bytes(member)]
        frames = [format_frames([frame]) for frame in parse_frames(member.data)]
    except PictureError as error:
        raise _Refused(error.error, str(error), member.place) from error
    return [(Recipe("tiff_frame", {"frame": n}, (member.span,)), data) for n, data in enumerate(frames)]
