"""Relevance: the cosine of a picture and its captions decides which caption stays, and whether the pair does.

GLM-4.1V sec. 3.1 drops pairs whose CLIP score is not above 0.3.
Left out on purpose: the model that gives the scores (classifiers/clip.py) and finding a threshold for another model
(transforms/calibration.py).
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from configs.schema.caption import RelevanceRules
from transforms.records import Drop, Piece, Sample, Text, texts

RULE = "clip_score_low"
NOT_BEST = "caption_not_best"


class PairScores(msgspec.Struct, frozen=True, array_like=True):
    """What a model says of one picture and its captions, in the captions' order."""

    scores: tuple[float, ...] = ()
    """Cosines, rounded to 4 decimals."""
    truncated: tuple[bool, ...] = ()
    """Whether the model read only the beginning of the caption."""
    picture: bytes = b""
    """The picture's embedding, float16 of length 1; empty where none was asked for. It stays in the sidecar."""
    captions: tuple[bytes, ...] = ()
    """Those of the captions."""


def captions_to_score(sample: Sample) -> tuple[str, ...]:
    """The captions no rule has marked, exactly as read: what a model is to score, in order."""
    return tuple(text.value for text in texts(sample) if text.drop is None)


def mark_scores(sample: Sample, found: PairScores) -> Sample:
    """`sample` with each score in its caption's measures; every scored caption but the best (the first of equals) is
    marked as not the best.

    `found` has one score for each of `captions_to_score(sample)`, else ValueError.
    """
    expected = len(captions_to_score(sample))
    if not expected == len(found.scores) == len(found.truncated):
        raise ValueError(
            f"{sample.key}: expected {expected} scores, found {len(found.scores)} and {len(found.truncated)} lengths"
        )
    best = max(found.scores, default=0.0)
    winner = found.scores.index(best) if expected else 0
    pieces: list[Piece] = []
    number = 0
    for piece in sample.pieces:
        if isinstance(piece, Text) and piece.role == "caption" and piece.drop is None:
            scored = _with_score(piece, found.scores[number], found.truncated[number])
            drop = None if number == winner else Drop(NOT_BEST, found.scores[number], best)
            piece, number = replace(scored, drop=drop), number + 1
        pieces.append(piece)
    return replace(sample, pieces=tuple(pieces))


def check_relevance(sample: Sample, rules: RelevanceRules) -> Drop | None:
    """Drop a sample whose best caption scores below the minimum; a sample without a score is not judged."""
    scores = [float(t.measures["clip_score"]) for t in texts(sample) if t.drop is None and "clip_score" in t.measures]
    if not rules.enabled or not scores or max(scores) >= rules.min_score:
        return None
    return Drop(RULE, max(scores), rules.min_score)


def _with_score(text: Text, score: float, truncated: bool) -> Text:
    return replace(text, measures={**text.measures, "clip_score": score, "clip_truncated": int(truncated)})
