"""What can be wrong with training data: a fault of the set or the state, which stops, or of one sample, which may not.

Messages say what was expected and what was found.
"""

from __future__ import annotations


class DataError(ValueError):
    """The set, the mixture or a saved state cannot be used as it is. Stops whatever the policy."""


class CorruptSample(ValueError):
    """One sample cannot be used; what readers and transforms raise. `kind` is the class it is counted under."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[CorruptSample], tuple[str, str]]:
        return CorruptSample, (self.kind, str(self))
