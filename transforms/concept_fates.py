"""What concept balance says of a row: measures on each of its captions, and the rules that read them.

Pure, and the same for the pipeline, `what-if` and the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from transforms.concept_balance import Balance, Balanced, histogram, solve_drawn
from transforms.concepts import Concepts, Matches, count_entries
from transforms.fates import mark_captions, mark_sample
from transforms.records import Drop, Piece, Sample, Text, texts, with_measures

NONE, NOT_DRAWN = "concept_none", "concept_not_drawn"
LIMIT = "concept_limit"
"""Measure of a row: the t that was solved for a target size; absent where the config gives t."""
TOLD = ("concepts", "concept_t", "concept")
"""Measures of a caption."""

Told = tuple[int, float, str]
"""Of a caption: how many entries it names, the t above which it stays, and the entry that lets it."""


def open_captions(sample: Sample) -> list[str]:
    """The captions that concept balance judges, in order; none of a row that is not alive."""
    return [text.value for text in texts(sample) if text.drop is None] if sample.alive else []


def answers_of(matches: Matches, balanced: Balanced, entries: Sequence[str]) -> list[Told]:
    """What each caption is told, its least t to 4 decimals."""
    sizes = np.diff(matches.offsets).tolist()
    least, best = np.round(balanced.least_t, 4).tolist(), balanced.entry.tolist()
    return [(n, t, entries[e] if e >= 0 else "") for n, t, e in zip(sizes, least, best, strict=True)]


def apply_concepts(sample: Sample, answer: Any) -> Sample:
    """`sample` with what it was told in its captions' measures; ValueError where the captions are not those asked."""
    expected = len(open_captions(sample))
    if len(answer) != expected:
        raise ValueError(f"{sample.key}: expected concepts of {expected} captions, found {len(answer)}")
    waiting = iter(answer)
    pieces: list[Piece] = []
    for piece in sample.pieces:
        if isinstance(piece, Text) and piece.role == "caption" and piece.drop is None:
            named, least, entry = next(waiting)
            found = {"concepts": named, "concept_t": least, "concept": entry} if named else {"concepts": 0}
            piece = replace(piece, measures={**piece.measures, **found})
        pieces.append(piece)
    return replace(sample, pieces=tuple(pieces))


def apply_limit(sample: Sample, answer: Any) -> Sample:
    """`sample` with the t that was solved for the pool."""
    return with_measures(sample, **{LIMIT: float(answer)})


def forget_concepts(sample: Sample) -> Sample:
    """`sample` as it was before its captions were told anything."""
    if not any("concepts" in text.measures for text in texts(sample)):
        return sample
    return replace(sample, pieces=tuple(_untold(piece) for piece in sample.pieces))


def _untold(piece: Piece) -> Piece:
    told = {name: value for name, value in piece.measures.items() if name not in TOLD}
    return replace(piece, measures=told)


def check_concepts(text: Text, t: float) -> Drop | None:
    """Drop a caption that names no entry, or whose draws all fail at `t`; one that was not measured is not judged."""
    if "concepts" not in text.measures:
        return None
    if not text.measures["concepts"]:
        return Drop(NONE, 0, 1)
    least = float(text.measures["concept_t"])
    return None if least < t else Drop(NOT_DRAWN, least, t, str(text.measures["concept"]))


def mark_unbalanced(sample: Sample, t: float | None) -> Sample:
    """The fate by concept balance; `t` None where it was solved, and stands on the row."""
    limit = float(sample.measures.get(LIMIT, 0.0)) if t is None else t
    return mark_sample(mark_captions(sample, partial(check_concepts, t=limit)), settle_concepts)


def settle_concepts(sample: Sample) -> Drop | None:
    """The first caption's reason once no caption is left; not the reason of one that fell before."""
    if any(text.drop is None for text in texts(sample)):
        return None
    return next((text.drop for text in texts(sample) if text.drop and text.drop.rule in (NONE, NOT_DRAWN)), None)


def balance_in_memory(
    samples: Sequence[Sample], concepts: Concepts, seed: int, *, t: float | None, target: int = 0
) -> Iterator[Sample]:
    """Rows with their fates, counted over `samples` alone: what a run over just these rows decides."""
    captions = [open_captions(sample) for sample in samples]
    keys = [sample.key for sample, found in zip(samples, captions, strict=True) for _ in found]
    matches = concepts.match([caption for found in captions for caption in found])
    vocabulary = concepts.vocabulary
    counts = count_entries(matches.ids, len(vocabulary))
    balanced = Balance(vocabulary.entries, vocabulary.weights, counts).judge(matches, keys, seed)
    sizes = [len(found) for found in captions]
    limit = solve_drawn(histogram(least_of_rows(balanced, sizes)), target) if t is None else 0.0
    waiting = iter(answers_of(matches, balanced, vocabulary.entries))
    for sample, size in zip(samples, sizes, strict=True):
        told = [next(waiting) for _ in range(size)]
        if told:
            sample = apply_concepts(sample, told) if t is not None else apply_limit(apply_concepts(sample, told), limit)
        yield mark_unbalanced(sample, t)


def least_of_rows(balanced: Balanced, sizes: Sequence[int]) -> Any:
    """By row with captions the smallest of their least t, to the 4 decimals that decide."""
    starts = np.cumsum([0, *(size for size in sizes if size)])[:-1]
    return np.minimum.reduceat(np.round(balanced.least_t, 4), starts) if len(starts) else np.empty(0)
