"""`beamsift workers` as a process of a test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO

from tests.pipelines.whole_runs import ROOT
from tests.waiting import free_port, listens, wait_until

END_SECONDS = 30


@contextmanager
def worker_pool(log: IO[bytes] | int = subprocess.DEVNULL, **environment: str) -> Iterator[str]:
    """`beamsift workers` on a free port; gives what --environment_config takes."""
    port = free_port()
    command = [sys.executable, "-m", "pipelines.cli", "workers", f"--port={port}"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
    try:
        wait_until(partial(listens, port), f"a pool of workers on port {port}", process=process)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(END_SECONDS)
