"""Documents of foreign interleaved sets as rows of the web pipeline, so that every later step takes them as pages.

A picture whose bytes the set holds is a span of them; one that is only named becomes a reference by its address, which
the archives of the run may hold. What the record says of it is its `meta`, size and all. The row is called by the
document's own address where the record has no key, as a page is.
Left out on purpose: reading records (transforms/interleaved_reader.py), and any rule (transforms/web_documents.py).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from configs.schema.web import WebConfig, document_rules
from configs.schema.web_reading import WebReadRules
from transforms.interleaved_documents import format_json, is_reference, pool_fields, size_and_meta
from transforms.interleaved_lists import LIST_SCHEMAS
from transforms.loaded import Loaded
from transforms.raw_sample import clean_key
from transforms.reading import read_input
from transforms.records import Failure, Measures, Picture, Piece, Sample, Text, Unit
from transforms.web_resources import picture_reference
from transforms.web_rows import bounded, check_pieces, measure_words
from transforms.web_urls import resolve_url

ASSIGNED = "mmc4"
"""The schema whose records give each picture to a sentence, before which it stands in the document."""
MAX_NESTING = 100
"""Python's JSON ends near 990, less what stands on the stack: what one stage just reads would stop the next one."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[][{}]")


def read_documents(unit: Unit, cfg: WebConfig, staging: str) -> Iterator[Loaded]:
    """The documents of a unit wherever it lies, `unit.limit` at most; what cannot be read is a failed row."""
    return read_input(unit, document_rules(cfg), staging)


def document_row(loaded: Loaded, unit: Unit, cfg: WebConfig) -> Sample:
    """The row of a document as `read_documents` gave it; what was measured or decided where it comes from is left."""
    sample = loaded.sample
    if sample.failure is not None:
        return sample
    bare = replace(sample, pieces=(), meta="")
    place = f"{sample.source}#{sample.source_key}"
    if failure := _check_size(sample, place, cfg.read) or check_pieces(len(sample.pieces), place, cfg.read):
        return replace(bare, failure=failure)
    fields = pool_fields(json.loads(sample.meta)) if sample.meta else {}
    row = replace(sample, pieces=tuple(_pieces(loaded, unit.schema, str(fields.get("date", "")), cfg.read)))
    if unit.kind != "tar" and (url := document_url(fields, cfg.read)):
        row = replace(row, key=clean_key(url), source_key=url)
    return replace(row, measures=_measure_pieces(row) | measure_words(row, cfg))


def document_url(fields: dict[str, Any], rules: WebReadRules) -> str:
    """The document's own address as its set states it; empty where that is none of the web."""
    url = fields.get("url")
    return url if isinstance(url, str) and len(url) <= rules.max_url_characters and resolve_url(url, "") else ""


def _check_size(sample: Sample, place: str, rules: WebReadRules) -> Failure | None:
    size = len(sample.meta.encode()) + sum(map(_size, sample.pieces))
    if size > rules.max_document_bytes:
        message = f"expected texts and fields of at most {rules.max_document_bytes} bytes, found {size}"
        return Failure("DocumentTooLarge", message, place)
    deepest = max(map(_nesting, [sample.meta, *(piece.meta for piece in sample.pieces if isinstance(piece, Picture))]))
    if deepest > MAX_NESTING:
        message = f"expected fields nested at most {MAX_NESTING} deep, found {deepest}"
        return Failure("RecordBroken", message, place)
    return None


def _nesting(text: str) -> int:
    """How deep the lists and objects of a JSON text lie in each other, where that may be more than MAX_NESTING."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return 0
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _size(piece: Piece) -> int:
    said = piece.value if isinstance(piece, Text) else piece.url + piece.meta
    return len(said.encode())


def _pieces(loaded: Loaded, schema: str, date: str, rules: WebReadRules) -> Iterator[Piece]:
    pieces = loaded.sample.pieces
    before, number = 0, 0
    total = sum(len(piece.value) for piece in pieces if isinstance(piece, Text))
    for piece, data in zip(pieces, loaded.data, strict=True):
        if isinstance(piece, Text):
            before, number = before + len(piece.value), number + 1
            yield replace(piece, measures={}, drop=None)
            continue
        picture = _told(piece, schema, number)
        picture = replace(picture, measures=picture.measures | {"place": round(before / total, 4) if total else 0.0})
        named = data is None or is_reference(piece)
        yield _asked(picture, date, rules) if named else bounded(picture, len(data or b""), rules)


def _told(picture: Picture, schema: str, number: int) -> Picture:
    """A picture with what its record says of it, and nothing that somebody found on it; `number` texts stand before."""
    said = size_and_meta(picture, Counter(), LIST_SCHEMAS[schema].sides) if schema in LIST_SCHEMAS else None
    meta = format_json(said) if said else picture.meta
    return Picture(picture.source, measures=_assigned(meta, schema, number), url=picture.url, meta=meta)


def _assigned(meta: str, schema: str, number: int) -> Measures:
    if schema != ASSIGNED:
        return {}
    told: Measures = {"matched_text_index": number}
    similarity: Any = json.loads(meta).get("matched_sim") if meta else None
    if isinstance(similarity, bool) or not isinstance(similarity, (int, float)) or not math.isfinite(similarity):
        return told
    return told | {"matched_sim": round(float(similarity), 4)}


def _asked(picture: Picture, date: str, rules: WebReadRules) -> Picture:
    """A picture that is only named: by its address, or by a name that no archive answers to."""
    addresses = [picture.url] if 0 < len(picture.url) <= rules.max_url_characters else []
    return replace(picture, source=picture_reference(addresses, date))


def _measure_pieces(row: Sample) -> Measures:
    """As of a page, all of which is content."""
    texts = [piece.value for piece in row.pieces if isinstance(piece, Text)]
    shown = len(row.pieces) - len(texts)
    return {
        "texts": len(texts),
        "pictures": shown,
        "page_pictures": shown,
        "page_characters": sum(map(len, texts)),
    }
