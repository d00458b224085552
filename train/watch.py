"""Why the ranks of a job stand still: each gives signs of life, and all are told which one died, failed or hangs.

A collective that waits for a dead rank says at best "connection closed", on a GPU nothing. Here a thread of each rank
posts into the job's store how far its rank has come; the first rank's thread judges all, the others read its judgement
and watch the first one. A rank whose own work does not end in time after a judgement is ended.
Left out on purpose: starting ranks again (torchrun's --max-restarts; a run resumes by itself).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from train.errors import TrainError

LOST = 70
"""Exit code of a rank that was ended because another one failed."""
PATIENCE = 5.0
"""Seconds in which a rank may end by itself once all have been told why."""


class Sign(NamedTuple):
    """What a rank last said of itself."""

    beat: int
    moved: int
    phase: str
    host: str
    pid: int
    done: bool


class Limits(NamedTuple):
    lost: float
    stalled: float
    every: float = 1.0
    """Seconds between signs of life."""


class Watch:
    """Context manager around the work of a rank. `note` says what it is about to do."""

    def __init__(self, store: Any, rank: int, world: int, limits: Limits, say: Callable[[str], None]) -> None:
        self._store, self._rank, self._world, self._limits, self._say = store.clone(), rank, world, limits, say
        self._count, self._phase, self._done = 0, "start", False
        self._told: str | None = None
        self._stop = threading.Event()
        self._judge = Judge(limits, world)
        self._thread = threading.Thread(target=self._run, name="beamsift-watch", daemon=True)
        self._post(0)
        store.set(f"watch/here/{rank}", b"1")
        store.wait([f"watch/here/{other}" for other in range(world)])

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        told = None if error is None else self._reason(error)
        self._done = True
        self._stop.set()
        self._thread.join(self._limits.every * 5)
        if told is not None:
            raise TrainError(told) from error

    def note(self, phase: str) -> None:
        """`phase`: such as "step 17: backward"."""
        self._count, self._phase = self._count + 1, phase

    def _reason(self, error: BaseException) -> str | None:
        """Where `error` is what another rank's end looks like from here, what is said of that; else all are told."""
        if not is_connection(error) or self._world == 1:
            self._accuse(error)
            return None
        until = time.monotonic() + self._limits.lost + 3 * self._limits.every
        while self._told is None and time.monotonic() < until and self._thread.is_alive():
            time.sleep(self._limits.every / 4)
        if self._told is None:  # nobody else's fault, so it is ours: a collective that waited too long
            with suppress(RuntimeError):  # of a store whose host is gone, and nobody left to tell
                self._accuse(error)
        return self._told

    def _accuse(self, error: BaseException) -> None:
        """Tells all that this rank failed, unless another one's failure is known already, which would be the cause."""
        if self._told is None:
            self._tell(f"rank {self._rank} failed in {self._phase}: {type(error).__name__}: {error}")

    def _tell(self, verdict: str) -> None:
        told = self._store.compare_set("watch/verdict", "", verdict).decode()
        self._told = told or verdict

    def _run(self) -> None:
        beat = 0
        while not self._stop.wait(self._limits.every):
            beat += 1
            try:
                self._turn(beat)
            except Exception as error:  # whatever the store raises: its host is gone
                self._told = f"rank 0, or the launcher beside it, is gone: {type(error).__name__} of its store"
            if self._told is not None:
                self._end()
                return
        self._leave(beat)

    def _turn(self, beat: int) -> None:
        self._post(beat)
        if self._store.check(["watch/verdict"]):
            self._told = self._store.get("watch/verdict").decode()
            return
        watched = range(1, self._world) if self._rank == 0 else [0]
        signs = {rank: Sign(*json.loads(self._store.get(f"watch/{rank}"))) for rank in watched}
        signs[self._rank] = self._sign(beat)
        verdict = self._judge.judge(signs, time.monotonic())
        if verdict is not None:
            self._tell(verdict)

    def _leave(self, beat: int) -> None:
        try:
            self._post(beat + 1)
        except Exception:  # the store's host has left first, as it may: nobody is left to read this
            return

    def _end(self) -> None:
        """Ends this process, unless it ends by itself: it may wait in a collective for ever."""
        if not self._stop.wait(PATIENCE):
            self._say(f"ended: {self._told}")
            sys.stderr.flush()
            os._exit(LOST)

    def _sign(self, beat: int) -> Sign:
        return Sign(beat, self._count, self._phase, socket.gethostname(), os.getpid(), self._done)

    def _post(self, beat: int) -> None:
        self._store.set(f"watch/{self._rank}", json.dumps(self._sign(beat)))


class Judge:
    """Says which rank is at fault, from signs and the times they were seen at."""

    def __init__(self, limits: Limits, world: int) -> None:
        self._limits, self._world = limits, world
        self._beats: dict[int, tuple[int, float]] = {}
        self._moves: dict[int, tuple[int, float]] = {}

    def judge(self, signs: dict[int, Sign], now: float) -> str | None:
        for rank, sign in signs.items():
            if self._beats.get(rank, (None, 0.0))[0] != sign.beat or sign.done:
                self._beats[rank] = (sign.beat, now)
            if self._moves.get(rank, (None, 0.0))[0] != sign.moved or sign.done:
                self._moves[rank] = (sign.moved, now)
        return self._lost(signs, now) or self._stalled(signs, now)

    def _lost(self, signs: dict[int, Sign], now: float) -> str | None:
        for rank, sign in sorted(signs.items()):
            silent = now - self._beats[rank][1]
            if silent > self._limits.lost:
                return (
                    f"{_named(rank, sign)} died or lost its network in {sign.phase}: no sign of life for {silent:.0f} s"
                )
        return None

    def _stalled(self, signs: dict[int, Sign], now: float) -> str | None:
        """Only who sees all ranks can say which is behind; a process alone keeps nobody waiting."""
        if len(signs) < max(self._world, 2) or any(
            now - since <= self._limits.stalled for _, since in self._moves.values()
        ):
            return None
        behind = min(sign.moved for sign in signs.values())
        slow = [(rank, sign) for rank, sign in sorted(signs.items()) if sign.moved == behind]
        told = "; ".join(f"{_named(rank, sign)} in {sign.phase}" for rank, sign in slow[:4])
        waiting = f"; {len(signs) - len(slow)} others wait" if len(slow) < len(signs) else ""
        return f"no rank has moved for {self._limits.stalled:.0f} s: {told}{waiting}"


def is_connection(error: BaseException) -> bool:
    """Whether an error is only what another rank's end looks like from here; torch has RuntimeErrors for it.

    A store's "connection reset" is this rank's own fault.
    """
    if isinstance(error, OSError | ValueError):
        return False
    told = f"{type(error).__name__} {error}".lower()
    return any(word in told for word in ("connection", "distbackend", "distnetwork", "gloo", "nccl", "timed out"))


def _named(rank: int, sign: Sign) -> str:
    return f"rank {rank} ({sign.host}, process {sign.pid})"
