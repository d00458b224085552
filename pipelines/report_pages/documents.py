"""Documents as they go out: texts and pictures in reading order, pictures that went greyed, with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.report_pages.markup import count, esc, foreign, number, section
from pipelines.report_pages.thumbnails import Thumbnails
from pipelines.report_queries import Row
from transforms.data_uris import FUNCTION, INLINE
from transforms.knowledge import WEIGHT
from transforms.picture_classes import CLASS, KNOWLEDGE
from transforms.records import Picture, Recipe, Sample, Span, Text, is_shown

PIECES = 60
"""Pieces of a document that a card shows."""
TEXT = 360
"""Characters of one text."""
OUTSIDE = "picture_outside_content"


def documents(found: Sequence[Sample], thumbnails: Thumbnails) -> str:
    """Empty where no document is kept."""
    if not found:
        return ""
    thumbnails.prepare(picture_row(p, one) for one in found for p in _shown(one) if isinstance(p, Picture))
    lead = "Whole documents as they were kept. A picture that a rule turned away stands greyed where it stood."
    cards = "".join(document_card(one, thumbnails) for one in found)
    return section("documents", "Documents", lead, f'<div class="documents">{cards}</div>')


def document_card(sample: Sample, thumbnails: Thumbnails) -> str:
    said = json.loads(sample.meta) if sample.meta else {}
    outside = sum(_is_outside(piece) for piece in sample.pieces)
    left = len(sample.pieces) - outside - PIECES
    notes = [f"{_pictures(outside)} outside the content"] if outside else []
    notes += [f"{count(left)} further pieces"] if left > 0 else []
    notes += [f"weight {number(sample.measures[WEIGHT])}"] if WEIGHT in sample.measures else []
    parts = "".join(_picture(p, sample, thumbnails) if isinstance(p, Picture) else _text(p) for p in _shown(sample))
    return (
        f'<article class="document card" tabindex="0"><h3>{foreign(said.get("title") or sample.source_key, 120)}</h3>'
        f'<p class="key">{foreign(sample.source_key, 160)} <code>{esc(sample.key)}</code></p>{_summary(sample)}{parts}'
        f'<p class="note">{" · ".join(notes)}</p></article>'
    )


def _summary(sample: Sample) -> str:
    """How long it is, in which language, and how many of its pictures stay."""
    told, found = sample.measures, [p for p in sample.pieces if isinstance(p, Picture) and not _is_outside(p)]
    parts = [f"{count(float(told['text_words']))} words"] if "text_words" in told else []
    parts += (
        [f"{foreign(str(told['language']), 20)} {number(told['language_confidence'])}"] if "language" in told else []
    )
    parts.append(f"{count(sum(map(is_shown, found)))} of {_pictures(len(found))} stay")
    return f'<p class="note">{" · ".join(parts)}</p>'


def _pictures(many: int) -> str:
    return f"{count(many)} picture{'' if many == 1 else 's'}"


def _shown(sample: Sample) -> Iterator[Picture | Text]:
    return (piece for piece in [p for p in sample.pieces if not _is_outside(p)][:PIECES])


def _is_outside(piece: Picture | Text) -> bool:
    return isinstance(piece, Picture) and piece.drop is not None and piece.drop.rule == OUTSIDE


def _text(text: Text) -> str:
    more = f" <small>{count(len(text.value))} characters</small>" if len(text.value) > TEXT else ""
    return f'<p class="piece {esc(text.role)}">{foreign(text.value, TEXT)}{more}</p>' if text.value else ""


def _picture(picture: Picture, sample: Sample, thumbnails: Thumbnails) -> str:
    image, classes = thumbnails.image(picture_row(picture, sample)), _classes(picture)
    if is_shown(picture):
        told = f"<figcaption>{classes}</figcaption>" if classes else ""
        return f'<figure class="piece">{image}{told}</figure>'
    told = " · ".join(part for part in (_reason(picture), classes) if part)
    return f'<figure class="piece gone">{image}<figcaption>{told}</figcaption></figure>'


def _classes(picture: Picture) -> str:
    """What heads say of it: the most probable class of each, and how probable it is."""
    found = [(head, str(picture.measures[head])) for head in (CLASS, KNOWLEDGE) if head in picture.measures]
    told = [f"{foreign(name, 40)} {number(picture.measures[f'{head}_{name}'])}" for head, name in found]
    return " · ".join(told)


def _reason(picture: Picture) -> str:
    if picture.failure is not None:
        return f"<code>{esc(picture.failure.error)}</code>"
    if picture.drop is None:
        return ""
    # A rule that something is there or is not has no value to tell.
    whether = {picture.drop.value, picture.drop.limit} == {0, 1}
    told = "" if whether else f" {number(picture.drop.value)}, limit {number(picture.drop.limit)}"
    return f"<code>{esc(picture.drop.rule)}</code>{told} {foreign(picture.drop.detail, 80)}"


class _Place(NamedTuple):
    """Where a thumbnail finds a picture: as a Span, of which one inside a page or record has another container."""

    uri: str
    container: str
    start: int
    end: int
    member: str


def _place(source: Span | Recipe) -> _Place | None:
    if isinstance(source, Span):
        return _Place(source.uri, source.container, source.start, source.end, source.member)
    if source.function != FUNCTION:
        return None
    around = source.inputs[0]
    container, member = f"{INLINE}{around.container}", str(source.arguments["digest"])
    return _Place(around.uri, container, around.start, around.end, member)


def picture_row(picture: Picture, sample: Sample) -> Row:
    """The picture as thumbnails know one."""
    source = _place(picture.source)
    return Row(
        key=sample.key,
        fate=sample.fate,
        rule=None,
        value=None,
        limit=None,
        detail=None,
        text=None,
        text_length=None,
        uri=source.uri if source else None,
        container=source.container if source else None,
        start=source.start if source else None,
        end=source.end if source else None,
        member=source.member if source else None,
        width=picture.width,
        height=picture.height,
    )
