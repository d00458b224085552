"""The heads of a run: several asked about one embedding, each known by its content.

Left out on purpose: what a head is (classifiers/heads.py); what its probabilities decide (transforms/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classifiers.errors import ModelError
from classifiers.heads import Head, load_head
from transforms.fingerprints import fingerprint


@dataclass
class HeadSet:
    """`load()` once per process, then `predict`. A pickled set travels without weights."""

    uris: Mapping[str, str]
    """By the name under which a head's probabilities stand on a picture."""
    known: Mapping[str, str]
    """Fingerprints of what the run began with: every worker refuses other content."""
    name: str = "heads"
    _heads: dict[str, Head] = field(default_factory=dict, init=False, repr=False, compare=False)

    def load(self) -> None:
        """Raises ModelError for a file that is not there, is no head, or has changed since the run began."""
        if self._heads:
            return
        heads = {name: load_head(uri) for name, uri in self.uris.items()}
        for name, head in heads.items():
            if head.fingerprint() != self.known[name]:
                told = f"{self.known[name]} that the run began with, found {head.fingerprint()}"
                raise ModelError(f"{self.uris[name]}: expected the head {told}")
        self._heads = heads

    def fingerprint(self) -> str:
        return fingerprint(sorted(self.known.items()))

    def predict(self, batch: Sequence[bytes]) -> list[dict[str, dict[str, float]]]:
        """For each embedding, as float16, the probabilities of every head by class. Raises ModelError."""
        if not self._heads:
            raise ModelError(f"{self.name}: expected load() before predict()")
        if not batch:
            return []
        embeddings = np.stack([np.frombuffer(one, np.float16) for one in batch])
        found: list[dict[str, dict[str, float]]] = [{} for _ in batch]
        for name, head in self._heads.items():
            for told, row in zip(found, head.predict(embeddings).tolist(), strict=True):
                told[name] = dict(zip(head.classes, row, strict=True))
        return found

    def __reduce__(self) -> tuple[type[HeadSet], tuple[Any, ...]]:
        return HeadSet, (self.uris, self.known, self.name)
