"""The decide stages over synthetic rows, from a million to ten: CPU a row, the largest process, bytes shuffled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.pipelines.decide_at_scale import ROWS_PER_UNIT

UNITS = (312, 625, 1_250, 2_500)


def bench(folder: Path) -> list[tuple[str, str]]:
    found = []
    for units in UNITS:
        rows = units * ROWS_PER_UNIT
        command = [sys.executable, "-m", "tests.pipelines.decide_at_scale", str(units), str(folder / "decide")]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        stages = ", ".join(f"{name} {1e6 * cpu / rows:.2f}" for name, cpu in told["seconds"].items())
        each = 1e6 * sum(told["seconds"].values()) / rows
        text = f"{each:.1f} µs of CPU a row ({stages}); {told['peak'] / 1e6:.0f} MB a process; "
        found.append((f"g. decide stages, {rows:,} rows", text + f"{told['shuffled'] / rows:.0f} B shuffled a row"))
    return found
