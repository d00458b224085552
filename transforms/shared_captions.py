"""Boilerplate captions: one text under too many different pictures says nothing about any of them.

Counted over every readable row of the pool, whatever the other rules think of it, so that the count does not move when
a threshold does. Case, spacing and surrounding punctuation aside; copies of one picture count once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from msgspec.structs import replace

from configs.schema.caption import BoilerplateRules
from transforms.fingerprints import digest
from transforms.matching import Candidate, Met
from transforms.records import Drop, Sample, Text, pictures

# Punctuation of every script. Not \W, which would take the vowel signs of Indic words.
_EDGES = " " + "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c).startswith("P"))


class SharedCaptions:
    """Gives each caption the number of different pictures that carry it, where that is two or more."""

    name = "shared_captions"
    counts_witnesses = True

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        found = pictures(sample)
        if sample.failure is not None or not found:
            return
        picture = (found[0].pixels or found[0].sha256)[:16].ljust(16, b"\0")
        for index, piece in enumerate(sample.pieces):
            if isinstance(piece, Text) and (text := normal_caption(piece.value)):
                yield Candidate(digest(text.encode()), piece=index, witness=picture)

    def better(self, one: None, other: None) -> None:
        return None

    def answer(self, met: Met, piece: int) -> tuple[int, int] | None:
        return (piece, met.witnesses) if met.witnesses > 1 else None

    def apply(self, sample: Sample, answers: list[tuple[int, int]]) -> Sample:
        pieces = list(sample.pieces)
        for index, count in answers:
            text = pieces[index]
            pieces[index] = replace(text, measures={**text.measures, "caption_pictures": count})
        return replace(sample, pieces=tuple(pieces))


def normal_caption(text: str) -> str:
    return " ".join(text.split()).strip(_EDGES).casefold()


def check_boilerplate(text: Text, rules: BoilerplateRules) -> Drop | None:
    """Drop a caption that more than `max_pictures` different pictures of the pool share."""
    count = int(text.measures.get("caption_pictures", 1))
    if rules.enabled and count > rules.max_pictures:
        return Drop("caption_boilerplate", count, rules.max_pictures)
    return None
