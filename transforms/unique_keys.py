"""Unique keys: pools are put together from many sources, and each counts from zero.

The first row of a key, in pool order, keeps it; the n-th becomes `key~n`. Readers never give a `~`, so the new key
is free. No row is lost over a name.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from transforms.fingerprints import digest
from transforms.matching import Candidate, Met
from transforms.records import Sample


class UniqueKeys:
    name = "unique_keys"
    counts_witnesses = False

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        return [Candidate(digest(sample.key.encode()))]

    def better(self, one: None, other: None) -> None:
        return None

    def answer(self, met: Met, piece: int) -> int | None:
        return met.rank + 1 if met.rank else None

    def apply(self, sample: Sample, answers: list[int]) -> Sample:
        return replace(sample, key=f"{sample.key}~{answers[0]}")
