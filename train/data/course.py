"""Who draws what: the draws still to be made, dealt to the ranks of a job; and how they are dealt to another job.

A course is a backlog of draws and all draws from `base` on (to `end`, where the data are not endless). They are dealt
in groups of `group`: rank r of `world` has the groups r, r + world, …, its lane. How far a rank has come is one number.
Ranks need not come equally far, since samples have different lengths: what is left of all lanes and what waited in
open packs is the backlog of the next course, whatever its number of ranks.
Left out on purpose: which sample a draw is (train/data/mixture.py), workers (they never change what a rank draws).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from train.data.errors import DataError
from train.data.records import Array


@dataclass(frozen=True)
class Course:
    backlog: Array
    """(n,) int64, ascending."""
    base: int
    end: int | None
    """Behind the last draw; None where there is none."""
    world: int
    group: int = 1

    @cached_property
    def packed_backlog(self) -> str:
        """Mostly the regular gaps of one or two lanes: its differences deflate to some bytes."""
        gaps = np.diff(self.backlog, prepend=0).astype("<i8")
        return base64.b64encode(zlib.compress(gaps.tobytes(), 9)).decode() if len(gaps) else ""

    def draws(self, rank: int, first: int, count: int) -> Array:
        """Draws `first` to `first + count` of a rank's lane; fewer where the data end."""
        places = self.places(rank, np.arange(first, first + count))
        if self.end is not None:
            places = places[places < len(self.backlog) + self.end - self.base]
        waited = places < len(self.backlog)
        found = places - len(self.backlog) + self.base
        found[waited] = self.backlog[places[waited]]
        return found

    def places(self, rank: int, items: Array) -> Array:
        """Where items of a rank's lane stand in the course."""
        groups, inside = np.divmod(items, self.group)
        return (groups * self.world + rank) * self.group + inside

    def rest(self, positions: Sequence[int], waiting: Iterable[int], world: int, group: int) -> Course:
        """The course of what is left when each rank has taken `positions[rank]` items of its lane, and the samples of
        the draws `waiting` are in no pack yet."""
        nexts = [int(self.places(rank, np.asarray([item]))[0]) for rank, item in enumerate(positions)]
        low, high = min(nexts), max(nexts)
        places = np.arange(low, high)
        groups, inside = np.divmod(places, self.group)
        items = groups // self.world * self.group + inside
        left = places[items >= np.asarray(positions, np.int64)[groups % self.world]]
        left = np.concatenate([left, np.arange(high, len(self.backlog))])  # empty once the backlog is behind all
        waited = left < len(self.backlog)
        passed = max(high, len(self.backlog)) - len(self.backlog)
        if self.end is not None:
            passed = min(passed, self.end - self.base)
            left, waited = (one[left < len(self.backlog) + self.end - self.base] for one in (left, waited))
        found = np.where(waited, 0, left - len(self.backlog) + self.base)
        found[waited] = self.backlog[left[waited]]
        backlog = np.unique(np.concatenate([found, np.fromiter(waiting, np.int64)]))
        return Course(backlog, self.base + passed, self.end, world, group)


def new_course(world: int, group: int, end: int | None = None) -> Course:
    return Course(np.empty(0, np.int64), 0, end, world, group)


def format_course(course: Course) -> dict[str, Any]:
    """JSON-able."""
    return {
        "backlog": course.packed_backlog,
        "base": course.base,
        "end": course.end,
        "world": course.world,
        "group": course.group,
    }


def parse_course(found: dict[str, Any]) -> Course:
    """The inverse of `format_course`. Raises DataError where something is missing or no course."""
    try:
        gaps = np.frombuffer(zlib.decompress(base64.b64decode(found["backlog"])) if found["backlog"] else b"", "<i8")
        backlog = np.cumsum(gaps.astype(np.int64))
        return Course(backlog, found["base"], found["end"], found["world"], found["group"])
    except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as error:
        raise DataError(f"loader state: expected a course, found {error!r}") from error
