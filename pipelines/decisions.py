"""Deciding a finished run again from its ledger: nothing is measured again and no picture is read (law 3).

Left out on purpose: the rules and their order (a Kind's `decide_again`, pipelines/kinds.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pipelines.concept_table import read_concepts
from pipelines.errors import NotReproduced
from pipelines.kinds import Config, kind_of
from pipelines.ledger import samples_by_unit
from pipelines.plain_text import number
from transforms.records import Sample
from transforms.vocabulary import Vocabulary


class Measured(NamedTuple):
    """All rows of a run; `units[i]` is the unit of `samples[i]`."""

    samples: list[Sample]
    units: list[int]
    vocabulary: Vocabulary | None = None
    """The one that the run counted; None where it balanced no concepts."""


class Disagreement(NamedTuple):
    key: str
    ledger: str
    again: str


def load_measured(output: str, files: Sequence[str] | None = None) -> Measured:
    """All rows in memory, without the pool's JSON, which decides nothing."""
    samples, units = [], []
    for unit, sample in samples_by_unit(output, files):
        samples.append(replace(sample, meta=""))
        units.append(unit)
    return Measured(samples, units, table.vocabulary if (table := read_concepts(output)) else None)


def disagreements(measured: Measured, cfg: Config) -> Iterator[Disagreement]:
    """Rows that the config they were decided under now decides otherwise: none, by law."""
    again = kind_of(cfg).decide_again(measured.samples, measured.units, cfg, measured.vocabulary)
    for row, other in zip(measured.samples, again, strict=True):
        if row != other:
            told, found = format_fate(row), format_fate(other)
            yield Disagreement(row.key, told, found if told != found else f"{found}, other marks on its pieces")


def check_reproduced(measured: Measured, cfg: Config, output: str) -> None:
    """Raises NotReproduced, naming the first row that disagrees."""
    first = next(disagreements(measured, cfg), None)
    if first is not None:
        raise NotReproduced(
            f"{output}: the ledger does not follow from its own config, so nothing can be said of another one: "
            f"{first.key}: expected {first.ledger}, found {first.again}; was it made by another version of beamsift?"
        )


def format_fate(sample: Sample) -> str:
    """`kept`, `dropped image_too_small (120, limit 200)`, `failed PictureMissing`."""
    if sample.failure is not None:
        return f"failed {sample.failure.error}"
    drop = sample.drop
    return "kept" if drop is None else f"dropped {drop.rule} ({number(drop.value)}, limit {number(drop.limit)})"


def reasons(samples: Sequence[Sample]) -> Iterator[str]:
    """For each row the rule or error class of its fate; empty for a kept one."""
    for sample in samples:
        if sample.failure is not None:
            yield sample.failure.error
        else:
            yield sample.drop.rule if sample.drop is not None else ""
