"""data-juicer's records as documents and back: one text with a token for each picture, and their paths in a list.

`text` with `<__dj__image>` at each picture and `<|__dj__eoc|>` at the end of each chunk, `images` as paths. Source:
docs of data-juicer, "DJ dataset format". The end of a chunk is a text of role `chunk_end`; texts keep their spaces.
What the records cannot hold, counted: dropped and failed pictures, dropped texts, roles other than paragraph, measures,
boxes, sizes, what is said of a picture; `joined_texts`, neighbours without a token between them; `tokens`, texts that
hold a token themselves; `empty_texts`.
"""

from __future__ import annotations

import re
from typing import Any

from transforms.interleaved_documents import (
    Document,
    Losses,
    RecordBroken,
    check_text,
    field_of,
    held_pieces,
    picture_name,
    pool_fields,
    pool_meta,
    reference,
)
from transforms.records import Picture, Piece, Text

ROLE, CHUNK_END = "paragraph", "chunk_end"
IMAGE, END = "<__dj__image>", "<|__dj__eoc|>"
_TOKENS = re.compile(f"({re.escape(IMAGE)}|{re.escape(END)})")


def parse_tokens(record: dict[str, Any]) -> Document:
    """RecordBroken where `record` is not of the schema."""
    parts = _TOKENS.split(check_text(field_of(record, "text", str, "text"), "text"))
    images = record.get("images") or []
    if not isinstance(images, list) or len(images) != parts.count(IMAGE):
        found = len(images) if isinstance(images, list) else type(images).__name__
        raise RecordBroken(f"expected {parts.count(IMAGE)} images, one for each token, found {found}")
    paths = iter(images)
    pieces: list[Piece] = []
    for part in parts:
        if part == IMAGE:
            pieces.append(reference(check_text(next(paths), "images"), None))
        elif part:
            pieces.append(Text("", CHUNK_END) if part == END else Text(part, ROLE))
    return Document(tuple(pieces), pool_meta({n: v for n, v in record.items() if n not in ("text", "images")}))


def format_tokens(document: Document, key: str, losses: Losses) -> dict[str, Any]:
    """The record; a picture without a path is named by `key` and its number."""
    held = held_pieces(document, ROLE, Losses())
    losses.update(_losses(document, held))
    text, images = "", list[str]()
    for piece in held:
        if isinstance(piece, Picture):
            text += IMAGE
            images.append(piece.url or picture_name(key, len(images), piece))
        else:
            text += END if piece.role == CHUNK_END else piece.value
    fields = pool_fields(document.meta)
    losses["fields"] += len({"text", "images"} & set(fields))
    return {**fields, "text": text, "images": images}


def _losses(document: Document, held: list[Piece]) -> Losses:
    losses = Losses()
    ends = sum(isinstance(piece, Text) and piece.role == CHUNK_END for piece in held)
    held_pieces(document, ROLE, losses)
    losses["text_roles"] -= ends
    for piece, after in zip(held, [*held, None][1:], strict=True):
        if isinstance(piece, Picture):
            losses["picture_meta"] += bool(piece.meta)
            losses["sizes"] += bool(piece.width or piece.height)
        elif piece.role != CHUNK_END:
            losses["tokens"] += bool(_TOKENS.search(piece.value))
            losses["empty_texts"] += not piece.value
            losses["joined_texts"] += isinstance(after, Text) and after.role != CHUNK_END
    return losses
