"""Unique keys: pools are put together from many sources, and each counts from zero.

The first row of a key, in pool order, keeps it; the n-th becomes `key~n`. Readers never give a `~`, so the new key
is free. No row is lost over a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from transforms.fingerprints import digest
from transforms.matching import Member, Place
from transforms.records import Sample


class UniqueKeys:
    name = "unique_keys"

    def candidates(self, sample: Sample) -> Iterable[tuple[bytes, Any]]:
        return [(digest(sample.key.encode()), None)]

    def resolve(self, members: Sequence[Member]) -> Iterable[tuple[Place, int]]:
        return [(place, ordinal) for ordinal, (place, _) in enumerate(members[1:], start=2)]

    def apply(self, sample: Sample, answers: list[int]) -> Sample:
        return replace(sample, key=f"{sample.key}~{answers[0]}")
