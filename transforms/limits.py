"""Limits: a measure held against a bound. A value exactly at it stays; a row without the measure is not judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

from transforms.records import Drop, Picture, Sample, Text


class Limit(NamedTuple):
    """A rule of a table: a piece goes whose `measure` is past the config's value `key`, which says by its name which
    way: above a `max_...`, below a `min_...`."""

    rule: str
    measure: str
    key: str


class Table:
    """Limits in the order in which they are held against a piece."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._rows = [(one.rule, one.measure, attrgetter(one.key), one.key.startswith("max_")) for one in limits]

    def first_crossed(self, piece: Picture | Text | Sample, rules: Any) -> Drop | None:
        """The first rule that fires; a value exactly at its limit stays. A measure that was not taken cannot fire."""
        measures = cast(Mapping[str, float], piece.measures)
        for rule, measure, limit_of, is_most in self._rows:
            if (value := measures.get(measure)) is not None:
                limit = limit_of(rules)
                if value > limit if is_most else value < limit:
                    return Drop(rule, value, limit)
        return None


def check_below(piece: Picture | Text | Sample, measure: str, limit: float, rule: str) -> Drop | None:
    """Drop a piece whose measure is below the limit."""
    value = piece.measures.get(measure)
    return Drop(rule, value, limit) if isinstance(value, (int, float)) and value < limit else None


def check_above(piece: Picture | Text | Sample, measure: str, limit: float, rule: str) -> Drop | None:
    """Drop a piece whose measure is above the limit."""
    value = piece.measures.get(measure)
    return Drop(rule, value, limit) if isinstance(value, (int, float)) and value > limit else None
