"""Multimodal C4 records as documents and back: sentences, and pictures assigned to them.

`text_list`, `image_info` (image_name, raw_url, matched_text_index, matched_sim, face_detections), `similarity_matrix`
of pictures by sentences, `url`, `could_have_url_duplicate`. Source: README of allenai/mmc4, arXiv 2304.06939. A
picture stands before the sentence it is assigned to, as in Flamingo-style training on it.
A field that an `image_info` lacks comes back as null. What the records cannot hold, counted: dropped and failed
pictures, dropped texts, roles other than sentence, measures, boxes, sizes; `placement`, a picture behind all sentences,
which is assigned to the last one; pictures of a document without text, which no index can name; a field of ours that is
called like one of its own.
"""

from __future__ import annotations

import json
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

ROLE = "sentence"
OWN = ("text_list", "image_info", "similarity_matrix")
PLACED = ("raw_url", "matched_text_index")
"""Fields of an image that follow from the picture itself."""
OPTIONAL = ("matched_sim", "face_detections")
ORDER = "image_index"
"""A picture's place in `image_info`, kept where reading order does not tell it."""
SIMILARITY = "similarity"
"""A picture's row of the similarity matrix."""


def parse_mmc4(record: dict[str, Any]) -> Document:
    """RecordBroken where `record` is not of the schema."""
    texts = field_of(record, "text_list", list, "a list of sentences")
    infos = field_of(record, "image_info", list, "a list of objects")
    rows = _rows(record.get("similarity_matrix"), len(infos), len(texts))
    order = [_text_index(info, len(texts), i) for i, info in enumerate(infos)]
    sorted_already = order == sorted(order)
    pieces: list[Piece] = []
    for number, text in enumerate(texts):
        for i in (i for i, index in enumerate(order) if index == number):
            pieces.append(_picture(infos[i], rows[i], None if sorted_already else i))
        pieces.append(Text(check_text(text, f"text {number}"), ROLE))
    return Document(tuple(pieces), pool_meta({name: record[name] for name in record if name not in OWN}))


def _rows(matrix: Any, pictures: int, texts: int) -> list[Any]:
    if matrix is None:
        return [None] * pictures
    fitting = isinstance(matrix, list) and len(matrix) == pictures
    if not fitting or any(not isinstance(row, list) or len(row) != texts for row in matrix):
        raise RecordBroken(f"expected a similarity matrix of {pictures} rows of {texts}, found another shape")
    return list(matrix)


def _text_index(info: Any, texts: int, place: int) -> int:
    index = info.get("matched_text_index") if isinstance(info, dict) else None
    if type(index) is not int or not 0 <= index < texts:
        raise RecordBroken(f"image {place}: expected 'matched_text_index' of 0..{texts - 1}, found {index!r}")
    return index


def _picture(info: dict[str, Any], row: Any, order: int | None) -> Picture:
    clash = {ORDER, SIMILARITY} & set(info)
    if clash:
        raise RecordBroken(f"expected an image without {sorted(clash)}, found it")
    url = check_text(info.get("raw_url") or "", "raw_url")
    said = {name: info[name] for name in info if name not in PLACED}
    said = {name: value for name, value in said.items() if name not in OPTIONAL or value is not None}
    if row is not None:
        said[SIMILARITY] = row
    if order is not None:
        said[ORDER] = order
    return reference(url, said)


def format_mmc4(document: Document, key: str, losses: Losses) -> dict[str, Any]:
    """The record; a picture to which the pool gave no `image_name` is named by `key` and its number."""
    pieces = held_pieces(document, ROLE, losses)
    texts = [piece.value for piece in pieces if isinstance(piece, Text)]
    infos, rows = _infos(pieces, key, losses)
    fields = pool_fields(document.meta)
    losses["fields"] += len(set(OWN) & set(fields))
    whole = len(rows) == len(infos) and all(isinstance(row, list) and len(row) == len(texts) for row in rows)
    losses["similarity_rows"] += 0 if whole else sum(row is not None for row in rows)
    matrix = rows if whole else None
    return {**fields, "text_list": texts, "image_info": infos, "similarity_matrix": matrix}


def _infos(pieces: list[Piece], key: str, losses: Losses) -> tuple[list[dict[str, Any]], list[Any]]:
    last = sum(isinstance(piece, Text) for piece in pieces) - 1
    found: list[tuple[int, dict[str, Any], Any]] = []
    number = 0
    for piece in pieces:
        if isinstance(piece, Text):
            number += 1
        elif last < 0:
            losses["pictures_without_text"] += 1
        else:
            losses["placement"] += number > last
            losses["sizes"] += bool(piece.width or piece.height)
            said = json.loads(piece.meta) if piece.meta else {}
            losses["fields"] += sum(said.pop(own, None) is not None for own in PLACED)
            said = {"image_name": picture_name(key, len(found), piece), **said}
            found.append(_info(piece.url, said, min(number, last), len(found)))
    found.sort(key=lambda item: item[0])
    return [info for _, info, _ in found], [row for _, _, row in found]


def _info(url: str, said: dict[str, Any], number: int, place: int) -> tuple[int, dict[str, Any], Any]:
    row, order = said.pop(SIMILARITY, None), said.pop(ORDER, place)
    info = {"image_name": "", "raw_url": url, "matched_text_index": number, **dict.fromkeys(OPTIONAL)}
    return order if isinstance(order, int) else place, info | said, row
