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
        self._limits = [(one, attrgetter(one.key), one.key.startswith("max_")) for one in limits]
        self._bounds: tuple[Any, list[_Bound]] = (None, [])

    def first_crossed(self, piece: Picture | Text | Sample, rules: Any) -> Drop | None:
        """The first rule that fires; a value exactly at its limit stays. A measure that was not taken cannot fire.

        `rules` is a frozen section of a config.
        """
        known, bounds = self._bounds
        if known is not rules:
            bounds = [_Bound(one.rule, one.measure, limit(rules), most) for one, limit, most in self._limits]
            self._bounds = rules, bounds
        measures = cast(Mapping[str, float], piece.measures)
        for rule, measure, limit, is_most in bounds:
            value = measures.get(measure)
            if value is not None and (value > limit if is_most else value < limit):
                return Drop(rule, value, limit)
        return None


class _Bound(NamedTuple):
    rule: str
    measure: str
    limit: float
    is_most: bool


def check_below(piece: Picture | Text | Sample, measure: str, limit: float, rule: str) -> Drop | None:
    """Drop a piece whose measure is below the limit."""
    value = piece.measures.get(measure)
    return Drop(rule, value, limit) if isinstance(value, (int, float)) and value < limit else None


def check_above(piece: Picture | Text | Sample, measure: str, limit: float, rule: str) -> Drop | None:
    """Drop a piece whose measure is above the limit."""
    value = piece.measures.get(measure)
    return Drop(rule, value, limit) if isinstance(value, (int, float)) and value > limit else None
