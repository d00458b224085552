"""Decoding a suspicious picture in a child process with a limit on memory and time.

One child serves a process, all its threads in turn; it starts with the first suspicious picture and stays. A picture is
only refused by a child that has served no other: what fails in a used one is asked again of a new one, so that the
verdict does not depend on what came before. Only the time limits depend on the machine.
Left out on purpose: which pictures are suspicious (transforms/picture_suspicion.py), operating systems without fork.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from transforms.guarded_protocol import ANSWER, MEMORY, PIXELS, READY, REFUSED, REQUEST
from transforms.picture_decoding import Pixels
from transforms.picture_headers import PictureError

WALL_FACTOR = 4
"""Wall seconds allowed for each CPU second: what stops a child that waits, and no child on a busy machine."""
MAX_SERVED = 256
"""Pictures after which a child is replaced, whatever its decoders have leaked."""
START_SECONDS = 120
"""A child starts in a quarter second; a program that cannot start it must not hang."""
_CHILD = "transforms.decoding_child"
_ROOT = Path(__file__).resolve().parent.parent


class DecodeLimits(NamedTuple):
    """Of one picture: CPU `seconds`, and `bytes` of the child's address space (0.2 GB of it are its libraries)."""

    seconds: int
    bytes: int


class _Lost(Exception):
    """The child ended, or cannot go on, without an answer."""

    def __init__(self, error: str, found: str) -> None:
        super().__init__(found)
        self.error = error


def decode_guarded(data: bytes | memoryview, max_pixels: int, limits: DecodeLimits) -> Pixels:
    """As `transforms.pictures.decode`, in the child. Raises PictureError, and RuntimeError where no child starts."""
    return _guard.decode(data, max_pixels, limits)


class _Guard:
    """The child of this process, and the lock that threads queue at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._served = 0

    def decode(self, data: bytes | memoryview, max_pixels: int, limits: DecodeLimits) -> Pixels:
        request = REQUEST.pack(max_pixels, limits.seconds, limits.bytes, len(data))
        with self._lock:
            if self._served >= MAX_SERVED:
                self.stop()
            while True:
                child, fresh = self._start(), not self._served
                self._served += 1
                try:
                    return _ask(child, request, data, limits)
                except PictureError:
                    raise
                except _Lost as lost:
                    self.stop()
                    if fresh:
                        raise PictureError(lost.error, str(lost)) from lost
                except BaseException:  # an interrupt between question and answer: the next would read this answer
                    self.stop()
                    raise

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            _close(self._child)
            self._child.wait()
        self._child, self._served = None, 0

    def forget(self) -> None:
        """In a forked process: the child and its pipes belong to the parent."""
        if self._child is not None:
            _close(self._child)
            self._child.returncode = 0  # not ours to wait for
        self._lock, self._child, self._served = threading.Lock(), None, 0

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            # One thread of BLAS: its buffers count as address space and no decoder uses them.
            self._child = subprocess.Popen(
                [sys.executable, "-m", _CHILD],
                cwd=_ROOT,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            with _Alarm(self._child, START_SECONDS):
                ready = self._child.stdout.read(1) if self._child.stdout else b""
            if ready != READY:
                self.stop()
                raise RuntimeError(f"{sys.executable} -m {_CHILD}: expected it to start, found it ended")
        return self._child


class _Alarm:
    """Kills a child whose time is over, so that reading from it ends."""

    def __init__(self, child: subprocess.Popen[bytes], seconds: float) -> None:
        self.rang = False
        self._child = child
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True

    def __enter__(self) -> _Alarm:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _ring(self) -> None:
        self.rang = True
        self._child.kill()


def _ask(child: subprocess.Popen[bytes], request: bytes, data: bytes | memoryview, limits: DecodeLimits) -> Pixels:
    with _Alarm(child, limits.seconds * WALL_FACTOR) as alarm:
        try:
            return _exchange(child, request, data, limits)
        except (EOFError, BrokenPipeError):
            ended = child.wait()
    if alarm.rang or ended == -signal.SIGXCPU:
        found = f"expected a picture decoded in {limits.seconds} s of CPU, found it still at work"
        raise _Lost("PictureTimeout", found)
    cause = signal.Signals(-ended).name if ended < 0 else f"exit code {ended}"
    raise _Lost("PictureCrashed", f"expected a picture, found that its decoder ended by {cause}")


def _exchange(child: subprocess.Popen[bytes], request: bytes, data: bytes | memoryview, limits: DecodeLimits) -> Pixels:
    assert child.stdin is not None
    child.stdin.write(request)
    child.stdin.write(data)
    child.stdin.flush()
    kind, *numbers = ANSWER.unpack(_read(child, ANSWER.size).data)
    if kind == PIXELS:
        return _read(child, numbers[0] * numbers[1] * numbers[2]).reshape(numbers)
    if kind == REFUSED:
        error, _, message = _read(child, numbers[0]).tobytes().decode().partition("\n")
        raise PictureError(error, message)
    assert kind == MEMORY
    raise _Lost("PictureMemory", f"expected a picture decoded in {limits.bytes} bytes of memory, found it to need more")


def _read(child: subprocess.Popen[bytes], size: int) -> Pixels:
    """Exactly `size` bytes; EOFError where the child ends before them."""
    found = np.empty(size, np.uint8)
    answers, place = cast(BufferedReader, child.stdout), 0
    while place < size:
        count = answers.readinto(found.data[place:])
        if not count:
            raise EOFError
        place += count
    return found


def _close(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        try:
            if pipe is not None:
                pipe.close()
        except BrokenPipeError:
            pass  # what was still to be flushed has no reader any more


_guard = _Guard()
atexit.register(_guard.stop)
os.register_at_fork(after_in_child=_guard.forget)
