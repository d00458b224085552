"""The error of a training run whose message is written for the user: what was expected and what was found."""

from __future__ import annotations


class TrainError(RuntimeError):
    """The run cannot begin or go on; `python -m train` prints the message and ends with code 2."""
