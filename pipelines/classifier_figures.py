"""What a head's probabilities are worth on labelled pictures: figures for the terminal, for programs, for the page.

Left out on purpose: dates and durations, so that the same pictures and head give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.labelled_pictures import LeftOut, Seen
from transforms.class_scores import (
    Array,
    Curve,
    Whole,
    average_precision,
    calibration_error,
    confusion,
    log_loss,
    precision_recall,
    threshold_at,
)

FORMAT = "beamsift-evaluation-1"
COLUMNS = ("class", "pictures", "precision", "recall", "AP", "threshold", "recall there")


@dataclass(frozen=True)
class Judged:
    """Labelled pictures and what a head says of them. All are n long; probabilities are (n, classes)."""

    classes: tuple[str, ...]
    seen: Sequence[Seen]
    truth: Whole
    probabilities: Array
    before: Array
    """With a temperature of 1."""
    left_out: Sequence[LeftOut]
    bins: int
    weights: Array | None = None
    """What each picture counts in log loss and calibration; all the same where absent."""

    def curve(self, number: int) -> Curve:
        return precision_recall(self.probabilities[:, number], self.truth == number)


@dataclass(frozen=True)
class OfClass:
    name: str
    pictures: int
    precision: float | None
    """Of the guesses; None where nothing was guessed so."""
    recall: float | None
    average_precision: float
    threshold: float | None
    """The lowest probability whose takers reach the wanted precision; None where none does."""
    precision_there: float | None
    recall_there: float | None


@dataclass(frozen=True)
class Summary:
    pictures: int
    accuracy: float
    balanced_accuracy: float
    """Mean recall of the classes that are there."""
    log_loss: float
    calibration_error: float
    calibration_error_before: float
    wanted_precision: float
    classes: tuple[OfClass, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Row is the label, column the guess."""


def summarise(judged: Judged, precision: float) -> Summary:
    """The figures, shares to 4 decimals; thresholds are those that reach `precision`."""
    table = confusion(judged.truth, judged.probabilities.argmax(axis=1), len(judged.classes))
    classes = tuple(_of_class(judged, number, table, precision) for number in range(len(judged.classes)))
    held = table.sum(axis=1) > 0
    after, before = (
        calibration_error(found, judged.truth, judged.bins, judged.weights)
        for found in (judged.probabilities, judged.before)
    )
    return Summary(
        len(judged.truth),
        round(float(np.trace(table) / table.sum()), 4),
        round(float(np.mean(table.diagonal()[held] / table.sum(axis=1)[held])), 4),
        round(log_loss(judged.probabilities, judged.truth, judged.weights), 4),
        after,
        before,
        precision,
        classes,
        tuple(tuple(int(n) for n in row) for row in table),
    )


def as_json(summary: Summary, judged: Judged, about: dict[str, Any]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for one in judged.left_out:
        counts[one.error] = counts.get(one.error, 0) + 1
    plain = {name: value for name, value in vars(summary).items() if name != "classes"}
    classes = {one.name: {k: v for k, v in vars(one).items() if k != "name"} for one in summary.classes}
    return {"format": FORMAT, **about, **plain, "classes": classes, "left_out": dict(sorted(counts.items()))}


def format_table(summary: Summary) -> str:
    """One aligned line a class, and the figures of all."""
    rows = [COLUMNS, *(cells(one) for one in summary.classes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([*lines, "", tell(summary)])


def tell(summary: Summary) -> str:
    return (
        f"accuracy {summary.accuracy:.4f}, balanced {summary.balanced_accuracy:.4f}; calibration error "
        f"{summary.calibration_error:.4f} (uncalibrated {summary.calibration_error_before:.4f}); "
        f"{summary.pictures} pictures; thresholds are for precision {summary.wanted_precision:g}"
    )


def cells(one: OfClass) -> tuple[str, ...]:
    shares = (one.precision, one.recall, one.average_precision, one.threshold, one.recall_there)
    return (one.name, f"{one.pictures:,}", *("–" if value is None else f"{value:.4f}" for value in shares))


def _of_class(judged: Judged, number: int, table: Whole, precision: float) -> OfClass:
    curve, own = judged.curve(number), int(table[number, number])
    guessed, pictures = int(table[:, number].sum()), int(table[number].sum())
    reached = threshold_at(curve, precision)
    return OfClass(
        judged.classes[number],
        pictures,
        round(own / guessed, 4) if guessed else None,
        round(own / pictures, 4) if pictures else None,
        average_precision(curve),
        *(round(value, 4) for value in reached) if reached else (None, None, None),
    )
