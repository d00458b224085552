"""Rows by reference: the element that travels, and the fold that turns it into samples.

A unit's rows never cross a stage border. What crosses is a `RowsRef`: the unit, and for each join made so far either
the path of a sidecar or, where a pool-wide verb answered few rows, the answers themselves. Whoever needs the rows reads
the scan's sidecar and folds the steps over it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from transforms.fingerprints import fingerprint
from transforms.records import Sample, Unit, decode_sample
from transforms.sidecars import read_records
from transforms.storage import Storage, join, local_path, scheme_of

Answers = dict[int, Any]
"""What a join says of rows, by position; a row without an answer is not in it."""


class RowsRef(msgspec.Struct, frozen=True, array_like=True):
    """One unit's rows. `made_by` chains the fingerprints of all that went into them."""

    unit: Unit
    scan: str
    """URI of the scan's sidecar."""
    made_by: str
    joins: dict[str, bytes] = {}
    """By name: msgpack of the items of Answers, or of the URI of a sidecar that holds them."""


@dataclass(frozen=True)
class Check:
    """Marks each row by what it already holds."""

    mark: Callable[[Sample], Sample]


@dataclass(frozen=True)
class Join:
    """Gives each row the answer that a verb found for it; rows without one pass as they are."""

    name: str
    apply: Callable[[Sample, Any], Sample]


Fold = tuple[Check | Join, ...]


def unit_name(unit: Unit) -> str:
    """File name of a unit's sidecars: it stays when other inputs come and go."""
    stem = unit.uri.rsplit("/", 1)[-1].split(".")[0][:40]
    return f"{stem}-{unit.part:05d}-{fingerprint(unit.uri)[:12]}"


def sidecar_uri(output: str, stage: str, unit: Unit) -> str:
    return join(output, "work", stage, unit_name(unit) + ".arrow")


def staging_folder(output: str) -> str:
    """A local folder for copies: beside the sidecars where these are local, else the worker's temporary folder."""
    if scheme_of(output) in ("", "file"):
        return join(local_path(output), "work", "staging")
    return join(tempfile.gettempdir(), f"beamsift-{fingerprint(output)}")


def with_answers(ref: RowsRef, name: str, answers: Answers) -> RowsRef:
    packed = msgspec.msgpack.encode(sorted(answers.items()))
    return _joined(ref, name, packed, fingerprint(packed))


def with_sidecar(ref: RowsRef, name: str, uri: str, made_by: str) -> RowsRef:
    return _joined(ref, name, msgspec.msgpack.encode(uri), made_by)


def _joined(ref: RowsRef, name: str, packed: bytes, made_by: str) -> RowsRef:
    return replace(ref, joins={**ref.joins, name: packed}, made_by=fingerprint(ref.made_by, name, made_by))


def rows_of(ref: RowsRef, fold: Fold, storage: Storage) -> Iterator[Sample]:
    """The unit's samples in order, with every step of the fold applied."""
    samples = map(decode_sample, read_records(storage, ref.scan))
    joins = {step.name: _answers(ref, step.name, storage) for step in fold if isinstance(step, Join)}
    return apply_fold(samples, fold, joins)


def apply_fold(samples: Iterable[Sample], fold: Fold, joins: dict[str, Answers]) -> Iterator[Sample]:
    for sample in samples:
        for step in fold:
            if isinstance(step, Check):
                sample = step.mark(sample)
            elif sample.position in joins[step.name]:
                sample = step.apply(sample, joins[step.name][sample.position])
        yield sample


def _answers(ref: RowsRef, name: str, storage: Storage) -> Answers:
    value = msgspec.msgpack.decode(ref.joins[name])
    if isinstance(value, str):
        # A third part, the digest of what was asked, is for whoever would ask again (transforms/remembered.py).
        return dict(msgspec.msgpack.decode(record)[:2] for record in read_records(storage, value))
    return dict(value)


def joined_sidecars(ref: RowsRef) -> dict[str, str]:
    """URIs of the joins that lie in sidecars, by the join's name."""
    values = {name: msgspec.msgpack.decode(packed) for name, packed in ref.joins.items()}
    return {name: value for name, value in values.items() if isinstance(value, str)}
