"""Conversations as rows: JSONL with pictures by path or in the tar beside it, Parquet, WebDataset tars, our own shards.

A row is its turns as pieces (transforms/conversations.py) with the pictures where they are shown; what else the record
holds is its `meta`. A picture that is not found fails the row: a question about it cannot be answered.
In Parquet the pictures may lie in the column `images` (or one in `image`) itself, as bytes or {bytes, path}.
In JSONL it may stand in the record as a `data:` URI.
Left out on purpose: addresses of pictures, which are for a downloader to fetch; video files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from msgspec.structs import replace

from configs.schema.caption import ReadRules
from configs.schema.sft import ConversationReadRules
from transforms.conversations import (
    ConversationBroken,
    conversation_pieces,
    parse_conversation,
    pieces_conversation,
)
from transforms.data_uris import is_data_uri
from transforms.interleaved_documents import (
    Document,
    RecordBroken,
    format_json,
    is_reference,
    pool_fields,
    pool_meta,
    reference,
)
from transforms.interleaved_reader import read_records
from transforms.interleaved_schemas import Schema
from transforms.interleaved_shards import parse_document
from transforms.loaded import Loaded
from transforms.raw_sample import clean_key
from transforms.reading import Kind, Reader
from transforms.records import Failure, Picture, Sample, Unit, is_shown, pictures

TURNS = frozenset({"messages", "conversations", "images", "image", "videos"})
"""Fields of a record that its pieces stand for."""
KINDS: dict[str, Kind] = {".tar": "tar", ".tar.gz": "tar", ".tgz": "tar", ".parquet": "parquet", ".jsonl": "folder"}


def parse_record(record: dict[str, Any], max_pictures: int) -> Document:
    """A conversation as pieces, its pictures still references. Raises RecordBroken."""
    try:
        if "beamsift" in record:
            return _parse_ours(record, max_pictures)
        conversation = parse_conversation(record)
    except ConversationBroken as error:
        raise RecordBroken(str(error)) from error
    _check_count(len(conversation.names), max_pictures)
    fields = {name: value for name, value in record.items() if name not in TURNS}
    try:
        format_json(fields)
    except TypeError as error:  # a column of bytes or of times
        raise RecordBroken(f"expected fields that JSON can hold, found {error}") from error
    references = [reference(name, None) for name in conversation.names]
    return Document(tuple(conversation_pieces(conversation, references)), pool_meta(fields))


def _parse_ours(record: dict[str, Any], max_pictures: int) -> Document:
    document = parse_document(record)
    kept = tuple(p for p in document.pieces if p.drop is None)
    pieces_conversation(kept)
    _check_count(sum(isinstance(piece, Picture) for piece in kept), max_pictures)
    return Document(kept, document.meta)


def _check_count(shown: int, most: int) -> None:
    if shown > most:
        raise RecordBroken(f"expected at most {most} pictures, found {shown}")


def readers(fields: ConversationReadRules) -> dict[str, Reader]:
    """By kind of unit."""
    read = partial(read_conversations, fields=fields)
    return {"tar": read, "parquet": read, "folder": read}


def read_conversations(
    path: str, unit: Unit, rules: ReadRules, staging: str, *, fields: ConversationReadRules
) -> Iterator[Loaded]:
    """The rows of a unit, positions from 0. The first of the record's `key_fields` that is there names it."""
    schema = Schema("conversation", partial(parse_record, max_pictures=fields.max_pictures), None, "jsonl", whole=True)
    for loaded in read_records(path, unit, rules, staging, schema=schema):
        sample = loaded.sample
        if sample.failure is None:
            sample = _named(sample, fields.key_fields) if unit.kind != "tar" else sample
            sample = replace(sample, failure=_missing(sample) or _misstated(sample, fields))
            if any(is_data_uri(picture.url) for picture in pictures(sample)):  # the ledger would hold it as text
                sample, loaded = replace(sample, pieces=()), Loaded(sample, [], [])
        yield Loaded(sample, loaded.data, loaded.pixels)


def _named(sample: Sample, key_fields: tuple[str, ...]) -> Sample:
    said = fields_of(sample)
    found = next((said[name] for name in key_fields if name in said), None)
    if not isinstance(found, str | int) or isinstance(found, bool):
        return sample
    return replace(sample, key=clean_key(str(found)), source_key=str(found))


def fields_of(sample: Sample) -> dict[str, Any]:
    """The record's fields beside its turns."""
    return pool_fields(json.loads(sample.meta)) if sample.meta else {}


def _missing(sample: Sample) -> Failure | None:
    for number, picture in enumerate(pictures(sample)):
        if is_reference(picture) and is_shown(picture):
            place = f"{sample.source}@{sample.part}:{sample.position}"
            if is_data_uri(picture.url):
                message = f"expected a data: URI in JSONL alone, found one of {len(picture.url)} characters"
                return Failure("RecordBroken", message, place)
            if not picture.url:
                return Failure("PictureMissing", f"expected a file for picture {number}, found none", place)
            message = f"expected a picture {picture.url!r:.200} beside the records or in their tar, found none"
            return Failure("FileMissing", message, place)
    return None


def _misstated(sample: Sample, fields: ConversationReadRules) -> Failure | None:
    """A field that decides and does not say what it should: to pass over it would be to decide without it."""
    said = fields_of(sample)
    rate, told = said.get(fields.pass_rate_field), said.get(fields.verifiable_field)
    place = f"{sample.source}@{sample.part}:{sample.position}"
    if rate is not None and not (type(rate) in (int, float) and 0 <= rate <= 1):
        return Failure("RecordBroken", f"expected {fields.pass_rate_field} from 0 to 1, found {rate!r:.50}", place)
    if told is not None and type(told) is not bool:
        return Failure("RecordBroken", f"expected {fields.verifiable_field} true or false, found {told!r:.50}", place)
    return None
