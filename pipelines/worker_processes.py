"""Worker processes, forked from one that has loaded what all of them need.

Loading Beam takes a process 1.8 s of CPU time, torch with open_clip 5 s more (measured); a fork takes hundredths, and
shares the memory. Nothing that is loaded may be used before the fork: no model, no connection, no thread.
Left out on purpose: which workers there are and when one ends (pipelines/runners.py, pipelines/workers.py).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

BEAM = ("apache_beam.runners.worker.sdk_worker_main", "pipelines.makings")
MODELS = ("torch", "open_clip")
"""Of the extra `models`; where one is not installed it is not loaded."""

_FORKED = multiprocessing.get_context("forkserver")


def load_ahead(modules: Sequence[str]) -> None:
    """Starts the process that workers are forked from and returns at once. The first call of a process decides; what
    the maths libraries read from the environment must be there."""
    _FORKED.set_forkserver_preload([*modules])
    forkserver.ensure_running()


def start_worker(environment: Mapping[str, str], log: Path | None = None) -> BaseProcess:
    """Beam's worker program in a process of its own, with nothing but this environment; what it prints is added to
    the log. Not for several threads at a time."""
    worker = _FORKED.Process(target=_work, args=(dict(environment), os.getcwd(), log), daemon=True)
    worker.start()
    return worker


def end_worker(worker: BaseProcess, seconds: float) -> None:
    """Asks it to end, and kills it where it has not after so long."""
    worker.terminate()
    worker.join(seconds)
    worker.kill()
    worker.join()


def _work(environment: dict[str, str], folder: str, log: Path | None) -> None:
    from apache_beam.runners.worker import sdk_worker_main

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if log is not None:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    sdk_worker_main.main([])
