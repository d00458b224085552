"""Captions of copies: what was written under a picture's dropped copies goes with the one that stays, into its JSON.

A copy offers its caption under the key of the kept one, which offers itself; what meets is joined, sorted and cut.
Left out on purpose: exact copies, which as a rule bear the same caption; which copy stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from transforms.fingerprints import digest
from transforms.ledger import chosen_caption
from transforms.matching import Candidate, Met
from transforms.records import Piece, Sample, Text

ROLE = "copy_caption"
MOST = 20
"""Captions that one picture gets, the first in the order of their text: a picture with a million copies has one row."""
_COPY, _KEPT = 0, 1


class CopyCaptions:
    """`measure` names the kept one of a copy, `rule` is the drop it gave."""

    counts_witnesses = False

    def __init__(self, measure: str, rule: str) -> None:
        self.name = f"captions_{measure}"
        self._measure, self._rule = measure, rule

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        kept = sample.measures.get(self._measure)
        if kept == sample.key and sample.alive:
            return [Candidate(digest(sample.key.encode()), [], _KEPT)]
        caption = chosen_caption(sample)
        if sample.drop is None or sample.drop.rule != self._rule or caption is None:
            return []
        return [Candidate(digest(str(kept).encode()), [caption.value], _COPY)]

    def better(self, one: Sequence[str], other: Sequence[str]) -> Sequence[str]:
        """Both together."""
        return sorted({*one, *other})[:MOST]

    def answer(self, met: Met, piece: int) -> list[str] | None:
        return list(met.best) if piece == _KEPT else None

    def apply(self, sample: Sample, answers: list[list[str]]) -> Sample:
        told: list[Piece] = [Text(value, ROLE) for value in answers[0]]
        return replace(sample, pieces=(*sample.pieces, *told))


def forget_copy_captions(sample: Sample) -> Sample:
    pieces = tuple(piece for piece in sample.pieces if not (isinstance(piece, Text) and piece.role == ROLE))
    return sample if len(pieces) == len(sample.pieces) else replace(sample, pieces=pieces)
