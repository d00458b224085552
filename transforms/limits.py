"""Limits: a measure held against a bound. A value exactly at it stays; a row without the measure is not judged."""

from __future__ import annotations

from transforms.records import Drop, Picture, Sample, Text


def check_below(piece: Picture | Text | Sample, measure: str, limit: float, rule: str) -> Drop | None:
    """Drop a piece whose measure is below the limit."""
    value = piece.measures.get(measure)
    return Drop(rule, value, limit) if isinstance(value, (int, float)) and value < limit else None


def check_above(piece: Picture | Text | Sample, measure: str, limit: float, rule: str) -> Drop | None:
    """Drop a piece whose measure is above the limit."""
    value = piece.measures.get(measure)
    return Drop(rule, value, limit) if isinstance(value, (int, float)) and value > limit else None
