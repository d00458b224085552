"""Which bytes to ask a remote store for: spans in the order in which they will be read, to as few requests as pay.

Two laws. Neighbours are one run where the run holds at most 1.1 times their bytes and 16 MiB: reading the spans then
costs at most 1.1 times their bytes and one request a run. And a gap is read through, in one streamed request, where its
bytes take less time than another request would: with every gap of a file that small, that is the whole of the file.
Left out on purpose: local files, where a request costs nothing, and reading (transforms/run_reader.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_OVER = 1.1
"""Bytes of a run over the bytes wanted of it."""
MOST_RUN_BYTES = 16 << 20
"""What is held in memory at a time; AWS advises ranges of 8 to 16 MiB."""
REQUEST_BYTES = 3_000_000
"""What one request costs, in bytes of one connection: 30 ms to the first byte at 100 MB/s. AWS's guidelines speak of
100 to 200 ms and 85 to 90 MB/s, three to six times that: reading through a gap pays there even more."""


class Place(NamedTuple):
    """Bytes `[start, end)` of the file at `uri`."""

    uri: str
    start: int
    end: int


class Costs(NamedTuple):
    over: float = MOST_OVER
    most: int = MOST_RUN_BYTES
    request: int = REQUEST_BYTES


class Run(NamedTuple):
    """One request: bytes `[start, end)`, and the places in it, in order."""

    uri: str
    start: int
    end: int
    places: tuple[Place, ...]
    streamed: bool = False
    """Whether it goes on over gaps or beyond what is held in memory, so that it is read once, forward."""


def plan_runs(places: Iterable[Place], costs: Costs | None = None) -> list[Run]:
    """Runs in order; every place is in exactly one. A place before the last one's end begins a new run."""
    costs = costs or Costs()
    return join_runs(merge_places(places, costs), costs)


def merge_places(places: Iterable[Place], costs: Costs) -> list[Run]:
    """The first law: as many neighbours as fit."""
    runs: list[Run] = []
    group: list[Place] = []
    wanted = 0
    for place in places:
        size = place.end - place.start
        if group and not _fits(group, place, wanted + size, costs):
            runs.append(_run(group))
            group, wanted = [], 0
        group.append(place)
        wanted += size
    return [*runs, _run(group)] if group else runs


def join_runs(runs: Sequence[Run], costs: Costs) -> list[Run]:
    """The second law: each gap on its own, because a gap is either cheaper than a request or is not."""
    joined: list[list[Run]] = []
    for run in runs:
        last = joined[-1][-1] if joined else None
        if last and last.uri == run.uri and 0 <= run.start - last.end < costs.request:
            joined[-1].append(run)
        else:
            joined.append([run])
    return [group[0] if len(group) == 1 else _stream(group) for group in joined]


def cost(runs: Sequence[Run], costs: Costs) -> int:
    """Bytes, and the bytes that the requests stand for."""
    return sum(run.end - run.start for run in runs) + len(runs) * costs.request


def _fits(group: Sequence[Place], place: Place, wanted: int, costs: Costs) -> bool:
    first, last = group[0], group[-1]
    together = place.end - first.start
    return (
        place.uri == last.uri and place.start >= last.end and together <= costs.most and together <= costs.over * wanted
    )


def _run(group: Sequence[Place]) -> Run:
    return Run(group[0].uri, group[0].start, group[-1].end, tuple(group))


def _stream(group: Sequence[Run]) -> Run:
    places = tuple(place for run in group for place in run.places)
    return Run(group[0].uri, group[0].start, group[-1].end, places, streamed=True)
