"""What a check of a finished run found: each problem with its place, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

SHOWN = 5
"""Problems that one check tells; the rest it counts."""


class Problem(NamedTuple):
    """`place` names the file, the row or the key."""

    place: str
    expected: str
    found: str


class Check(NamedTuple):
    name: str
    examined: str
    """What was looked at, with its count: `3 shards`."""
    problems: list[Problem]
    more: int = 0
    """Problems beyond those told."""


def make_check(name: str, examined: str, problems: Iterable[Problem]) -> Check:
    found = iter(problems)
    return Check(name, examined, list(islice(found, SHOWN)), sum(1 for _ in found))


def differ(place: str, expected: object, found: object) -> list[Problem]:
    """One problem where the two are not equal, else none."""
    return [] if expected == found else [Problem(place, str(expected), str(found))]
