"""Our own document samples: the `.json` member's pieces read back, with the picture members that belong to them.

The inverse of `shards.sample_json` and `sample_members` for documents: pieces in order, a member for each picture that
was neither dropped, failed nor left a reference. A picture comes back by reference to its member.
Left out on purpose: boxes, which no document's JSON holds, and a failure's message, which may name a machine's path.
"""

from __future__ import annotations

from typing import Any

from transforms.interleaved_documents import (
    MAX_SIDE,
    OURS,
    Document,
    RecordBroken,
    check_text,
    field_of,
    format_json,
    reference,
)
from transforms.raw_sample import PICTURE_SUFFIXES
from transforms.records import Drop, Failure, Picture, Piece, Text
from transforms.shards import EXTENSIONS

_FORMATS = frozenset({"", *EXTENSIONS})
_DROP: dict[str, Any] = {"rule": str, "value": (int, float), "limit": (int, float), "detail": str}


def parse_document(record: dict[str, Any]) -> Document:
    """Every picture is a reference still: `missing_pictures` says which of them members must stand for."""
    ours = field_of(record, "beamsift", dict, "an object")
    pieces = field_of(ours, "pieces", list, "a list of pieces")
    fields = {name: value for name, value in record.items() if name not in OURS}
    return Document(tuple(_piece(piece, index) for index, piece in enumerate(pieces)), fields)


def missing_pictures(record: dict[str, Any]) -> list[int]:
    """The numbers of the pieces whose bytes are members of the sample, in the members' order."""
    pieces = record["beamsift"]["pieces"]
    away = ("drop", "failure", "reference")
    return [i for i, piece in enumerate(pieces) if "picture" in piece and not any(name in piece for name in away)]


def picture_suffixes(suffixes: list[str]) -> list[str]:
    """Those of a sample's members that are pictures, in the order of their numbers."""
    found = [suffix for suffix in suffixes if suffix.rpartition(".")[2].lower() in PICTURE_SUFFIXES]
    return sorted(found, key=_number)


def _number(suffix: str) -> tuple[int, str]:
    digits = suffix.partition(".")[0]
    return (int(digits), suffix) if digits.isascii() and digits.isdigit() and len(digits) < 10 else (0, suffix)


def _piece(piece: Any, index: int) -> Piece:
    place = f"piece {index}"
    if not isinstance(piece, dict) or ("text" in piece) == ("picture" in piece):
        raise RecordBroken(f"{place}: expected an object with a text or a picture, found another")
    measures, drop = piece.get("measures", {}), _drop(piece.get("drop"), place)
    if not isinstance(measures, dict) or not all(_is_measure(value) for value in measures.values()):
        raise RecordBroken(f"{place}: expected measures as numbers or text, found another")
    if "text" in piece:
        role = check_text(piece.get("role", "caption"), place)
        return Text(check_text(piece["text"], place), role, measures=measures, drop=drop)
    return _picture(piece, (measures, drop), place)


def _picture(piece: dict[str, Any], marks: tuple[dict[str, Any], Drop | None], place: str) -> Picture:
    size, meta, failure = piece["picture"], piece.get("meta"), piece.get("failure")
    try:
        hashed = bytes.fromhex(size.get("sha256", ""))
        width, height, name = size.get("width", 0), size.get("height", 0), size.get("format", "")
    except (AttributeError, TypeError, ValueError) as error:
        raise RecordBroken(f"{place}: expected a picture's format, width, height and sha256, found {error}") from error
    sides = all(type(side) is int and 0 <= side <= MAX_SIDE for side in (width, height))
    if not sides or not isinstance(name, str) or name not in _FORMATS:
        raise RecordBroken(f"{place}: expected a known format and sides of pixels, found {size!r:.200}")
    url = check_text(piece.get("url", ""), place)
    return Picture(
        reference(url, None).source,
        format=name,
        width=width,
        height=height,
        sha256=hashed,
        measures=marks[0],
        drop=marks[1],
        failure=None if failure is None else Failure(check_text(failure, place), "", ""),
        url=url,
        meta="" if meta is None else format_json(meta),
    )


def _is_measure(value: Any) -> bool:
    """Numbers that a record can hold are of 64 bits."""
    return type(value) in (float, str) or (type(value) is int and -(2**63) <= value < 2**63)


def _drop(value: Any, place: str) -> Drop | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(
        isinstance(value.get(name), kind) and _is_measure(value[name]) for name, kind in _DROP.items()
    ):
        raise RecordBroken(f"{place}: expected a drop of {', '.join(_DROP)}, found {value!r:.100}")
    return Drop(*(value[name] for name in _DROP))
