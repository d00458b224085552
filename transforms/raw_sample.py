"""What the readers share: keys, captions, JSON, the limits on them, and the row that comes of it.

Readers find the parts of a sample in their container and put them into a `RawSample`; `load_sample` makes the row.
A part that cannot be taken becomes a `Failure`; the first one is the row's, in the order pictures, captions, JSON.
Left out on purpose: decoding pictures (transforms/pictures.py), and any rule.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from configs.schema.caption import ReadRules
from transforms.loaded import Loaded
from transforms.records import Failure, Picture, Piece, Sample, Span, Text, Unit

Data = bytes | memoryview
PICTURE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"})
MAX_KEY = 80
"""Characters: with `~n` and a suffix it must fit the 100 bytes of a USTAR name."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_decode_json = msgspec.json.Decoder().decode


@dataclass(slots=True)
class RawSample:
    """The parts of one sample as they were found, before anything is known about their content."""

    unit: Unit
    position: int
    source_key: str
    pictures: list[Picture] = field(default_factory=list)
    data: list[Data | None] = field(default_factory=list)
    """One for each picture; None where it is too large to be handed on."""
    captions: list[Text] = field(default_factory=list)
    meta: str = ""
    failures: list[Failure] = field(default_factory=list)


def load_sample(raw: RawSample) -> Loaded:
    """The row: pictures, then captions, each in the order they were added."""
    pieces: tuple[Piece, ...] = (*raw.pictures, *raw.captions)
    sample = Sample(
        key=clean_key(raw.source_key),
        source=raw.unit.uri,
        part=raw.unit.part,
        position=raw.position,
        pieces=pieces,
        source_key=raw.source_key,
        meta=raw.meta,
        failure=raw.failures[0] if raw.failures else None,
    )
    return Loaded(sample, [*raw.data, *[None] * len(raw.captions)], [None] * len(pieces))


def load_failure(unit: Unit, position: int, failure: Failure, source_key: str = "") -> Loaded:
    """A row that is nothing but its failure."""
    return load_sample(RawSample(unit, position, source_key, failures=[failure]))


def add_picture(raw: RawSample, span: Span, data: Data, rules: ReadRules) -> None:
    """A picture over the limit stays as a reference. An empty one is handed on: its decoder says what is wrong."""
    if len(data) > rules.max_picture_bytes:
        add_large_picture(raw, span, len(data), rules)
        return
    raw.pictures.append(Picture(span))
    raw.data.append(data)


def add_large_picture(raw: RawSample, span: Span, size: int, rules: ReadRules) -> None:
    """For a picture whose size alone says that it must not be read."""
    message = f"expected a picture of at most {rules.max_picture_bytes} bytes, found {size}"
    failure = Failure("PictureTooLarge", message, place_of(span))
    raw.pictures.append(Picture(span, failure=failure))
    raw.data.append(None)
    raw.failures.append(failure)


def add_captions(raw: RawSample, values: list[Data | str], place: str, rules: ReadRules) -> None:
    for value in values:
        caption = parse_caption(value, place, rules)
        if isinstance(caption, Failure):
            raw.failures.append(caption)
        else:
            raw.captions.append(Text(caption))


def add_caption_fields(raw: RawSample, fields: Mapping[str, Any], place: str, rules: ReadRules) -> None:
    """The captions of the first caption column that is there and not null."""
    captions = captions_of(fields, place, rules)
    if isinstance(captions, Failure):
        raw.failures.append(captions)
    else:
        add_captions(raw, captions, place, rules)


def add_meta_fields(raw: RawSample, fields: Mapping[str, Any], place: str, rules: ReadRules) -> None:
    """Columns as one JSON object, keys sorted so that equal rows give equal bytes; nothing where there are none."""
    meta = parse_meta(msgspec.json.encode(dict(sorted(fields.items()))), place, rules) if fields else ("", {})
    if isinstance(meta, Failure):
        raw.failures.append(meta)
    else:
        raw.meta = meta[0]


def check_picture_found(raw: RawSample, place: str) -> None:
    """A sample in which no picture was found, or found and refused, fails as PictureMissing."""
    if not raw.pictures and not raw.failures:
        raw.failures.append(Failure("PictureMissing", "expected a picture, found none", place))


def parse_caption(value: Data | str, place: str, rules: ReadRules) -> str | Failure:
    """The text exactly as it was read (a byte order mark and inner line breaks stay), less one trailing line break."""
    size = len(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
    if size > rules.max_caption_bytes:
        message = f"expected a caption of at most {rules.max_caption_bytes} bytes, found {size}"
        return Failure("CaptionTooLarge", message, place)
    try:
        text = value if isinstance(value, str) else str(value, "utf-8")
    except UnicodeDecodeError as error:
        return Failure("CaptionNotUtf8", f"expected UTF-8, found {error.reason} at byte {error.start}", place)
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def parse_meta(value: Data, place: str, rules: ReadRules) -> tuple[str, dict[str, Any]] | Failure:
    """A JSON object as (its text, its fields). A byte order mark before it is left out of the text."""
    if failure := check_meta_size(len(value), place, rules):
        return failure
    try:
        text = str(value, "utf-8-sig")
        fields = _decode_json(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        return _json_failure(value, error, place)
    if not isinstance(fields, dict):
        return Failure("JsonBroken", f"expected a JSON object, found {type(fields).__name__}", place)
    return text, fields


def check_meta_size(size: int, place: str, rules: ReadRules) -> Failure | None:
    if size <= rules.max_json_bytes:
        return None
    return Failure("JsonTooLarge", f"expected JSON of at most {rules.max_json_bytes} bytes, found {size}", place)


def _json_failure(value: Data, error: Exception, place: str) -> Failure:
    """Tells a lone surrogate escape, which json.loads lets through and msgspec refuses, from broken JSON."""
    try:
        json.dumps(json.loads(bytes(value)), ensure_ascii=False).encode()
    except UnicodeEncodeError as surrogate:
        message = f"expected JSON text that is valid Unicode, found a lone surrogate U+{_code(surrogate):04X}"
        return Failure("CaptionSurrogate", message, place)
    except (ValueError, RecursionError):
        pass  # broken for json as well: the first parser's message says where
    return Failure("JsonBroken", f"expected a JSON object, found {error}", place)


def _code(error: UnicodeEncodeError) -> int:
    return ord(error.object[error.start])


def captions_of(fields: Mapping[str, Any], place: str, rules: ReadRules) -> list[Data | str] | Failure:
    """The values of the first caption column that is there and not null: one text, or a list of texts."""
    column = next((name for name in rules.caption_columns if fields.get(name) is not None), None)
    if column is None:
        return []
    found = fields[column]
    values = list(found) if isinstance(found, list | tuple) else [found]
    wrong = next((value for value in values if not isinstance(value, str | bytes | memoryview)), None)
    if wrong is not None or None in values:
        # A null inside a list is refused too: dropping it would shift which caption a list's other columns speak of.
        message = f"expected {column!r} to be text or a list of texts, found {type(wrong).__name__} in it"
        return Failure("JsonBroken", message, place)
    return values


def clean_key(source_key: str) -> str:
    """A key that is safe as a tar member, a file name and a WebDataset key: no dot, slash or tilde."""
    key = _UNSAFE.sub("_", source_key) or "_"
    if len(key) <= MAX_KEY:
        return key
    return f"{key[:60]}_{hashlib.blake2b(source_key.encode(), digest_size=8).hexdigest()}"


def place_of(span: Span) -> str:
    if span.container in ("tar", "tar.gz"):
        return f"{span.uri}#{span.member}"
    return span.uri if span.container == "file" else f"{span.uri}@{span.start}-{span.end}"
