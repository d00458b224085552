"""The ledger's columns: one row for each sample read, its fate, the reason, and every measurement.

`format_row` and `parse_row` are inverse: the column `record` holds the whole Sample, so that a finished run can be
re-decided without a picture; the other columns are its plain view for SQL.
Left out on purpose: reading and querying a finished run (pipelines/ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
import pyarrow as pa

from transforms.records import Piece, Sample, Span, Text, decode_sample, encode_sample, is_shown, pictures, texts

BEGINNING, BEGINNING_TEXTS = 1000, 20
"""Characters and texts of a document that its row shows; all of them are in `record`."""
ROLE = "recaption"
"""Role of a refined text (transforms/recaptions.py)."""


class Measure(msgspec.Struct, frozen=True):
    """What a measured number is: its column type, its unit, and one sentence for people."""

    kind: Literal["int64", "double", "string"]
    unit: str
    meaning: str


IDENTITY = [
    ("key", pa.string()),
    ("source", pa.string()),
    ("part", pa.int32()),
    ("position", pa.int64()),
    ("source_key", pa.string()),
]
FATE = [
    ("fate", pa.string()),
    ("rule", pa.string()),
    ("value", pa.float64()),
    ("limit", pa.float64()),
    ("detail", pa.string()),
    ("error", pa.string()),
    ("message", pa.string()),
    ("place", pa.string()),
]
PICTURE = [
    ("uri", pa.string()),
    ("container", pa.string()),
    ("start", pa.int64()),
    ("end", pa.int64()),
    ("member", pa.string()),
    ("format", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("sha256", pa.binary()),
    ("pixels", pa.binary()),
    ("likeness", pa.binary()),
    ("look", pa.binary()),
]
_STATED = ("format", "width", "height", "sha256", "pixels", "likeness", "look")
TEXT = [("caption", pa.string()), ("captions", pa.list_(pa.string()))]


def ledger_schema(measures: Mapping[str, Measure]) -> pa.Schema:
    kinds = {"int64": pa.int64(), "double": pa.float64(), "string": pa.string()}
    columns = [(name, kinds[measure.kind]) for name, measure in measures.items()]
    return pa.schema([*IDENTITY, *FATE, *PICTURE, *TEXT, *columns, ("record", pa.binary())])


def ledger_name(unit: int) -> str:
    """A unit's file below the output."""
    return f"ledger/{unit:06d}.parquet"


def format_row(sample: Sample, measures: Mapping[str, Measure], document: bool = False) -> dict[str, Any]:
    """One ledger row. Measures come from the sample, its first picture and its chosen caption, in that order; those of
    its refined text stand under `recaption_…`, beside the text and what marked it.

    Of a document the columns of a picture are those of the first one that stays, and its caption is how it begins."""
    picture = next(iter(pictures(sample)), None)
    caption = chosen_caption(sample)
    if document:
        picture, caption = next(filter(is_shown, pictures(sample)), picture), beginning(sample)
    found: dict[str, Any] = _recaption_columns(recaption_of(sample))
    for part in (caption, picture, sample):
        found.update(part.measures if part is not None else {})
    return {
        **{name: getattr(sample, name) for name, _ in IDENTITY},
        **_fate_columns(sample),
        **_picture_columns(picture),
        "caption": caption.value if caption else None,
        "captions": [text.value for text in texts(sample)],
        **{name: found.get(name) for name in measures},
        "record": encode_sample(sample),
    }


def parse_row(row: Mapping[str, Any]) -> Sample:
    return decode_sample(row["record"])


def ledger_table(samples: Iterable[Sample], measures: Mapping[str, Measure], document: bool = False) -> pa.Table:
    rows = [format_row(sample, measures, document) for sample in samples]
    return pa.Table.from_pylist(rows, schema=ledger_schema(measures))


def beginning(sample: Sample) -> Text | None:
    """Of a document, its texts one after the other."""
    values = [piece.value for piece in sample.pieces if isinstance(piece, Text)]
    return Text("\n\n".join(values[:BEGINNING_TEXTS])[:BEGINNING]) if values else None


def chosen_caption(sample: Sample) -> Text | None:
    """The caption that goes out: the first one no rule has marked; of a dropped sample, its first caption."""
    found = texts(sample)
    return next((text for text in found if text.drop is None), found[0] if found else None)


def recaption_of(sample: Sample) -> Text | None:
    """The refined text, accepted or not; None where nobody was asked."""
    return next(iter(texts(sample, ROLE)), None)


def _recaption_columns(text: Text | None) -> dict[str, Any]:
    if text is None:
        return {}
    columns: dict[str, Any] = {f"{ROLE}_{name}": value for name, value in text.measures.items()}
    if text.drop is not None:
        columns |= {f"{ROLE}_{name}": getattr(text.drop, name) for name in ("rule", "value", "limit", "detail")}
    return columns | {ROLE: text.value}


def _fate_columns(sample: Sample) -> dict[str, Any]:
    drop, failure = sample.drop, sample.failure
    columns: dict[str, Any] = {"fate": sample.fate}
    if failure is not None:
        columns |= {"error": failure.error, "message": failure.message, "place": failure.place}
    elif drop is not None:
        # float(): Arrow refuses an int that a double cannot hold exactly, such as the pixel count of a forged header.
        columns |= {"rule": drop.rule, "value": float(drop.value), "limit": float(drop.limit), "detail": drop.detail}
    return columns


def _picture_columns(picture: Piece | None) -> dict[str, Any]:
    if picture is None or isinstance(picture, Text):
        return {}
    columns: dict[str, Any] = {n: getattr(picture, n) for n in _STATED}
    if isinstance(picture.source, Span):
        columns |= {name: getattr(picture.source, name) for name in ("uri", "container", "start", "end", "member")}
    return columns
