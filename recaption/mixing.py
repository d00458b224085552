"""Mixing: a sample with its refined text beside the original, judged, and which of the two becomes the text.

Both stay on the sample: originals with role `caption`, the refined text with role `recaption`. A refusal of the
captioner is a `recaption` without a value, dropped with `recaption_failed`: every failure is on the ledger and no
sample is lost. The choice is a hash of the key, so a larger pool or a retry moves no row to the other side.
Left out on purpose: the models (Visit asks them) and the scores, which the relevance stage's scorer gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from recaption.captioner import Answer, Refusal, Request, parse_reply
from recaption.fact_guard import check_recaption, measure_recaption, with_clip
from recaption.rules import GuardRules, MixRules
from transforms.fingerprints import chance
from transforms.loaded import Loaded
from transforms.records import Drop, Piece, Sample, Text, texts

ROLE = "recaption"
FAILED = "recaption_failed"
PURPOSE = "recaption_mix"


def originals_of(sample: Sample) -> tuple[str, ...]:
    """The captions no rule has marked: what is refined and what a refined text is held against."""
    return tuple(text.value for text in texts(sample) if text.drop is None)


def ask_recaption(loaded: Loaded) -> Request:
    """What a captioner is asked of a pair: its first picture."""
    pixels = next(array for array in loaded.pixels if array is not None)
    return Request(loaded.sample.key, pixels, originals_of(loaded.sample))


def add_reply(sample: Sample, value: Any) -> Sample:
    """`sample` with the captioner's reply (a Reply or its msgpack values) as its last piece."""
    reply = value if isinstance(value, (Answer, Refusal)) else parse_reply(value)
    if isinstance(reply, Refusal):
        drop = Drop(FAILED, reply.attempts, 0, f"{reply.error}: {reply.message}")
        return _with_piece(sample, Text("", ROLE, {"error": reply.error}, drop=drop))
    told = {name: getattr(reply, name) for name in ("finish", "tokens_in", "tokens_out", "model", "prompt")}
    return _with_piece(sample, Text(reply.text, ROLE, told))


def judge_recaption(sample: Sample, guard: GuardRules, evidence: Sequence[str] = ()) -> Sample:
    """`sample` with the guard's measures on its refined text and, where a rule fires, its drop.

    Other captions of the pair that lost to the best one are evidence too. CLIP is asked where both texts have a score.
    """
    known = originals_of(sample)
    others = [text.value for text in texts(sample) if text.value not in known]
    pieces: list[Piece] = []
    for piece in sample.pieces:
        if isinstance(piece, Text) and piece.role == ROLE and piece.measures.get("error") is None:
            answer = Answer(piece.value, str(piece.measures.get("finish", "stop")))
            found = measure_recaption(answer, known, [*evidence, *others], guard)
            found = {**piece.measures, **found}
            if (before := _best_score(sample)) is not None and "clip_score" in piece.measures:
                found = with_clip(found, before, float(piece.measures["clip_score"]))
            judged = replace(piece, measures=found, drop=None)
            piece = replace(judged, drop=check_recaption(judged, guard))
        pieces.append(piece)
    return replace(sample, pieces=tuple(pieces))


def score_recaption(sample: Sample, score: float) -> Sample:
    """`sample` with the CLIP score of its refined text, which `judge_recaption` holds against the original's."""
    pieces = [
        replace(p, measures={**p.measures, "clip_score": score}) if isinstance(p, Text) and p.role == ROLE else p
        for p in sample.pieces
    ]
    return replace(sample, pieces=tuple(pieces))


def refined_text(sample: Sample) -> Text | None:
    """The refined text that was accepted."""
    return next((text for text in texts(sample, ROLE) if text.drop is None and text.value), None)


def takes_recaption(sample: Sample, mix: MixRules, seed: int) -> bool:
    """Whether the refined text becomes the text: it was accepted, and the key's chance is below the share."""
    return refined_text(sample) is not None and chance(seed, sample.key, PURPOSE) < mix.recaption_share


def chosen_text(sample: Sample, mix: MixRules, seed: int) -> Text | None:
    """The text of `{key}.txt`: the refined one or the original's best; None where no caption is left."""
    if takes_recaption(sample, mix, seed):
        return refined_text(sample)
    return next((text for text in texts(sample) if text.drop is None), None)


def _best_score(sample: Sample) -> float | None:
    scores = [text.measures.get("clip_score") for text in texts(sample) if text.drop is None]
    return max((float(score) for score in scores if score is not None), default=None)


def _with_piece(sample: Sample, piece: Piece) -> Sample:
    return replace(sample, pieces=(*sample.pieces, piece))
