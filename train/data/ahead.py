"""Packs made ahead of the training loop in a thread, each with the state that goes on behind it.

The state of the pack that was given last is the state of the job: what the thread has made since is made again after a
resume. How long the loop waited is counted, for its metrics.
Left out on purpose: putting packs on a device (train/loop.py).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, Self, TypeVar

from train.data.packed import PackLoader
from train.data.records import TokenSample

Built = TypeVar("Built")
POLL_SECONDS = 0.1
"""Between two looks of a thread with a full queue at whether it is still wanted."""


class _Ready(NamedTuple):
    pack: Any
    state: dict[str, Any]


class _Ended(NamedTuple):
    error: BaseException | None


class PacksAhead(Generic[Built]):
    """Iterable and context manager; at most `depth` packs wait. An error in the thread is raised where its pack would
    have come, so that no rank waits for one that never does."""

    def __init__(self, packs: PackLoader, build: Callable[[list[TokenSample]], Built], depth: int = 2) -> None:
        self._packs, self._build = packs, build
        self._queue: queue.Queue[_Ready | _Ended] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._state = packs.state_dict()
        self.waited = 0.0
        """Seconds that the consumer has waited for packs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Built]:
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="beamsift-packs", daemon=True)
            self._thread.start()
        while True:
            started = time.perf_counter()
            found = self._queue.get()
            self.waited += time.perf_counter() - started
            if isinstance(found, _Ended):
                self._queue.put(found)  # for whoever asks again
                if found.error is not None:
                    raise found.error
                return
            self._state = found.state
            yield found.pack

    def state_dict(self) -> dict[str, Any]:
        """Of this rank, behind the pack given last; as PackLoader's."""
        return self._state

    def close(self) -> None:
        """Ends the thread and the loader's workers."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._packs.loader.close()

    def _make(self) -> None:
        error: BaseException | None = None
        try:
            for documents in self._packs:
                self._put(_Ready(self._build(documents), self._packs.state_dict()))
                if self._stop.is_set():
                    return
        except BaseException as raised:
            error = raised
        self._put(_Ended(error))

    def _put(self, item: _Ready | _Ended) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=POLL_SECONDS)
                return
            except queue.Full:
                continue
