"""Commands in processes of their own that start at once: forked from one that has loaded what a command imports.

As `python -m MODULE ARGUMENTS…` in all else: its own environment, output, exit code, signals and exit handlers.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from pipelines.worker_processes import BEAM, MODELS, load_ahead, settle_in


def run_forked(module: str, arguments: list[str], folder: Path, seconds: float) -> subprocess.CompletedProcess:
    """Raises subprocess.TimeoutExpired, and kills it, where it takes longer."""
    load_ahead((*BEAM, *MODELS))
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        streams = {n: f"/proc/{os.getpid()}/fd/{file.fileno()}" for n, file in enumerate((stdout, stderr), 1)}
        process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(module, arguments, str(folder), dict(os.environ), streams)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module, *arguments], seconds, _read(stdout), _read(stderr))
        return subprocess.CompletedProcess([module, *arguments], process.exitcode, _read(stdout), _read(stderr))


def _run(module: str, arguments: list[str], folder: str, environment: dict[str, str], streams: dict[int, str]) -> None:
    settle_in(environment, folder, streams)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends its processes without them


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
