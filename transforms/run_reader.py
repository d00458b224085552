"""Reading planned places: a run is fetched when its first place is asked for, and held until another run is.

Memory: one run of 16 MiB, or the piece of a stream and one place.
Left out on purpose: the plan itself (transforms/ranges.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from transforms.ranges import Costs, Place, Run, plan_runs
from transforms.storage import Storage


class _Open(Protocol):
    def read(self, start: int, end: int) -> bytes | None:
        """None for bytes that have gone by."""


class RunReader:
    """Not thread-safe. A place that was not expected, or has gone by, is None: then it costs a request of its own."""

    def __init__(self, storage_of: Callable[[str], Storage], costs: Costs | None = None) -> None:
        self._storage_of, self._costs = storage_of, costs
        self._run_of: dict[Place, Run] = {}
        self._run: Run | None = None
        self._open: _Open | None = None

    def expect(self, places: Iterable[Place]) -> None:
        """Plans; takes the place of an earlier plan."""
        self.close()
        self._run_of = {place: run for run in plan_runs(places, self._costs) for place in run.places}

    @property
    def planned(self) -> bool:
        return bool(self._run_of)

    def read(self, place: Place) -> bytes | None:
        run = self._run_of.get(place)
        if run is None:
            return None
        if run is not self._run:
            self.close()
            self._open = self._fetch(run)
            self._run = run
        assert self._open is not None
        try:
            return self._open.read(place.start, place.end)
        except BaseException:
            self.close()  # a stream that broke gives nothing more; who asks again begins a new one
            raise

    def close(self) -> None:
        self._run = self._open = None

    def _fetch(self, run: Run) -> _Open:
        storage = self._storage_of(run.uri)
        if run.streamed:
            return _Stream(run.start, storage.stream(run.uri, run.start, run.end))
        return _Held(run.start, storage.read(run.uri, run.start, run.end))


class _Held:
    def __init__(self, start: int, data: bytes) -> None:
        self._start, self._data = start, data

    def read(self, start: int, end: int) -> bytes | None:
        return self._data[start - self._start : end - self._start]


class _Stream:
    """Forward over one streamed request; holds what was read from the last place on."""

    def __init__(self, start: int, pieces: Iterator[bytes]) -> None:
        self._start, self._pieces = start, pieces
        self._data = b""

    def read(self, start: int, end: int) -> bytes | None:
        if start < self._start:
            return None
        have = self._start + len(self._data)
        if have < end:
            self._data, self._start = self._data[start - self._start :], min(start, have)
            self._data += b"".join(self._pieces_over(start, end, have))
        return self._data[start - self._start : end - self._start]

    def _pieces_over(self, start: int, end: int, have: int) -> Iterator[bytes]:
        while have < end:
            piece = next(self._pieces)
            have += len(piece)
            if have > start:
                yield piece
            else:
                self._start = have
