"""OBELICS, OmniCorpus and MINT-1T records as documents and back: parallel lists of texts and images.

`texts` and `images` have one length, and at each position one of the two is null. An image is its URL, or in MINT-1T's
PDF and ArXiv parts a name (`page_0_image_85`) of a frame in the tar's TIFF. They differ in where the rest stands:
 - OBELICS (dataset card HuggingFaceM4/OBELICS, arXiv 2306.16527): `metadata`, JSON text of a list with an object at
   each image (`src`, `alt_text`, `rendered_width`, `original_width`, …) and null at each text; `general_metadata`, JSON
   text of an object with `url` and the place in the crawl.
 - OmniCorpus-CC and -CC-210M (card OpenGVLab/OmniCorpus-CC, arXiv 2406.08418): `metadata`, a list of structs, and
   `general_metadata`, a struct, both with the fixed fields below.
 - MINT-1T (cards mlfoundations/MINT-1T-*, arXiv 2406.11271): `image_metadata`, a list with an object for each image;
   the document's fields (`url`, `pdf_name`, `previous_word_count`, …) stand at the top.
A list about pictures may have an entry a position or an entry a picture in any of them; the document remembers which
where it is not the schema's own. Records come back equal as JSON values; the text of a JSON string is written anew,
a field that a record lacks comes back as null (OmniCorpus) or empty, a list about no pictures as an empty list.
What the records cannot hold, counted: dropped and failed pictures, dropped texts, roles other than paragraph, measures,
boxes, the bytes (they lie in tars beside them); in OmniCorpus any field that is not listed here; in MINT-1T a field of
ours that has the name of one of its own.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from transforms.interleaved_documents import (
    SIDES,
    Document,
    Losses,
    RecordBroken,
    check_text,
    field_of,
    held_pieces,
    picture_name,
    pool_fields,
    pool_meta,
    size_and_meta,
    with_size,
)
from transforms.records import Picture, Piece, Text

ROLE = "paragraph"
LAYOUT = "beamsift_layout"
"""The document's field that says where a list about pictures was not laid out as its schema says."""


class ListSchema(NamedTuple):
    name: str
    pictures: str
    """Its list about pictures."""
    general: str = ""
    """Its object about the document; empty where those fields stand at the top."""
    as_text: bool = False
    """Whether both of them are JSON as text."""
    dense: bool = True
    """Whether the list about pictures has an entry for each position, else for each picture."""
    sides: tuple[str, str] = SIDES
    """What it calls the width and height of a picture, in pixels."""
    picture_fields: frozenset[str] | None = None
    document_fields: frozenset[str] | None = None
    """All that a fixed struct can hold; None where anything may stand."""


OBELICS = ListSchema(
    "obelics", "metadata", "general_metadata", as_text=True, sides=("original_width", "original_height")
)
_PICTURE_NUMBERS = ("aesthetic_prob", "bytes", "d_hash_dup_count", "height", "p_hash_dup_count", "unsafe_prob", "width")
_DOCUMENT_NUMBERS = ("fluency_prob", "non_advertisement_prob", "politics_prob", "porn_prob", "toxic_prob")
OMNICORPUS = ListSchema(
    "omnicorpus",
    "metadata",
    "general_metadata",
    picture_fields=frozenset({*_PICTURE_NUMBERS, "d_hash", "img_url_sha", "p_hash"}),
    document_fields=frozenset({*_DOCUMENT_NUMBERS, "domain", "id", "url"}),
)
MINT = ListSchema("mint", "image_metadata", dense=False)
LIST_SCHEMAS = {schema.name: schema for schema in (OBELICS, OMNICORPUS, MINT)}


def parse_lists(record: dict[str, Any], schema: ListSchema) -> Document:
    """RecordBroken where `record` is not of the schema."""
    images = field_of(record, "images", list, "a list of addresses and nulls")
    texts = field_of(record, "texts", list, "a list of texts and nulls")
    if len(images) != len(texts):
        raise RecordBroken(f"expected lists of one length, found {len(images)} images and {len(texts)} texts")
    for index, (image, text) in enumerate(zip(images, texts, strict=True)):
        if (image is None) == (text is None):
            found = "neither" if image is None else "both"
            raise RecordBroken(f"position {index}: expected an image or a text, found {found}")
    said, layout = _said_of_pictures(record, images, schema)
    fields = _document_fields(record, schema)
    if layout:
        fields[LAYOUT] = layout
    return Document(tuple(_pieces(images, texts, said, schema)), pool_meta(fields))


def _pieces(images: list[Any], texts: list[Any], said: list[Any], schema: ListSchema) -> list[Piece]:
    pieces: list[Piece] = []
    about = iter(said)
    for index, (image, text) in enumerate(zip(images, texts, strict=True)):
        place = f"position {index}"
        if image is None:
            pieces.append(Text(check_text(text, place), ROLE))
            continue
        pieces.append(with_size(next(about), check_text(image, place), schema.sides))
    return pieces


def _said_of_pictures(record: dict[str, Any], images: list[Any], schema: ListSchema) -> tuple[list[Any], str]:
    """What is said of each picture, in order, and the list's layout where it is not the schema's."""
    pictures = sum(image is not None for image in images)
    value = _value(record, schema.pictures, schema)
    if value is None:
        return [None] * pictures, ""
    if not isinstance(value, list) or len(value) not in (len(images), pictures):
        found = f"{len(value)} entries" if isinstance(value, list) else type(value).__name__
        raise RecordBroken(
            f"expected {schema.pictures!r} as a list of {len(images)} or {pictures} entries, found {found}"
        )
    dense = len(value) == len(images) if pictures == len(images) or schema.dense else len(value) != pictures
    spare = [item for item, image in zip(value, images, strict=True) if image is None] if dense else []
    said = [item for item, image in zip(value, images, strict=True) if image is not None] if dense else value
    if any(item is not None for item in spare) or any(not isinstance(item, dict | None) for item in said):
        raise RecordBroken(f"expected {schema.pictures!r} to hold an object for an image and null for a text")
    other = pictures != len(images) and dense != schema.dense
    said = [_known(item, schema.picture_fields) for item in said]
    return said, ("dense" if dense else "sparse") if other else ""


def _known(said: dict[str, Any] | None, names: frozenset[str] | None) -> dict[str, Any] | None:
    """Without the nulls of a fixed struct: they stand for fields that are not there."""
    return said if said is None or names is None else {name: said[name] for name in said if said[name] is not None}


def _value(record: dict[str, Any], name: str, schema: ListSchema) -> Any:
    value = record.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RecordBroken(f"expected {name!r} as JSON, found {error}") from error


def _document_fields(record: dict[str, Any], schema: ListSchema) -> dict[str, Any]:
    if not schema.general:
        return {name: value for name, value in record.items() if name not in ("images", "texts", schema.pictures)}
    value = _value(record, schema.general, schema)
    if not isinstance(value, dict | None):
        raise RecordBroken(f"expected {schema.general!r} as an object, found {type(value).__name__}")
    return dict(_known(value or {}, schema.document_fields) or {})


def format_lists(document: Document, schema: ListSchema, key: str, losses: Losses) -> dict[str, Any]:
    """The record; what it cannot hold is counted. A picture without an address is named by `key` and its number."""
    pieces = held_pieces(document, ROLE, losses)
    fields = dict(pool_fields(document.meta))
    layout = fields.pop(LAYOUT, "")
    record: dict[str, Any] = {
        "images": _addresses(pieces, key),
        "texts": [piece.value if isinstance(piece, Text) else None for piece in pieces],
    }
    said = _format_said(pieces, schema, layout, losses)
    if said is not None:
        record[schema.pictures] = json.dumps(said) if schema.as_text else said
    if not schema.general:
        losses["fields"] += len({"images", "texts", schema.pictures} & set(fields))
        return {**fields, **record}
    general = _filled(fields, schema.document_fields, losses)
    return {**record, schema.general: json.dumps(general) if schema.as_text else general}


def _addresses(pieces: list[Piece], key: str) -> list[str | None]:
    """Null for a text. Pictures are numbered whether or not they have an address, as their files are."""
    numbers = {i: n for n, i in enumerate(i for i, piece in enumerate(pieces) if isinstance(piece, Picture))}
    return [
        piece.url or picture_name(key, numbers[i], piece) if isinstance(piece, Picture) else None
        for i, piece in enumerate(pieces)
    ]


def _format_said(pieces: list[Piece], schema: ListSchema, layout: str, losses: Losses) -> list[Any] | None:
    """None where the schema has a list about pictures only of those that something is said of."""
    dense = {"dense": True, "sparse": False}.get(layout, schema.dense)
    said = [_said(piece, schema, losses) for piece in pieces if dense or isinstance(piece, Picture)]
    if not schema.general and said and all(item is None for item in said):
        return None
    return said


def _said(piece: Piece, schema: ListSchema, losses: Losses) -> dict[str, Any] | None:
    if isinstance(piece, Text):
        return None
    said = size_and_meta(piece, losses, schema.sides)
    return said if said is None else _filled(said, schema.picture_fields, losses)


def _filled(fields: dict[str, Any], names: frozenset[str] | None, losses: Losses) -> dict[str, Any]:
    """As a fixed struct: every field of it, null where nothing is known, and no other."""
    if names is None:
        return fields
    fitting = {name: fields.get(name) for name in sorted(names) if fits(name, fields.get(name))}
    losses["fields"] += len([name for name in fields if name not in fitting and fields[name] is not None])
    return dict.fromkeys(sorted(names)) | fitting


def fits(name: str, value: Any) -> bool:
    """Whether OmniCorpus's struct can hold it: counts are 64-bit, probabilities floats, `domain` a list of texts."""
    if value is None:
        return True
    if name == "domain":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name.endswith("_prob"):
        return isinstance(value, float)
    if name in _PICTURE_NUMBERS:
        return type(value) is int and -(2**63) <= value < 2**63
    return isinstance(value, str)
