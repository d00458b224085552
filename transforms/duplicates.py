"""Exact duplicates: the same picture more than once in the pool, and which copy stays.

Copies share the hash of their decoded pixels, or of their bytes where the config says so. Kept is the largest picture,
then the one with the longest caption, then the smallest key (the peers keep whichever came first).
Left out on purpose: near duplicates; equal pixels are a fact, likeness is a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from configs.schema.caption import DuplicateRules
from transforms.fingerprints import digest
from transforms.ledger import chosen_caption
from transforms.matching import Candidate, Met
from transforms.records import Drop, Picture, Sample, pictures, with_measures

Copy = Sequence[Any]
"""Of a copy: pixels, length of its caption, key."""


class ExactDuplicates:
    """Rows that are still alive meet under their picture's hash."""

    name = "duplicates"
    counts_witnesses = False

    def __init__(self, rules: DuplicateRules) -> None:
        self._rules = rules

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        found = pictures(sample)
        if not sample.alive or not found:
            return []
        caption = chosen_caption(sample)
        length = len(caption.value) if caption else 0
        copy = (sum(p.width * p.height for p in found), length, sample.key)
        return [Candidate(self._digest(found), copy)]

    def better(self, one: Copy, other: Copy) -> Copy:
        return min(one, other, key=lambda copy: (-copy[0], -copy[1], copy[2]))

    def answer(self, met: Met, piece: int) -> tuple[int, str]:
        return met.rows, met.best[2]

    def apply(self, sample: Sample, answers: list[tuple[int, str]]) -> Sample:
        copies, kept = answers[0]
        return with_measures(sample, copies=copies, duplicate_of=kept)

    def _digest(self, found: list[Picture]) -> bytes:
        # A picture that was not decoded has no pixel hash and can only be known by its bytes.
        parts = [p.pixels if self._rules.of == "pixels" and p.pixels else p.sha256 for p in found]
        return digest(b"".join(parts))


def check_duplicate(sample: Sample, rules: DuplicateRules) -> Drop | None:
    """Drop every copy but the one that was chosen; `copies` and `duplicate_of` are measures of the row."""
    kept = sample.measures.get("duplicate_of", sample.key)
    if not rules.enabled or kept == sample.key:
        return None
    return Drop("image_duplicate", int(sample.measures["copies"]), 1, str(kept))
