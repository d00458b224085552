"""Pictures of a document against the passages around them: what a model is asked, and what each picture is told.

A passage is one text of the page: a heading, a paragraph, a list, a caption. The model sees pictures one by one, so
that a document of many large ones takes no more memory than one of few; then all scores of a document are put together
and its pictures are assigned to passages (transforms/picture_passages.py).
With it go the embeddings that heads read (transforms/picture_classes.py), so that no picture is shown to CLIP twice.
Left out on purpose: cutting passages into sentences; a model reads the beginning of a long one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from configs.schema.web_rules import PassageRules
from transforms.loaded import Loaded
from transforms.picture_passages import assign_pictures
from transforms.records import Picture, Sample, Text, is_shown
from transforms.relevance import PairScores

UNASKED = -1.0
"""Cosine of a passage that is not asked about, which no picture is given to."""


def passage_pieces(sample: Sample) -> list[int]:
    """The pieces that are passages, in reading order."""
    return [i for i, piece in enumerate(sample.pieces) if isinstance(piece, Text) and piece.drop is None]


def shown_pieces(sample: Sample) -> list[int]:
    """The pieces that are pictures which no rule has turned away."""
    return [i for i, piece in enumerate(sample.pieces) if isinstance(piece, Picture) and is_shown(piece)]


def neighbours(sample: Sample, piece: int, rules: PassageRules) -> tuple[int, list[int]]:
    """How many passages stand before a piece, and the ordinals of those near it."""
    passages = passage_pieces(sample)
    place = sum(one < piece for one in passages)
    near = range(place - rules.window, place + rules.window) if rules.window else range(len(passages))
    return place, [one for one in near if 0 <= one < len(passages)]


def picture_views(sample: Sample, rules: PassageRules | None) -> list[Sample]:
    """The document once for each of its pictures, with that picture and the passages near it; without rules alone."""
    passages = passage_pieces(sample)
    views = []
    for piece in shown_pieces(sample):
        near = [sample.pieces[passages[one]] for one in neighbours(sample, piece, rules)[1]] if rules else []
        views.append(replace(sample, pieces=(sample.pieces[piece], *near)))
    return views


def ask_passages(loaded: Loaded) -> tuple[Any, tuple[str, ...]]:
    """What the model is asked of a view: its picture, and its passages."""
    return loaded.pixels[0], tuple(piece.value for piece in loaded.sample.pieces if isinstance(piece, Text))


def conclude_passages(sample: Sample, answers: Sequence[PairScores], rules: PassageRules) -> list[list[Any]]:
    """[piece, score, piece of its best passage, piece of the one it is given to or -1] for each picture."""
    passages, shown = passage_pieces(sample), shown_pieces(sample)
    if not passages:
        return []
    cosines = np.full((len(shown), len(passages)), UNASKED)
    places = []
    for row, (piece, told) in enumerate(zip(shown, answers, strict=True)):
        place, near = neighbours(sample, piece, rules)
        places.append(place)
        cosines[row, near] = told.scores
    # All pictures take part, whatever their score, so that another threshold moves no assignment.
    free = rules.model_copy(update={"min_score": UNASKED})
    assigned = assign_pictures(cosines, places, free)
    return [
        [piece, one.score, passages[one.best], passages[one.assigned] if one.assigned >= 0 else -1]
        for piece, one in zip(shown, assigned, strict=True)
    ]


def conclude_pictures(
    sample: Sample, answers: Sequence[PairScores], rules: PassageRules | None, embedded: bool
) -> tuple[list[list[Any]], list[tuple[int, bytes]]]:
    """What `conclude_passages` says, where there are rules, and each picture's embedding, where heads will ask for it.

    The embeddings stay in the Visit's sidecar: no row holds one.
    """
    told = conclude_passages(sample, answers, rules) if rules else []
    shown = zip(shown_pieces(sample), answers, strict=True)
    return told, [(piece, answer.picture) for piece, answer in shown] if embedded else []


def apply_pictures(sample: Sample, answer: tuple[Sequence[Sequence[Any]], Any]) -> Sample:
    return apply_passages(sample, answer[0])


def apply_passages(sample: Sample, answer: Sequence[Sequence[Any]]) -> Sample:
    pieces = list(sample.pieces)
    for index, score, best, assigned in answer:
        piece = pieces[index]
        if isinstance(piece, Picture):
            told = {"passage_score": score, "passage_best": best, "passage_assigned": assigned}
            pieces[index] = replace(piece, measures=piece.measures | told)
    return replace(sample, pieces=tuple(pieces))


def is_unscored(sample: Sample) -> bool:
    """Whether a picture that stays was never shown to the model: then only a run can tell."""
    if not passage_pieces(sample):
        return False
    found = [sample.pieces[index] for index in shown_pieces(sample)]
    return any(isinstance(piece, Picture) and "passage_score" not in piece.measures for piece in found)
