"""Checker: what is measured on refined texts, in one visit: the guard's measures and, where CLIP runs, the score.

Measured once and stored, because the rows are read five times and a long text costs the guard milliseconds.
Left out on purpose: the guard itself (fact_guard.py) and the rules on what it measures (transforms/recaptions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from classifiers.clip import ClipScorer
from configs.schema.recaption import GuardRules
from recaption.captioner import Answer
from recaption.fact_guard import measure_recaption, with_clip
from transforms.fingerprints import fingerprint
from transforms.ledger import ROLE, recaption_of
from transforms.loaded import Loaded
from transforms.recaptions import originals_of
from transforms.records import Measures, Sample, Text, texts


class Refined(msgspec.Struct, frozen=True):
    """A refined text and what it is held against."""

    pixels: Any
    """None where no CLIP runs."""
    answer: Answer
    originals: tuple[str, ...]
    others: tuple[str, ...]
    """Captions of the pair that lost to the best one: evidence too."""


@dataclass
class RecaptionChecker:
    """A `transforms.beam.visit.Model`; `scorer` is the relevance step's, None where that step is off."""

    guard: GuardRules
    scorer: ClipScorer | None
    name: str = "recaption_check"

    def load(self) -> None:
        if self.scorer is not None:
            self.scorer.load()

    def fingerprint(self) -> str:
        """Of all that moves a measure: the scorer, and the two limits that enter the measuring."""
        measured = (self.guard.max_seen_count, self.guard.min_language_characters)
        return fingerprint(measured, self.scorer.fingerprint() if self.scorer is not None else "")

    def predict(self, batch: Sequence[Refined | None]) -> list[tuple[float | None, Measures] | None]:
        """(score of the refined text, the guard's measures) for each, in order; None where there is no text."""
        scores = self._scores(batch)
        return [
            None if one is None else (score, measure_recaption(one.answer, one.originals, one.others, self.guard))
            for one, score in zip(batch, scores, strict=True)
        ]

    def _scores(self, batch: Sequence[Refined | None]) -> list[float | None]:
        if self.scorer is None:
            return [None] * len(batch)
        asked = [(one.pixels, (one.answer.text,)) for one in batch if one is not None and one.answer.text]
        found = iter(self.scorer.predict(asked) if asked else ())
        return [next(found).scores[0] if one is not None and one.answer.text else None for one in batch]


def ask_check(loaded: Loaded) -> Refined | None:
    sample, text = loaded.sample, recaption_of(loaded.sample)
    if text is None or "error" in text.measures:
        return None
    known = originals_of(sample)
    others = tuple(other.value for other in texts(sample) if other.value not in known)
    pixels = next((array for array in loaded.pixels if array is not None), None)
    return Refined(pixels, Answer(text.value, str(text.measures.get("finish", "stop"))), known, others)


def add_check(sample: Sample, answer: Any) -> Sample:
    """`sample` with the measures on its refined text; CLIP is asked where both texts have a score."""
    if answer is None:
        return sample
    score, measures = answer
    before = [float(t.measures["clip_score"]) for t in texts(sample) if t.drop is None and "clip_score" in t.measures]
    if score is not None and before:
        measures = with_clip(measures, max(before), score)
    pieces = [
        replace(p, measures={**p.measures, **measures}) if isinstance(p, Text) and p.role == ROLE else p
        for p in sample.pieces
    ]
    return replace(sample, pieces=tuple(pieces))
