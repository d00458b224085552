"""What the model has written for the pictures of a sample page so far: the first evaluation and the last ones.

Left out on purpose: the evaluations between, so that neither file nor page grows with a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

LAST = 5
"""Evaluations kept beside the first."""


class Shown(msgspec.Struct, frozen=True):
    source: str
    key: str
    caption: str


class Written(msgspec.Struct, frozen=True):
    text: str
    loss: float
    """Of the caption, in nats a token."""
    ended: bool
    """Whether the model ended the text itself."""


class Evaluation(msgspec.Struct, frozen=True):
    step: int
    written: dict[int, Written]
    """By the picture's number; of one that could not be read, none."""


class History(msgspec.Struct, frozen=True):
    shown: list[Shown]
    evaluations: list[Evaluation]
    """By step."""


def read_history(path: Path, shown: Sequence[Shown], say: Callable[[str], None]) -> History:
    """What samples.json holds of these pictures; nothing where they are others, or where there is none."""
    fresh = History(list(shown), [])
    try:
        found = msgspec.json.decode(path.read_bytes(), type=History)
    except FileNotFoundError:
        return fresh
    except (OSError, ValueError) as error:
        say(f"samples: expected to read {path}, found {error}; the page begins anew")
        return fresh
    return found if found.shown == fresh.shown else fresh


def with_evaluation(history: History, evaluation: Evaluation) -> History:
    """In place of those of the same and later steps, which a run that goes on from a checkpoint makes again."""
    before = [one for one in history.evaluations if one.step < evaluation.step]
    return History(history.shown, [*before[:1], *before[1:][-LAST + 1 :], evaluation])
