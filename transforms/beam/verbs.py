"""How verbs read in a pipeline: `rows | "Label" >> Verb(...)`, where rows are refs and the fold that opens them.

`Rows` pairs a PCollection of `RowsRef` with the fold. A verb extends one or both: `Keep` only the fold, `Match` and
`Visit` also the refs. Nothing here holds a rule, a threshold or a format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, TypeVar

from apache_beam.pvalue import PCollection

from transforms.beam.storage import register
from transforms.records import Sample
from transforms.rows import Check, Fold
from transforms.storage import Storage, storage_for

Extended = TypeVar("Extended", covariant=True)


@dataclass(frozen=True)
class Site:
    """Where a run works and what it is: what every verb must know."""

    output: str
    code: str
    """Fingerprint of the code: enters every sidecar."""
    recipe: str
    """Fingerprint of code and whole config: enters what all of it decides, the ledger and the shards."""


def open_site(site: Site) -> Storage:
    """The storage of the run's output, in whatever process a runner put us."""
    register()
    return storage_for(site.output)


@dataclass(frozen=True)
class Rows:
    """What verbs pass on. The fold is known when the pipeline is built; only refs travel."""

    refs: PCollection
    site: Site
    fold: Fold = ()

    def __or__(self, verb: Verb[Extended]) -> Extended:
        return verb.extend(self)


class Verb(Protocol[Extended]):
    def extend(self, rows: Rows) -> Extended: ...


@dataclass(frozen=True)
class Labelled:
    """A verb that takes its label as Beam transforms do: `"Label" >> verb`."""

    label: str = field(default="", kw_only=True)

    def __rrshift__(self, label: str) -> Self:
        return replace(self, label=label)


@dataclass(frozen=True)
class Keep(Labelled):
    """Marks rows that a rule turns away. They travel on, marked (law 2); the mark is set wherever rows are opened."""

    mark: Callable[[Sample], Sample]

    def extend(self, rows: Rows) -> Rows:
        return replace(rows, fold=(*rows.fold, Check(self.mark)))
