"""Knowledge density: pictures that carry knowledge raise the sampling weight of their document. Nothing is dropped.

    density of a picture     the probability that it is of any knowledge class      measured by a head, stored
    density of a document    the best of its pictures, or their sum                  decided from what is stored
    weight                   1 + boost * density
    draw order               -ln(u) / weight, u a hash of (seed, key)

Of `order` and `copies` the written set takes the order: every first n documents of it are a sample of n without
replacement in which weights count (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir"; the same
race of exponential clocks), so that a budget of documents or tokens is a prefix. A copy would give two samples one
content, which keys, duplicates and `verify` rule out; a trainer that repeats what is dense reads the weight instead.
Left out on purpose: the classifier (classifiers/heads.py); how an order becomes a plan (transforms/planning.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from configs.schema.knowledge import KnowledgeRules
from transforms.fingerprints import chance
from transforms.picture_classes import KNOWLEDGE, check_known, class_probabilities
from transforms.records import Sample, is_shown, pictures, with_measures

PURPOSE = "knowledge order"
DENSITY, WEIGHT, ORDER = "knowledge_density", "knowledge_weight", "knowledge_order"
"""Measures of a document."""


def measure_knowledge(probabilities: Mapping[str, float], rules: KnowledgeRules) -> float:
    """The probability (0..1, 4 decimals) that a picture is of any knowledge class, from those of its classes.

    Raises ConfigError where the head knows a wanted class not, which is no picture's fault.
    """
    check_known(rules.classes, probabilities, "knowledge.classes")
    return round(min(sum(probabilities[name] for name in rules.classes), 1.0), 4)


def document_density(pictures: Iterable[float], rules: KnowledgeRules) -> float:
    """What the measures of a document's pictures come to: 0 without any, 1 at most for `max`, `max_sum` for `sum`."""
    counted = [value for value in pictures if value >= rules.min_probability]
    if rules.combine == "max":
        return max(counted, default=0.0)
    return round(min(math.fsum(counted), rules.max_sum), 4)


def sampling_weight(density: float, rules: KnowledgeRules) -> float:
    """How many times as readily the document is drawn as one without knowledge: 1 or more, 4 decimals."""
    return round(1.0 + rules.boost * density, 4)


def draw_order(key: str, weight: float, seed: int) -> float:
    """Where the document stands: lower is earlier; equals go by key. The same for a (seed, key, weight) everywhere.

    Raises ValueError for a weight that is not above 0.
    """
    if not weight > 0 or not math.isfinite(weight):
        raise ValueError(f"expected a weight above 0 for {key!r}, found {weight}")
    # 1 - u lies in (0, 1]. Rounded, because the last digit of a logarithm differs between C libraries.
    return round(-math.log(1.0 - chance(seed, key, PURPOSE)) / weight, 9)


def order_measure(rules: KnowledgeRules) -> str:
    """The measure by which the written set is ordered; empty for the pool's order."""
    return ORDER if rules.enabled and rules.order == "weighted" else ""


def mark_knowledge(sample: Sample, rules: KnowledgeRules, seed: int) -> Sample:
    """Measures the document by those of its pictures that stay; its place in the order where that is asked for."""
    if not (rules.enabled and sample.alive):
        return sample
    asked = [class_probabilities(picture, KNOWLEDGE) for picture in pictures(sample) if is_shown(picture)]
    density = document_density([measure_knowledge(found, rules) for found in asked if found], rules)
    weight = sampling_weight(density, rules)
    marked = with_measures(sample, **{DENSITY: density, WEIGHT: weight})
    return with_measures(marked, **{ORDER: draw_order(sample.key, weight, seed)}) if order_measure(rules) else marked
