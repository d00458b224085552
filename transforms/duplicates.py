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
from transforms.matching import Member, Place
from transforms.records import Drop, Picture, Sample, pictures, with_measures


class ExactDuplicates:
    """Rows that are still alive meet under their picture's hash."""

    name = "duplicates"

    def __init__(self, rules: DuplicateRules) -> None:
        self._rules = rules

    def candidates(self, sample: Sample) -> Iterable[tuple[bytes, Any]]:
        found = pictures(sample)
        if not sample.alive or not found:
            return []
        caption = chosen_caption(sample)
        length = len(caption.value) if caption else 0
        return [(self._digest(found), (sum(p.width * p.height for p in found), length, sample.key))]

    def resolve(self, members: Sequence[Member]) -> Iterable[tuple[Place, tuple[int, str]]]:
        ranked = sorted(members, key=lambda member: (-member[1][0], -member[1][1], member[1][2]))
        kept = ranked[0][1][2]
        return [(place, (len(members), kept)) for place, _ in members]

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
