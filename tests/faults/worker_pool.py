"""`beamsift workers` as a process of a test's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.pipelines.whole_runs import ROOT

START_SECONDS = 60
END_SECONDS = 30


@contextmanager
def worker_pool(log: IO[bytes] | int = subprocess.DEVNULL, **environment: str) -> Iterator[str]:
    """`beamsift workers` on a free port; gives what --environment_config takes."""
    port = free_port()
    command = [sys.executable, "-m", "pipelines.cli", "workers", f"--port={port}"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
    try:
        _wait_for_port(port, process)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(END_SECONDS)


def _wait_for_port(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the pool of workers ended before the run"
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no pool of workers on port {port} after {START_SECONDS} s")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])
