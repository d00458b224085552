"""A command that kills itself: python -m tests.pipelines.killed_run MODULE:NAME CALL ARGUMENTS… ends by SIGKILL when
MODULE.NAME is called for the CALL-th time, else does what `beamsift ARGUMENTS…` does.

SIGKILL and not an exception: no `finally`, no `atexit`, no flush. One worker only: others are processes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from typing import Any


def kill_at(target: str, call: int) -> None:
    """Replaces the function or method `module:name` by one that ends the process at its `call`-th call."""
    replace_call(target, call, lambda: os.kill(os.getpid(), signal.SIGKILL))


def replace_call(target: str, call: int, action: Callable[[], None]) -> None:
    """Puts `action` before the `call`-th call of the function or method `module:name`."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    setattr(owner, name, _replaced(getattr(owner, name), call, action))


def _replaced(function: Callable[..., Any], call: int, action: Callable[[], None]) -> Callable[..., Any]:
    calls = count(1)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            action()
        return function(*args, **kwargs)

    return replaced


if __name__ == "__main__":
    from pipelines.cli import main

    kill_at(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
