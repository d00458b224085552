"""Workers that read and transform chunks of samples ahead of the training loop, whose order they never change.

A chunk's future waits in a queue of bounded length; the oldest is taken first. Threads share the files and indexes of
the process and suit decoders that leave Python's lock (libjpeg, zlib, numpy); processes suit transforms in Python, at
the price of copying what they give. A worker process that dies ends the iteration with an error.
Left out on purpose: what is read (train/data/reader.py) and what happens to corrupt samples (train/data/corrupt.py).
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Literal

from train.data.corrupt import is_samples_fault
from train.data.errors import DataError
from train.data.reader import Address, Corrupt, Reader, corrupt_of
from train.data.records import RawSample

Transform = Callable[[RawSample], Any]
"""What a sample becomes; None leaves it out. Raises CorruptSample or another of corrupt.FAULTS for a sample's fault."""
Outcome = Any
"""(draw, source, what the transform gave), or Corrupt."""


@dataclass(frozen=True)
class Workers:
    count: int = 0
    """0 does the work in the calling thread."""
    kind: Literal["thread", "process"] = "thread"
    chunk: int = 8
    """Samples a task."""
    ahead: int = 64
    """Samples transformed or under way at most, beyond those handed out."""

    @property
    def tasks(self) -> int:
        return max(self.count, self.ahead // self.chunk, 1)


class Decoder:
    """Context manager. `outcomes` gives one outcome an address, in order."""

    def __init__(self, reader: Reader, transform: Transform, workers: Workers) -> None:
        self._work = _Work(reader, transform)
        self._workers = workers
        self._pool: Executor | None = None
        self._processes: MutableMapping[int, Any] = {}

    def outcomes(self, chunks: Iterable[Sequence[Address]]) -> Iterator[Outcome]:
        if not self._workers.count:
            for chunk in chunks:
                yield from self._work.outcomes(chunk)
            return
        waiting: deque[Future[Any]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self._submit(chunk))
                if len(waiting) >= self._workers.tasks:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            self._kill()
            raise DataError("expected decoding workers to live, found that one was killed (out of memory?)") from error
        finally:
            for future in waiting:
                future.cancel()

    def _submit(self, chunk: Sequence[Address]) -> Future[Any]:
        if self._workers.kind == "thread":
            self._pool = self._pool or ThreadPoolExecutor(self._workers.count, "beamsift-decoding")
            return self._pool.submit(self._work, chunk)
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
            self._pool = ProcessPoolExecutor(self._workers.count, context, _begin, (pickle.dumps(self._work),))
            self._processes = self._pool._processes
        return self._pool.submit(_work_on, chunk)

    def _kill(self) -> None:
        """What is left of a pool that lost a worker: it would terminate them, which they ignore, and wait."""
        for worker in self._processes.values():
            worker.kill()

    def close(self) -> None:
        if self._pool is not None:
            if getattr(self._pool, "_broken", False):
                self._kill()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


class _Work:
    """What a worker does with a chunk."""

    def __init__(self, reader: Reader, transform: Transform) -> None:
        self._reader, self._transform = reader, transform

    def __call__(self, chunk: Sequence[Address]) -> list[Outcome]:
        return list(self.outcomes(chunk))

    def outcomes(self, chunk: Sequence[Address]) -> Iterator[Outcome]:
        for address, sample in zip(chunk, self._reader.read(chunk), strict=True):
            yield sample if isinstance(sample, Corrupt) else self._transformed(address, sample)

    def _transformed(self, address: Address, sample: RawSample) -> Outcome:
        try:
            return address.draw, sample.source, self._transform(sample)
        except Exception as error:
            if not is_samples_fault(error):
                raise
            return corrupt_of(sample, address.draw, error)


_process_work: _Work | None = None


def _begin(work: bytes) -> None:
    global _process_work
    # A Ctrl-C and a scheduler's SIGTERM go to all processes of a job; the training, which saves first, needs its data.
    for sent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sent, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _process_work = pickle.loads(work)


def _end_with_parent() -> None:
    """A rank that is killed ends no pool, and its workers would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work_on(chunk: Sequence[Address]) -> list[Outcome]:
    assert _process_work is not None
    return _process_work(chunk)
