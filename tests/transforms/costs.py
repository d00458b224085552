"""What a call costs at its peak: how tests hold a bomb to its bounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Costs:
    seconds: float = 0.0
    megabytes: int = 0
    """Resident memory at the peak above what was resident before; 0 where the system does not tell."""


@contextmanager
def measured() -> Iterator[Costs]:
    costs, start = Costs(), time.monotonic()
    before = _peak(reset=True)
    yield costs
    costs.seconds = time.monotonic() - start
    costs.megabytes = (_peak() - before) // 1024


def _peak(reset: bool = False) -> int:
    """Kilobytes at the highest since the last reset (proc(5): 5 resets VmHWM)."""
    try:
        if reset:
            RESET.write_text("5")
        return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0
