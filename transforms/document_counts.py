"""What is counted of documents beside rows: their pictures by fate, these by what heads say, and sampling weights.

Counts are whole numbers by name, so that units add up in any order:
    kept, dropped RULE, failed CLASS     every picture that pages name (transforms/web_documents.py)
    class NAME                           every picture that the page-image classifier judged, by its most probable class
    knowledge NAME                       of pictures that stay in kept documents, the class of the knowledge head
    weight N                             kept documents whose weight lies in [N, N + 1)
    weights                              the sum of their weights, in ten-thousandths
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from configs.schema.web import WebConfig
from transforms.knowledge import WEIGHT
from transforms.picture_classes import CLASS, KNOWLEDGE
from transforms.records import Sample, is_shown, pictures
from transforms.web_documents import sum_pictures, tally_pictures

WEIGHTS = "weights"
SCALE = 10_000
"""A weight has four decimals."""


def tally_documents(samples: Iterable[Sample]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for sample in samples:
        counts.update(tally_pictures([sample]))
        counts.update(f"{CLASS} {p.measures[CLASS]}" for p in pictures(sample) if CLASS in p.measures)
        if sample.alive and WEIGHT in sample.measures:
            weight = float(sample.measures[WEIGHT])
            counts.update({f"weight {int(weight)}": 1, WEIGHTS: round(weight * SCALE)})
            shown = (picture for picture in pictures(sample) if is_shown(picture))
            counts.update(f"{KNOWLEDGE} {p.measures[KNOWLEDGE]}" for p in shown if KNOWLEDGE in p.measures)
    return counts


def sum_documents(tallied: Mapping[str, int], cfg: WebConfig) -> dict[str, Any]:
    """The manifest's counts of documents: `pictures`, and what the config asked heads for."""
    fates = {name: n for name, n in tallied.items() if name.partition(" ")[0] in ("kept", "dropped", "failed")}
    sums: dict[str, Any] = {"pictures": sum_pictures(fates)}
    if cfg.classifier.enabled:
        sums["classes"] = _named(tallied, CLASS)
    if cfg.knowledge.enabled:
        weights = {name: n for name, n in sorted(_named(tallied, "weight").items(), key=lambda one: int(one[0]))}
        sums["knowledge"] = {
            "documents": sum(weights.values()),
            "weight": tallied.get(WEIGHTS, 0) / SCALE,
            "weights": weights,
            "pictures": _named(tallied, KNOWLEDGE),
        }
    return sums


def _named(tallied: Mapping[str, int], kind: str) -> dict[str, int]:
    found = {name.removeprefix(f"{kind} "): n for name, n in tallied.items() if name.startswith(f"{kind} ")}
    return dict(sorted(found.items()))
