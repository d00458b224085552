"""Scores a finished run against the world's truth: precision and recall of each rule and failure class.

    python -m tests.world.score OUT/ledger truth.jsonl

Exit code 1 where a heuristic rule is below 0.99, or the fact guard below 0.95 on what the stand-in captioner spoiled;
relevance is a model's judgement and is printed, not judged. Concept balance draws among what passed every rule: what it
turns away is no fault and counts as passed. Near copies are printed, not judged: besides those that are planted the
world draws many a screen of one template. Of what means the same there is no truth.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as parquet
from rich.console import Console
from rich.table import Column, Table

from tests.world.captioner import write

RELEVANCE = "clip_score_low"
DRAWS = {"concept_none", "concept_not_drawn"}
NEAR, MEANT = "image_near_duplicate", "image_semantic_duplicate"
PASSED = {*DRAWS, NEAR, MEANT}
"""Rules that turn sound pairs away: one of two like pictures, or one of many."""
REQUIRED = 0.99
GUARD = 0.95
"""Precision and recall of the fact guard over all spoiled texts: it reads words, and knows no world."""
COLUMNS = ["source", "source_key", "rule", "error", "detail", "clip_score", "caption", "recaption", "recaption_rule"]

Row = Mapping[str, Any]


class RuleScore(NamedTuple):
    """`precision` and `recall` are 1 where nothing was flagged or planted."""

    rule: str
    planted: int
    flagged: int
    true_positives: int
    precision: float
    recall: float


def score(ledger_rows: Iterable[Row], truth: Iterable[Row]) -> list[RuleScore]:
    """One row for each rule or failure class that was planted or flagged, in alphabetical order.

    Raises ValueError where ledger and truth do not hold the same samples.
    """
    found = {place_of(row): "" if (why := reason_of(row)) in PASSED else why for row in ledger_rows}
    planted = {(row["shard"], row["key"]): row["fault"] for row in truth}
    if found.keys() != planted.keys():
        odd = sorted(found.keys() ^ planted.keys())
        raise ValueError(f"expected ledger and truth of the same samples, found {len(odd)} in one only: {odd[:3]}")
    rules = sorted({*found.values(), *planted.values()} - {""})
    return [_score_rule(rule, found, planted) for rule in rules]


def reason_of(row: Row) -> str:
    return row.get("error") or row.get("rule") or ""


def place_of(row: Row) -> tuple[str, str]:
    return str(row["source"]).rsplit("/", 1)[-1], row["source_key"]


def _score_rule(rule: str, found: Mapping[Any, str], planted: Mapping[Any, str]) -> RuleScore:
    flagged = {place for place, value in found.items() if value == rule}
    wanted = {place for place, value in planted.items() if value == rule}
    hits = len(flagged & wanted)
    precision = hits / len(flagged) if flagged else 1.0
    return RuleScore(rule, len(wanted), len(flagged), hits, precision, hits / len(wanted) if wanted else 1.0)


def relevance_area(ledger_rows: Iterable[Row], truth: Iterable[Row]) -> float | None:
    """Area under the curve of clip_score, sound pairs against swapped captions; None where one side was not scored."""
    planted = {(row["shard"], row["key"]): row["fault"] for row in truth}
    scores: dict[str, list[float]] = {"": [], RELEVANCE: []}
    for row in ledger_rows:
        fault = planted[place_of(row)]
        if row.get("clip_score") is not None and fault in scores:
            scores[fault].append(row["clip_score"])
    if not all(scores.values()):
        return None
    return area_under_curve(np.array(scores[""]), np.array(scores[RELEVANCE]))


def score_near(ledger_rows: Iterable[Row], truth: Iterable[Row]) -> list[RuleScore]:
    """Of the near copies turned away, which are of the planted group of the one that stays; a planted copy is found
    where it or its original went so. Empty where the rule was off."""
    group = {row["key"]: row["group"] or row["key"] for row in truth}
    reasons = {row["source_key"]: (reason_of(row), row["detail"]) for row in ledger_rows}
    asked = {key for key, (why, _) in reasons.items() if why in {"", RELEVANCE, *PASSED}}
    planted = {row["group"] for row in truth if row["kind"] == "near" and {row["key"], row["group"]} <= asked}
    flagged = [(key, kept) for key, (why, kept) in reasons.items() if why == NEAR]
    right = [group[key] for key, kept in flagged if group[key] == group.get(kept)]
    if not flagged:
        return []
    recall = len(planted & {*right}) / (len(planted) or 1)
    return [RuleScore(NEAR, len(planted), len(flagged), len(right), len(right) / len(flagged), recall)]


def score_guard(ledger_rows: Iterable[Row]) -> list[RuleScore]:
    """The fact guard against what the stand-in captioner spoiled: recall of each kind, and of all texts turned away
    how many were spoiled. Empty where nothing was recaptioned."""
    rows = [(write(row["caption"]).spoil, row["recaption_rule"]) for row in ledger_rows if row["recaption"] is not None]
    hits = Counter(spoil for spoil, rule in rows if spoil and rule)
    planted = Counter(spoil for spoil, _ in rows if spoil)
    flagged = sum(rule is not None for _, rule in rows)
    kinds = [
        RuleScore(f"spoiled: {kind}", number, hits[kind], hits[kind], 1.0, hits[kind] / number)
        for kind, number in sorted(planted.items())
    ]
    if not rows:
        return []
    precision, recall = hits.total() / (flagged or 1), hits.total() / (planted.total() or 1)
    return [*kinds, RuleScore("spoiled: all", planted.total(), flagged, hits.total(), precision, recall)]


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive's score is above a negative's, a tie counting half."""
    ordered = np.sort(negative)
    below, upto = (np.searchsorted(ordered, positive, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(ordered))


def failures(rows: Iterable[RuleScore]) -> list[RuleScore]:
    """The heuristic rules that are not good enough."""
    return [row for row in rows if row.rule != RELEVANCE and min(row.precision, row.recall) < REQUIRED]


def print_table(rows: Iterable[RuleScore], area: float | None = None, meant: int = 0, drawn: int = 0) -> None:
    told = [] if area is None else [f"relevance: AUC of clip_score {area:.4f}"]
    told += [f"{meant} pairs mean the same as another"] if meant else []
    told += [f"{drawn} pairs that passed every rule were thinned out by concept balance"] if drawn else []
    table = Table(
        Column("rule", no_wrap=True, min_width=28),
        "planted",
        "flagged",
        "hits",
        "precision",
        "recall",
        caption="; ".join(told),
    )
    for row in rows:
        table.add_row(row.rule, *map(str, row[1:4]), f"{row.precision:.4f}", f"{row.recall:.4f}")
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ledger", type=Path)
    parser.add_argument("truth", type=Path)
    args = parser.parse_args()
    files = sorted(args.ledger.glob("*.parquet"))
    ledger = [row for file in files for row in parquet.read_table(file, columns=COLUMNS).to_pylist()]
    truth = [json.loads(line) for line in args.truth.read_text(encoding="utf-8").splitlines()]
    rows = score(ledger, truth)
    why = Counter(map(reason_of, ledger))
    print_table(rows, relevance_area(ledger, truth), why[MEANT], sum(why[rule] for rule in DRAWS))
    guard = score_guard(ledger)
    for table in (score_near(ledger, truth), guard):
        if table:
            print_table(table)
    return 1 if failures(rows) or any(min(row.precision, row.recall) < GUARD for row in guard[-1:]) else 0


if __name__ == "__main__":
    sys.exit(main())
