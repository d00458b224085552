"""Fates of a pair: how drops of its picture and its captions become a drop of the sample.

A sample is dropped with its picture, or when no caption is left, then with the first caption's reason. A rule never
touches what an earlier rule has marked: the first reason stands.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from transforms.records import Drop, Picture, Piece, Sample, Text

CAPTION_MISSING = Drop("caption_missing", 0, 1)


def mark_pictures(sample: Sample, check: Callable[[Picture], Drop | None]) -> Sample:
    """`sample` with `check` applied to each picture that no rule has marked."""
    return _mark_pieces(sample, Picture, check)


def mark_captions(sample: Sample, check: Callable[[Text], Drop | None]) -> Sample:
    return _mark_pieces(sample, Text, check)


def mark_sample(sample: Sample, check: Callable[[Sample], Drop | None]) -> Sample:
    if not sample.alive:
        return sample
    drop = check(sample)
    return sample if drop is None else replace(sample, drop=drop)


def settle_pair(sample: Sample) -> Drop | None:
    """The sample's drop as its pieces' drops have it: the picture's, else the first caption's once all have fallen."""
    left, first = False, None
    for piece in sample.pieces:
        if isinstance(piece, Picture):
            if piece.drop is not None:
                return piece.drop
        elif piece.role == "caption":
            left, first = left or piece.drop is None, first or piece.drop
    return None if left else first or CAPTION_MISSING


def forget_fate(sample: Sample) -> Sample:
    """The row as it was measured, before any rule: where `what-if` starts. Failures are facts and stay."""
    pieces = tuple(replace(piece, drop=None) for piece in sample.pieces)
    return replace(sample, pieces=pieces, drop=None)


def _mark_pieces(sample: Sample, kind: type[Picture] | type[Text], check: Callable[..., Drop | None]) -> Sample:
    if not sample.alive:
        return sample
    pieces: list[Piece] | None = None
    for index, piece in enumerate(sample.pieces):
        if isinstance(piece, kind) and piece.drop is None and (drop := check(piece)) is not None:
            pieces = pieces or list(sample.pieces)
            pieces[index] = replace(piece, drop=drop)
    return sample if pieces is None else replace(sample, pieces=tuple(pieces))
