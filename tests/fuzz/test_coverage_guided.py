"""Each target under atheris for a few seconds, in a process of its own: a crash fails with the input that made it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

pytest.importorskip("atheris")
ROOT = Path(__file__).parents[2]
SECONDS = 3
# A process starts with the peak memory of the one that started it, here of all earlier tests; libFuzzer goes by it.
APART = ("sh", "-c", '"$@"; exit $?', "sh")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_promise(target: str, tmp_path: Path) -> None:
    command = [*APART, sys.executable, "-m", "tests.fuzz", target, f"--seconds={SECONDS}", f"--corpus={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert "number_of_executed_units" in done.stderr
