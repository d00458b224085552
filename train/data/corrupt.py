"""What becomes of samples that cannot be used: skipped, counted by class and named, or the end of the run.

A fault is the sample's where reading or a transform raises one of `FAULTS`; anything else is the program's and stops.
So does a share of corrupt samples that no careful set has: a transform that fails on every sample is no policy.
Left out on purpose: samples too long for a pack, which are sound (train/data/packed.py counts them).
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from train.data.errors import CorruptSample, DataError
from train.data.reader import Corrupt
from transforms.storage import StoreUnavailable

FAULTS = (CorruptSample, OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)
"""What decoders raise for bytes that are none of their format. UnicodeError and msgspec's are ValueErrors; a broken PNG
may be a SyntaxError of Pillow's."""
LEFT_OUT = "left out by the transform"
SOUND = frozenset({LEFT_OUT, "SampleTooLong", "NothingToTrain"})
"""Classes that say nothing against a set: a sample that is sound and not for this stage (train/chat/errors.py)."""


def is_samples_fault(error: Exception) -> bool:
    """Whether the sample is at fault, also where Pillow refuses a picture for its size, with an error of its own."""
    pillow = sys.modules.get("PIL.Image")
    bomb = () if pillow is None else (pillow.DecompressionBombError,)
    return isinstance(error, (*FAULTS, *bomb)) and not isinstance(error, (StoreUnavailable, DataError))


@dataclass(frozen=True)
class CorruptPolicy:
    action: Literal["skip", "stop"] = "skip"
    most_share: float = 0.01
    """Of a source's samples: above it the run stops."""
    judged_from: int = 1000
    """Samples of a source before its share is judged."""
    most_in_a_row: int = 10_000
    """Samples of a rank of which none can be used: then data without end would be searched for ever."""
    names_kept: int = 32
    """Names kept a source and rank, which a state carries; all are counted."""


@dataclass
class SourceCounts:
    given: int = 0
    """Samples handed on."""
    skipped: Counter[str] = field(default_factory=Counter)
    """By class."""
    names: list[str] = field(default_factory=list)
    """`class place: message` of the first ones skipped."""

    @property
    def seen(self) -> int:
        return self.given + self.skipped.total()


class Counts:
    """Of one rank, by source. `note_*` raise DataError where the policy ends the run."""

    def __init__(self, sources: Iterable[str], policy: CorruptPolicy) -> None:
        self.policy = policy
        self.sources = {name: SourceCounts() for name in sources}
        self._unused = 0

    def note_given(self, source: str) -> None:
        self.sources[source].given += 1
        self._unused = 0

    def note_left_out(self, source: str) -> None:
        self.sources[source].skipped[LEFT_OUT] += 1
        self._note_unused(f"{LEFT_OUT} of source {source!r}")

    def _note_unused(self, last: str) -> None:
        self._unused += 1
        if self._unused >= self.policy.most_in_a_row:
            raise DataError(f"expected samples to train on, found none in {self._unused:,} in a row; the last: {last}")

    def note_corrupt(self, corrupt: Corrupt) -> None:
        counts, told = self.sources[corrupt.source], f"{corrupt.kind} {corrupt.place}: {corrupt.message}"
        if self.policy.action == "stop" and corrupt.kind not in SOUND:
            raise DataError(f"source {corrupt.source!r}: expected sound samples, found {told}")
        counts.skipped[corrupt.kind] += 1
        if len(counts.names) < self.policy.names_kept:
            counts.names.append(told)
        bad = sum(number for kind, number in counts.skipped.items() if kind not in SOUND)
        if counts.seen >= self.policy.judged_from and bad > self.policy.most_share * counts.seen:
            classes = ", ".join(f"{number:,} {kind}" for kind, number in counts.skipped.most_common())
            raise DataError(
                f"source {corrupt.source!r}: expected at most {self.policy.most_share:.1%} corrupt samples, found "
                f"{bad:,} in {counts.seen:,} ({classes}); the last: {told}"
            )
        self._note_unused(told)

    def format(self) -> dict[str, Any]:
        """JSON-able; `add` is its inverse on counts of nothing."""
        return {
            name: {"given": one.given, "skipped": dict(one.skipped), "names": list(one.names)}
            for name, one in self.sources.items()
        }

    def add(self, stated: dict[str, Any]) -> None:
        """What another rank, or this one before, has counted."""
        for name, found in stated.items():
            one = self.sources[name]
            one.given += found["given"]
            one.skipped.update(found["skipped"])
            one.names = [*one.names, *found["names"]][: self.policy.names_kept]
