"""Errors of a run whose message is written for the user.

RunError
├── NotFinished       a command wants a finished run and finds none
├── LedgerBroken      a ledger that is not there or not a ledger
├── NotReproduced     old rows under the old config come out otherwise than the ledger says
├── OutputBusy        another run works on the same output
├── Stopped           an error inside a worker stopped the pipeline
└── TooManyFailures   more rows failed than the config allows; exit code 3
"""

from __future__ import annotations

import re

from classifiers.errors import ModelError
from transforms.vocabulary import VocabularyError


class RunError(Exception):
    """Something outside the program stops the run; the message says what was expected and what was found."""


class NotFinished(RunError):
    pass


class LedgerBroken(RunError):
    """A ledger that is not there or not a ledger; the message names the file."""


class NotReproduced(RunError):
    """Old rows under the old config come out otherwise than the ledger says; then no other answer is worth anything."""


class OutputBusy(RunError):
    pass


class Stopped(RunError):
    pass


class TooManyFailures(RunError):
    pass


# The last line of a traceback that a runner hands over as text, for the errors that are the user's to mend.
_TOLD = "ModelError|VocabularyError|CaptionerDown|StoreUnavailable|OSError|PermissionError|FileNotFoundError"
_FROM_WORKER = re.compile(
    rf"^(?:.*Caused by: )?(?:[\w.]+\.)?({_TOLD}): (.*?)(?: \[while running '.*'\])?$", re.MULTILINE
)
_WHERE = re.compile(r" \[while running '[^']*'\]$")
_LOST = {
    "a worker process ended, killed or out of memory": (
        "Channel closed prematurely",  # the in-process runner, and the next
        "Worker subprocess exited",
        "CANCELLED: client cancelled",  # Flink, as all that follow
    ),
    "a task manager of Flink was lost": (
        "is no longer reachable",
        "RecipientUnreachableException",
        "remote task manager",
    ),
    "Flink has fewer free slots than --parallelism asks for": ("NoResourceAvailableException",),
}
"""What was lost, by the words of a runner's message."""


def explain_stop(error: BaseException) -> Stopped | None:
    """What to tell the user of an error that ended a pipeline; None for a bug, whose traceback must be seen.

    The in-process runner raises the worker's own exception; with more workers it is a RuntimeError of traceback text.
    """
    if isinstance(error, (OSError, ModelError, VocabularyError)):
        return Stopped(f"{type(error).__name__}: {_WHERE.sub('', str(error))}; the same command resumes")
    if not isinstance(error, RuntimeError):
        return None
    for loss, words in _LOST.items():
        if any(word in str(error) for word in words):
            return Stopped(f"{loss}; the same command resumes")
    found = _FROM_WORKER.findall(str(error))
    return Stopped(f"{found[-1][0]}: {found[-1][1]}; the same command resumes") if found else None


def was_interrupted(error: BaseException) -> bool:
    """Whether this is the user's Ctrl-C, which Beam turns into a RuntimeError while code of ours runs."""
    return isinstance(error, RuntimeError) and str(error).startswith("KeyboardInterrupt")
