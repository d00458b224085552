"""Whole commands, measured from outside: wall and CPU seconds, and the peak memory of the whole process tree."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

SAMPLE_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Measured:
    wall: float
    cpu: float
    """User and system seconds of the command and of every process below it."""
    peak: int
    """Largest sum of proportional set sizes seen, in bytes: pages that processes share count once."""


def measure_command(arguments: Sequence[str]) -> Measured:
    """Runs `python` with `arguments`; raises RuntimeError with what it printed where it fails."""
    _adopt_orphans()
    known, before, started = psutil.Process().children(), _children_cpu(), time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peak = _Peak(process.pid)
    output, _ = process.communicate()
    wall = time.perf_counter() - started
    for orphan in set(psutil.Process().children()) - set(known):
        os.waitpid(orphan.pid, 0)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}: {output.decode(errors='replace')[-3000:]}")
    return Measured(wall, _children_cpu() - before, peak.stop())


def _adopt_orphans() -> None:
    """What a command leaves at its end becomes our child: it ends soon after, and its seconds count."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Peak:
    def __init__(self, pid: int) -> None:
        self._process, self._peak = psutil.Process(pid), 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, self._tree())

    def _tree(self) -> int:
        total = 0
        try:
            for process in [self._process, *self._process.children(recursive=True)]:
                total += process.memory_full_info().pss
        except psutil.Error:  # a process of the tree ended between the two calls
            return 0
        return total
