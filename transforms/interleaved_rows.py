"""NeMo-Curator's interleaved rows as documents and back: a long table with a row for each text and image.

Columns: `sample_id`, `position` (-1 for a row about the document), `modality` (text, image, metadata), `content_type`,
`text_content`, `binary_content`, `source_ref` (JSON: path, member, byte_offset, byte_size, frame_index),
`materialize_error`; further columns are the user's. Source: README of nemo_curator/stages/interleaved, NeMo-Curator.
The bytes themselves are no part of a document: the reader refers to them, the writer fills `binary_content`.
A user's column stands on the picture's meta, on the metadata row for the document; on a text row it is refused, since a
text has no meta. Rows come back in the order of their positions, numbered anew from 0, nulls for missing columns.
What rows cannot hold, counted: dropped and failed pictures, dropped texts, roles other than paragraph, measures, boxes,
sizes. Modalities other than the three are refused.
"""

from __future__ import annotations

import json
from typing import Any

from transforms.interleaved_documents import (
    Document,
    Losses,
    RecordBroken,
    check_text,
    held_pieces,
    pool_fields,
    pool_meta,
    reference,
)
from transforms.records import Picture, Piece, Text

ROLE = "paragraph"
COLUMNS = (
    "sample_id",
    "position",
    "modality",
    "content_type",
    "text_content",
    "binary_content",
    "source_ref",
    "materialize_error",
)
SAID = ("content_type", "source_ref", "materialize_error")
"""Columns that say something of an image; they are kept on its meta."""


def parse_rows(rows: list[dict[str, Any]]) -> Document:
    """The rows of one sample, in any order. RecordBroken where they are not of the schema."""
    pieces: list[Piece] = []
    fields: dict[str, Any] = {}
    for row in sorted(rows, key=_position):
        kind = row.get("modality")
        own = {name: row[name] for name in row if name not in COLUMNS and row[name] is not None}
        if kind == "metadata":
            fields |= own
        elif kind == "text" and not own:
            pieces.append(Text(check_text(row.get("text_content"), "text_content"), ROLE))
        elif kind == "image":
            pieces.append(_picture(row, own))
        else:
            raise RecordBroken(f"expected a row of text, image or metadata, found {kind!r} with {sorted(own)}")
    return Document(tuple(pieces), pool_meta(fields))


def _position(row: dict[str, Any]) -> int:
    position = row.get("position")
    if type(position) is not int or position < -1:
        raise RecordBroken(f"expected 'position' from -1, found {position!r}")
    return position


def _picture(row: dict[str, Any], own: dict[str, Any]) -> Picture:
    said = own | {name: row[name] for name in SAID if row.get(name) is not None}
    return reference(ref_path(row.get("source_ref")), said)


def ref_path(value: Any) -> str:
    """The path a `source_ref` names; empty where it names none."""
    try:
        found = json.loads(value) if isinstance(value, str) and value else {}
    except ValueError as error:
        raise RecordBroken(f"expected 'source_ref' as JSON, found {error}") from error
    path = found.get("path") if isinstance(found, dict) else None
    return path if isinstance(path, str) else ""


def format_rows(document: Document, key: str, losses: Losses) -> list[dict[str, Any]]:
    """The rows of one sample; `binary_content` is left for whoever has the bytes."""
    rows = [_row(key, -1, "metadata") | pool_fields(document.meta)]
    for position, piece in enumerate(held_pieces(document, ROLE, losses)):
        if isinstance(piece, Text):
            rows.append(_row(key, position, "text") | {"content_type": "text/plain", "text_content": piece.value})
            continue
        losses["sizes"] += bool(piece.width or piece.height)
        said = json.loads(piece.meta) if piece.meta else {}
        if "source_ref" not in said and piece.url:
            said["source_ref"] = json.dumps({"path": piece.url, **dict.fromkeys(_PLACE)})
        rows.append(_row(key, position, "image") | said)
    return rows


_PLACE = ("member", "byte_offset", "byte_size", "frame_index")


def _row(key: str, position: int, modality: str) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS) | {"sample_id": key, "position": position, "modality": modality}
