"""Progress on stderr: a thread of the submitting process that looks at which sidecars have appeared.

It asks the file system and not the runner, so it works the same on every engine and after a resume.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Self, TextIO

from transforms.sidecars import read_totals
from transforms.storage import FileStat, join, scheme_of, storage_for

SECONDS = 1.0
"""Between two looks."""
REMOTE_SECONDS = 10.0
"""Between two looks at an output that is not local: each lists the folders of the stages under way."""
QUIET_SECONDS = 10.0
"""Between two lines where stderr is no terminal."""


class Progress:
    """Context manager. `stages` maps each stage's sidecar folder to the number of units it will have."""

    def __init__(self, output: str, stages: dict[str, int], stream: TextIO | None = None) -> None:
        self._output, self._stages, self._stream = output, stages, stream or sys.stderr
        self._seen: dict[str, dict[str, tuple[float, int, int]]] = {stage: {} for stage in stages}
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._watch, daemon=True)
        self._started = time.time()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._stream.isatty():
            self._stream.write("\r\x1b[K")

    def _watch(self) -> None:
        tty, last = self._stream.isatty(), 0.0
        local = scheme_of(self._output) in ("", "file")
        while not self._stop.wait(SECONDS if local else REMOTE_SECONDS):
            line = self.line()
            if tty:
                self._stream.write(f"\r\x1b[K{line}")
            elif time.time() - last > QUIET_SECONDS:
                self._stream.write(line + "\n")
                last = time.time()
            self._stream.flush()

    def line(self) -> str:
        """`scan 12/40 shards · 6,100 samples · 812/s · kept so far 3,204 · 0:31 left`, of the stage that is running."""
        for stage, total in self._stages.items():
            if len(self._seen[stage]) < total:
                self._look(stage)
        stage = next((s for s, total in self._stages.items() if len(self._seen[s]) < total), "shards")
        if stage == "shards":
            return f"writing shards · kept {self._kept():,}"
        return self._stage_line(stage)

    def _stage_line(self, stage: str) -> str:
        done, total = self._seen[stage], self._stages[stage]
        fresh = [entry for entry in done.values() if entry[0] >= self._started]
        rows = sum(entry[1] for entry in done.values())
        line = f"{stage} {len(done)}/{total} shards · {rows:,} samples"
        if fresh:
            begun = (
                min([self._started, *(e[0] for e in fresh)])
                if stage == next(iter(self._stages))
                else min(e[0] for e in fresh)
            )
            seconds = max(time.time() - begun, SECONDS)
            line += f" · {sum(e[1] for e in fresh) / seconds:,.0f}/s"
            left = (total - len(done)) * seconds / len(fresh)
            line += f" · {int(left // 60)}:{int(left % 60):02d} left"
        return line + (f" · kept so far {self._kept():,}" if self._seen.get("kept") else "")

    def _kept(self) -> int:
        return sum(entry[2] for entry in self._seen.get("kept", {}).values())

    def _look(self, stage: str) -> None:
        storage = storage_for(self._output)
        for file in storage.list(join(self._output, "work", stage)):
            if file.uri not in self._seen[stage]:
                self._seen[stage][file.uri] = self._read(file)

    def _read(self, file: FileStat) -> tuple[float, int, int]:
        totals = read_totals(storage_for(file.uri), file.uri) or {}
        tally = totals.get("tally", {})
        return file.modified, int(tally.get("read", totals.get("rows", 0))), int(tally.get("kept", 0))
