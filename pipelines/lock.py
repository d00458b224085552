"""One run at a time on one output: a lock in the output itself, so that it holds across machines and stores.

A lock is a small file with a number; whoever writes the next number first has it, which every storage can do
atomically (`Storage.claim`). Its owner renews it; one that is not renewed any more, or whose process is gone from this
machine, is taken over. Two runs on one output would write the same bytes twice: the lock saves work, and a data set
whose recipe changed half-way; no byte depends on it.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from pipelines.errors import OutputBusy
from transforms.storage import join, storage_for

BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""Without a sign of life for so long, a run on another machine is taken for dead. More than clocks differ."""


class Owner(msgspec.Struct):
    machine: str
    """Of the running kernel and its process ids: two containers on one host differ."""
    host: str
    pid: int
    started: str
    """When the process started, in the kernel's ticks: a later process may get the same id."""
    token: str
    beat: float
    """Seconds since the epoch of the last sign of life."""


class OutputLock:
    """Context manager. Raises OutputBusy on entry where another run has the output, and from `check` once it has."""

    def __init__(self, output: str, now: Callable[[], float] = time.time) -> None:
        self._folder, self._storage, self._now = join(output, "work", "lock"), storage_for(output), now
        self._output, self._stop = output, threading.Event()
        self._owner = this_process(now())
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        standing = self._latest()
        if standing is not None and not self._abandoned(standing[1]):
            raise OutputBusy(self._describe(standing[1]))
        self._number = standing[0] + 1 if standing else 1
        if not self._storage.claim(self._uri(self._number), msgspec.json.encode(self._owner)):
            raise OutputBusy(f"{self._output}: expected no other run, found one that started at the same moment")
        # One that looked long ago, or in the moment of a takeover, may hold another number: the highest has the output.
        latest = self._latest()
        if latest is not None and latest[1].token != self._owner.token:
            self._storage.delete(self._uri(self._number))
            raise OutputBusy(self._describe(latest[1]))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(OSError):  # the store that ended the run; the next one takes the lock over, as of a killed run
            for number in self._numbers():
                if number <= self._number:
                    self._storage.delete(self._uri(number))

    def check(self) -> None:
        """Raises OutputBusy where another run took the output over, which only happens to one that stood still."""
        standing = self._latest()
        if standing is None or standing[1].token != self._owner.token:
            gone = f"{self._output}: expected the lock of this run, found none"
            raise OutputBusy(self._describe(standing[1]) if standing else gone)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            self._owner.beat = self._now()
            try:
                self._storage.write(self._uri(self._number), msgspec.json.encode(self._owner))
            except OSError:
                continue  # the next beat may come through; `check` has the last word

    def _latest(self) -> tuple[int, Owner] | None:
        while numbers := self._numbers():
            try:
                with self._storage.open(self._uri(numbers[-1])) as file:
                    return numbers[-1], msgspec.json.decode(file.read(), type=Owner)
            except FileNotFoundError:
                continue  # its run ended since the listing
        return None

    def _numbers(self) -> list[int]:
        """Of all locks there are, dead ones too: a takeover leaves the old one, so that no listing finds neither."""
        files = self._storage.list(self._folder)
        return sorted(int(file.uri.rpartition("/")[2].removesuffix(".json")) for file in files)

    def _abandoned(self, owner: Owner) -> bool:
        if owner.machine == self._owner.machine:
            return started_at(owner.pid) != owner.started
        return self._now() - owner.beat > STALE_SECONDS

    def _describe(self, owner: Owner) -> str:
        age = max(0, round(self._now() - owner.beat))
        then = "" if owner.machine == self._owner.machine else f", or start again {STALE_SECONDS:.0f} s after its end"
        return (
            f"{self._output}: expected no other run, found one of process {owner.pid} on {owner.host}, "
            f"last seen {age} s ago; wait for it or stop it{then}"
        )

    def _uri(self, number: int) -> str:
        return join(self._folder, f"{number:06d}.json")


def this_process(now: float) -> Owner:
    return Owner(machine_id(), os.uname().nodename, os.getpid(), started_at(os.getpid()), uuid.uuid4().hex, now)


def machine_id() -> str:
    """Kernel and process namespace, where there is a /proc; else the network card's number."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        return f"{boot.read_text().strip()}:{namespace.stat().st_ino}"
    return f"{uuid.getnode():x}"


def started_at(pid: int) -> str:
    """When the process of this machine started; empty where there is none. Without /proc only whether there is one."""
    if Path("/proc/self/stat").exists():
        try:
            # The second field is the program's name in brackets and may hold anything; start time is the 22nd.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if fields[0] == "Z" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
