"""The schemas of interleaved sets by name: how a record becomes a document and back, and what files hold them.

Left out on purpose: reading files (interleaved_reader) and writing them (pipelines/convert_output.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from transforms.interleaved_documents import Document, Losses
from transforms.interleaved_lists import MINT, OBELICS, OMNICORPUS, ListSchema, format_lists, parse_lists
from transforms.interleaved_mmc4 import format_mmc4, parse_mmc4
from transforms.interleaved_shards import parse_document
from transforms.interleaved_tokens import format_tokens, parse_tokens

Form = Literal["parquet", "jsonl", "tar"]


class Schema(NamedTuple):
    name: str
    parse: Callable[[dict[str, Any]], Document]
    """RecordBroken where the record is not of the schema."""
    format: Callable[[Document, str, Losses], dict[str, Any]] | None
    """The record of a document and its key; what it cannot hold is counted. None for our own shards."""
    form: Form
    """What it is written as. All that hold records of it can be read."""
    whole: bool = False
    """Whether a record that lacks one of its pictures is lost. Then each name is worth a request to an object store,
    and a `data:` URI is read as a picture."""


def _format_lists(schema: ListSchema, document: Document, key: str, losses: Losses) -> dict[str, Any]:
    return format_lists(document, schema, key, losses)


def _lists(schema: ListSchema, form: Form) -> Schema:
    return Schema(schema.name, partial(parse_lists, schema=schema), partial(_format_lists, schema), form)


SCHEMAS = {
    schema.name: schema
    for schema in (
        Schema("beamsift", parse_document, None, "tar"),
        _lists(OBELICS, "parquet"),
        Schema("mmc4", parse_mmc4, format_mmc4, "jsonl"),
        _lists(OMNICORPUS, "parquet"),
        _lists(MINT, "tar"),
        Schema("data-juicer", parse_tokens, format_tokens, "jsonl"),
    )
}
