"""The same picture again: twice in one document, or under too many documents of the pool.

In a document by perceptual hash, as in MMC4: pictures are taken largest first, then in reading order, and one within
`max_distance` bits of one that stays is its copy. Over the pool by equal pixels: what ten documents show is a
decoration of theirs, whatever its name.
Left out on purpose: near copies over the pool (transforms/near_duplicates.py finds them for pictures with captions).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from configs.schema.web_rules import RepeatedPictureRules
from transforms.fingerprints import digest
from transforms.matching import Candidate, Met
from transforms.records import Drop, Picture, Sample

REPEATED_MEASURES = {"picture_documents": "documents of the pool that show the picture, where two or more"}
MAX_PIECES = 1 << 16
"""Pieces of a row that can offer a key (transforms/matching.py); pictures behind them are not counted."""


class SharedPictures:
    """Gives each picture the number of documents that show it, where that is two or more.

    Counted over every readable document and picture, whatever the rules think of them, so that the count does not move
    when a threshold does. A document that shows a picture twice counts once.
    """

    name = "shared_pictures"
    counts_witnesses = True

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        if sample.failure is not None:
            return
        document = digest(f"{sample.source}\0{sample.part}\0{sample.position}".encode())
        for index, piece in enumerate(sample.pieces[:MAX_PIECES]):
            if isinstance(piece, Picture) and (seen := piece.pixels or piece.sha256):
                yield Candidate(digest(seen), piece=index, witness=document)

    def better(self, one: None, other: None) -> None:
        return None

    def answer(self, met: Met, piece: int) -> tuple[int, int] | None:
        return (piece, met.witnesses) if met.witnesses > 1 else None

    def apply(self, sample: Sample, answers: list[tuple[int, int]]) -> Sample:
        pieces = list(sample.pieces)
        for index, count in answers:
            picture = pieces[index]
            pieces[index] = replace(picture, measures={**picture.measures, "picture_documents": count})
        return replace(sample, pieces=tuple(pieces))


def check_shared_picture(picture: Picture, rules: RepeatedPictureRules) -> Drop | None:
    """Drop a picture that more than `max_documents` documents of the pool show."""
    count = int(picture.measures.get("picture_documents", 1))
    if rules.enabled and count > rules.max_documents:
        return Drop("picture_shared", count, rules.max_documents)
    return None


def mark_repeated(sample: Sample, rules: RepeatedPictureRules) -> Sample:
    """Drops each picture, of those still alive in a document, that is a copy of another one which stays.

    The drop's value is their distance in bits, its detail the index of the piece that stays.
    """
    if not rules.enabled:
        return sample
    pieces = list(sample.pieces)
    for index, (stays, distance) in find_repeated(sample, rules.max_distance).items():
        pieces[index] = replace(pieces[index], drop=Drop("picture_repeated", distance, rules.max_distance, str(stays)))
    return replace(sample, pieces=tuple(pieces))


def find_repeated(sample: Sample, max_distance: int) -> dict[int, tuple[int, int]]:
    """By index of a piece that is a copy: the index of the piece it is a copy of, and the bits between them."""
    alive = [
        (index, piece)
        for index, piece in enumerate(sample.pieces)
        if isinstance(piece, Picture) and piece.drop is None and piece.failure is None and piece.likeness
    ]
    codes = np.array([int.from_bytes(piece.likeness, "big") for _, piece in alive], np.uint64)
    stay, found = np.zeros(len(alive), np.int64), dict[int, tuple[int, int]]()
    kept = 0
    # One after the other: pairs of a page that shows one picture ten thousand times would fill the memory.
    for one in sorted(range(len(alive)), key=lambda one: -alive[one][1].width * alive[one][1].height):
        apart = np.bitwise_count(codes[stay[:kept]] ^ codes[one])
        nearest = int(apart.argmin()) if kept else -1
        if kept and apart[nearest] <= max_distance:
            found[alive[one][0]] = alive[stay[nearest]][0], int(apart[nearest])
        else:
            stay[kept], kept = one, kept + 1
    return found
