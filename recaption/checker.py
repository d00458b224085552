"""Checker: what is measured on refined texts, in one visit: the guard's measures and, where CLIP runs, the score.

What is written in the picture is evidence on request: it is read where nothing else supports what a text adds.

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
from classifiers.text_reader import PictureUnread, TextReader
from configs.schema.recaption import GuardRules
from recaption.captioner import Answer
from recaption.fact_guard import measure_recaption, with_clip
from transforms.fingerprints import fingerprint
from transforms.ledger import ROLE, recaption_of
from transforms.loaded import Loaded
from transforms.recaptions import originals_of
from transforms.records import Measures, Sample, Text, texts

WRITTEN_CHARACTERS = 300
"""Of what is written in a picture, for the reader of a report."""


class Refined(msgspec.Struct, frozen=True):
    """A refined text and what it is held against."""

    pixels: Any
    """None where nothing looks at the picture."""
    answer: Answer
    originals: tuple[str, ...]
    others: tuple[str, ...]
    """Captions of the pair that lost to the best one: evidence too."""


@dataclass
class RecaptionChecker:
    """A `transforms.beam.visit.Model`; `scorer` is the relevance step's, None where that step is off, as is `reader`
    where `guard.ocr` is."""

    guard: GuardRules
    scorer: ClipScorer | None
    reader: TextReader | None = None
    name: str = "recaption_check"

    def load(self) -> None:
        if self.scorer is not None:
            self.scorer.load()
        if self.reader is not None:
            self.reader.load()

    def fingerprint(self) -> str:
        """Of all that moves a measure: the scorer, the reader, and the limits that enter the measuring."""
        measured = (self.guard.max_seen_count, self.guard.min_language_characters)
        reader = (self.guard.ocr_min_confidence, self.reader.fingerprint()) if self.reader is not None else ()
        return fingerprint(measured, self.scorer.fingerprint() if self.scorer is not None else "", reader)

    def predict(self, batch: Sequence[Refined | None]) -> list[tuple[float | None, Measures] | None]:
        """(score of the refined text, the guard's measures) for each, in order; None where there is no text."""
        scores = self._scores(batch)
        return [None if one is None else (score, self._measured(one)) for one, score in zip(batch, scores, strict=True)]

    def _measured(self, one: Refined) -> Measures:
        """The guard's measures; where a fact is left without support, those with what the picture says as evidence.

        A picture that cannot be read is no evidence, and its row says so: no row is lost for it.
        """
        measures = measure_recaption(one.answer, one.originals, one.others, self.guard)
        if self.reader is None or one.pixels is None or not measures["facts_unsupported"]:
            return measures
        try:
            found = self.reader.read(one.pixels)
        except PictureUnread as error:
            return {**measures, "written_error": str(error)}
        lines = [text for text, confidence in found if confidence >= self.guard.ocr_min_confidence]
        # The whole, too: a name or a quote may run over several lines.
        evidence = (*one.others, *lines, " ".join(lines))
        measures = measure_recaption(one.answer, one.originals, evidence, self.guard)
        return {**measures, "written": " | ".join(lines)[:WRITTEN_CHARACTERS]}

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
