"""Errors of a run whose message is written for the user.

RunError
├── NotFinished       a command wants a finished run and finds none
└── TooManyFailures   more rows failed than the config allows; exit code 3
"""


class RunError(Exception):
    """Something outside the program stops the run; the message says what was expected and what was found."""


class NotFinished(RunError):
    pass


class TooManyFailures(RunError):
    pass
