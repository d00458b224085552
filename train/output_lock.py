"""One training at a time into one output: a lock that the system takes back when its holder dies.

Left out on purpose: file systems that keep no locks between machines; there only runs of one machine see each other.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train.errors import TrainError

NAME = ".lock"


@contextmanager
def hold(output: Path) -> Iterator[None]:
    """Raises TrainError, which names the holder, where another run writes to the folder."""
    output.mkdir(parents=True, exist_ok=True)
    with open(output / NAME, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "an unknown process"
            raise TrainError(f"{output}: expected no other run to write there, found {holder}") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
