"""Workers that die: one worker process of a runner ends by SIGKILL at a chosen call, once.

The order is a file that holds MODULE:NAME CALL; the worker that carries it out removes it first, so that no other one
dies of it, also where the runner starts new workers in between.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.pipelines.killed_run import replace_call

SITE = Path(__file__).parent / "site"
ROOT = Path(__file__).resolve().parents[2]


def environment(order: Path) -> dict[str, str]:
    """What a runner's workers must inherit."""
    return {"BEAMSIFT_TEST_DEATH": str(order), "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)])}


def give_order(order: Path, target: str, call: int) -> None:
    order.write_text(f"{target} {call}")


def arm() -> None:
    """Of the process: it dies at the ordered call, if there is an order now."""
    order = os.environ["BEAMSIFT_TEST_DEATH"]
    with suppress(FileNotFoundError):
        target, call = Path(order).read_text().split()
        replace_call(target, int(call), lambda: _die(order))


def _die(order: str) -> None:
    try:
        os.unlink(order)
    except FileNotFoundError:
        return  # another worker was faster
    os.kill(os.getpid(), signal.SIGKILL)
