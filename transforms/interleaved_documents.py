"""Documents: pieces in reading order with what their pool says of them, and what the schemas of such sets share.

A document without its place in a pool is what converters work on: `parse_*` makes one of a foreign record, `format_*`
makes the record again and counts what its schema cannot hold.
Left out on purpose: the schemas (interleaved_lists, interleaved_mmc4, …) and where records lie (interleaved_reader).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NamedTuple

from transforms.records import Picture, Piece, Span, Text
from transforms.shards import EXTENSIONS

OURS = frozenset({"key", "beamsift"})
"""Fields that a sample's JSON sets itself (transforms/shards.py)."""
MAX_SIDE = 2**31 - 1
Losses = Counter[str]
"""What a record could not hold, by kind: `dropped_pictures`, `text_roles`, `fields`, …"""


class RecordBroken(ValueError):
    """A record that is not of its schema; the message says what was expected and what was found."""


class Document(NamedTuple):
    pieces: tuple[Piece, ...]
    meta: dict[str, Any]
    """The pool's JSON object for the document, as `pool_meta` wraps it."""


def reference(url: str, meta: dict[str, Any] | None) -> Picture:
    """A picture that is named and whose bytes are not there (yet)."""
    return Picture(Span(url, 0, 0, "url"), url=url, meta="" if meta is None else format_json(meta))


def is_reference(picture: Picture) -> bool:
    return isinstance(picture.source, Span) and picture.source.container == "url"


def format_json(value: Any) -> str:
    """The one text of a JSON value: keys sorted, no spaces, as in shards. NaN and infinity, which JSON lacks, are null.

    RecordBroken for a lone surrogate: no UTF-8 can hold it.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return format_json(finite(value))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecordBroken(f"expected valid Unicode, found a lone surrogate at character {error.start}") from error
    return text


def finite(value: Any) -> Any:
    """`value` with null for NaN and infinity."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def pool_meta(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` as a sample may keep them beside its own: under `pool` where a name would collide with one of ours."""
    return {"pool": fields} if _collides(fields) else fields


def pool_fields(meta: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `pool_meta`."""
    inner = meta.get("pool")
    return inner if set(meta) == {"pool"} and isinstance(inner, dict) and _collides(inner) else meta


def _collides(fields: dict[str, Any]) -> bool:
    inner = fields.get("pool")
    wrapped = set(fields) == {"pool"} and isinstance(inner, dict) and _collides(inner)
    return wrapped or not OURS.isdisjoint(fields)


def held_pieces(document: Document, role: str, losses: Losses) -> list[Piece]:
    """The pieces that a record of kept things can hold; what they lose by it is counted in `losses`."""
    held = []
    for piece in document.pieces:
        if isinstance(piece, Picture) and piece.failure is not None:
            losses["failed_pictures"] += 1
        elif piece.drop is not None:
            losses["dropped_pictures" if isinstance(piece, Picture) else "dropped_texts"] += 1
        else:
            held.append(piece)
            _count_losses(piece, role, losses)
    return held


def _count_losses(piece: Piece, role: str, losses: Losses) -> None:
    losses["measures"] += len(piece.measures)
    if isinstance(piece, Text):
        losses["text_roles"] += piece.role != role
        losses["boxes"] += len(piece.boxes)


def picture_name(key: str, number: int, picture: Picture) -> str:
    """What the file of the `number`-th picture that a record holds is called beside it."""
    return f"{key}.{number}.{EXTENSIONS.get(picture.format, 'jpg')}"


SIDES = ("width", "height")
"""What most schemas call a picture's sides."""


def with_size(picture: dict[str, Any] | None, url: str, names: tuple[str, str] = SIDES) -> Picture:
    """A reference whose stated sides (pixels) become the picture's own; others stay in its meta."""
    said = dict(picture or {})
    sides = [said.pop(name) if _is_side(said.get(name)) else 0 for name in names]
    made = reference(url, None if picture is None or (any(sides) and not said) else said)
    return Picture(made.source, width=sides[0], height=sides[1], url=url, meta=made.meta)


def size_and_meta(picture: Picture, losses: Losses, names: tuple[str, str] = SIDES) -> dict[str, Any] | None:
    """The inverse of `with_size`: None where nothing is known. What else the pool calls a side gives way to the side,
    and is counted."""
    said = json.loads(picture.meta) if picture.meta else {}
    known = {name: side for name, side in zip(names, (picture.width, picture.height), strict=True) if side}
    losses["fields"] += sum(said.get(name) not in (None, side) for name, side in known.items())
    return {**said, **known} if known or picture.meta else None


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_SIDE


def field_of(record: dict[str, Any], name: str, kind: type, what: str) -> Any:
    """The field, of the type the schema says; RecordBroken where it is missing or another."""
    if name not in record:
        raise RecordBroken(f"expected {name!r} as {what}, found only {sorted(record)[:20]}")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RecordBroken(f"expected {name!r} as {what}, found {type(value).__name__}")
    return value


def check_text(value: Any, place: str) -> str:
    """`value` where it is text that UTF-8 can hold."""
    if not isinstance(value, str):
        raise RecordBroken(f"{place}: expected text, found {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RecordBroken(f"{place}: expected valid Unicode, found a lone surrogate at {error.start}") from error
    return value
