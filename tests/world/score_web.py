"""Scores a finished web run against the toy web's truth: precision and recall of each rule, and what the heads know.

    python -m tests.world.score_web OUT truth.jsonl

Exit code 1 where a rule that was planted, or a class of knowledge, is below 0.98, or another rule fired at all. An item
may have several faults: it is right under any of them, and missed by a rule only where none of its faults was found.
The passage score is a model's judgement of captions that the world's CLIP knows in part: it is printed, not judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.ledger import samples_by_unit
from tests.world.score import RuleScore, area_under_curve, print_table
from transforms.knowledge import ORDER, WEIGHT
from transforms.picture_classes import KNOWLEDGE
from transforms.records import Picture, Sample, pictures

REQUIRED = 0.98
TAUGHT = {"chart": "academic_chart", "map": "map", "illustration": "scientific_illustration"}
"""Kinds of pictures whose class of knowledge is not `other`."""
PLAIN = {"view", "shared"}

Judged = tuple[str, frozenset[str]]
"""What an item went by, empty where it stayed, and its true faults."""


def picture_pairs(
    rows: Mapping[str, Sample], truth: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[Picture, str, Judged]]:
    """Each true picture as the run left it, its kind, and its judgement."""
    for page in truth:
        found = {picture.url: picture for picture in pictures(rows[page["url"]])}
        for told in page["pictures"]:
            picture, faults = found[told["url"]], frozenset(told["faults"])
            yield picture, told["kind"], (_rule_of(picture, faults), faults)


def _rule_of(picture: Picture, faults: frozenset[str]) -> str:
    """A block that the page's reader takes for an advert went before any rule on its picture was asked."""
    drop = picture.drop
    if drop and drop.rule == "picture_outside_content" and drop.detail == "advert" and "picture_advert" in faults:
        return "picture_advert"
    return drop.rule if drop else ""


def score(judged: Sequence[Judged]) -> list[RuleScore]:
    """One row for each rule that was planted or flagged, in alphabetical order."""
    rules = sorted({found for found, _ in judged} | {fault for _, faults in judged for fault in faults})
    return [_score_rule(rule, judged) for rule in rules if rule]


def _score_rule(rule: str, judged: Sequence[Judged]) -> RuleScore:
    flagged = [faults for found, faults in judged if found == rule]
    planted = [found for found, faults in judged if rule in faults and (found == rule or found not in faults)]
    right, hits = sum(rule in faults for faults in flagged), planted.count(rule)
    ratios = right / len(flagged) if flagged else 1.0, hits / len(planted) if planted else 1.0
    return RuleScore(rule, len(planted), len(flagged), hits, *ratios)


def score_knowledge(seen: Iterable[tuple[Picture, str, Judged]]) -> list[RuleScore]:
    """Each class of knowledge there is, on pictures that stayed and were sound."""
    told = [(p, kind) for p, kind, (rule, faults) in seen if not rule and not faults and KNOWLEDGE in p.measures]
    classes = [(str(p.measures[KNOWLEDGE]), TAUGHT.get(kind, "other")) for p, kind in told if kind in {*TAUGHT, *PLAIN}]
    judged = [(f"{KNOWLEDGE} {found}", frozenset({f"{KNOWLEDGE} {true}"})) for found, true in classes]
    return [row for row in score(judged) if row.planted]


def passage_area(seen: Iterable[tuple[Picture, str, Judged]], pages: Iterable[str]) -> float:
    """Area under the curve of passage_score: articles' views and charts, which have captions, against unmarked ones."""
    scores: tuple[list[float], list[float]] = [], []
    for (picture, kind, (_, faults)), page in zip(seen, pages, strict=True):
        unmarked, captioned = kind.startswith("unmarked"), page == "article" and kind in ("view", "chart")
        if "passage_score" in picture.measures and (unmarked or (captioned and not faults)):
            scores[unmarked].append(float(picture.measures["passage_score"]))
    return area_under_curve(*(np.array(one) for one in scores))


def taught_shares(rows: Iterable[Sample]) -> tuple[float, float]:
    """Share of documents with weight above 1, of the first quarter of the set and of all."""
    kept = sorted((row for row in rows if row.alive), key=lambda row: float(row.measures[ORDER]))
    taught = [float(row.measures[WEIGHT]) > 1 for row in kept]
    quarter = max(len(kept) // 4, 1)
    return sum(taught[:quarter]) / quarter, sum(taught) / len(kept)


def failures(rows: Iterable[RuleScore]) -> list[RuleScore]:
    return [row for row in rows if min(row.precision, row.recall) < REQUIRED]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("truth", type=Path)
    args = parser.parse_args()
    rows = {row.sample.source_key: row.sample for row in samples_by_unit(str(args.output))}
    truth = [json.loads(line) for line in args.truth.read_text(encoding="utf-8").splitlines()]
    seen = list(picture_pairs(rows, truth))
    pages = [(drop.rule if (drop := rows[page["url"]].drop) else "", frozenset(page["faults"])) for page in truth]
    tables = [score([judged for _, _, judged in seen]), score(pages), score_knowledge(seen)]
    print_table([row for table in tables for row in table])
    area = passage_area(seen, [page["kind"] for page in truth for _ in page["pictures"]])
    first, every = taught_shares(rows.values())
    print(f"passages: AUC of passage_score {area:.4f}")
    print(f"order: {first:.0%} of the first quarter of the set carry knowledge, {every:.0%} of all documents do")
    return 1 if failures(row for table in tables for row in table) else 0


if __name__ == "__main__":
    sys.exit(main())
