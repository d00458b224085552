"""Waiting for what a test started: a condition, or a server in a process of its own; and ports for them."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    happened: Callable[[], bool], expected: str, seconds: float = 60, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Returns once `happened`. Raises TimeoutError, or RuntimeError where `process` ended before."""
    until = time.monotonic() + seconds
    while not happened():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"expected {expected}, its process ended with code {process.returncode}")
        if time.monotonic() > until:
            raise TimeoutError(f"expected {expected} within {seconds} s")
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("localhost", port)) == 0
