"""Classes of pictures: what heads say of each, and the rule by which a page's picture goes.

A head's probabilities stand on the picture, one measure a class, and beside them the most probable one:
    class_advertisement 0.0213, class_content 0.9702, …  class content         the page-image classifier
    knowledge_map 0.9981, knowledge_other 0.0007, …      knowledge map         knowledge density
What classes there are, the head says. Left out on purpose: the heads (classifiers/heads.py); what knowledge is worth
(transforms/knowledge.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from configs.schema.strict import ConfigError
from configs.schema.web import PictureClassRules
from transforms.records import Drop, Picture, Sample, is_shown, pictures

CLASS, KNOWLEDGE = "class", "knowledge"
"""Names of the two heads' measures."""
RULE = "picture_class_"
"""With the class behind it, the rule's name."""


def class_measures(head: str, probabilities: Mapping[str, float]) -> dict[str, float | str]:
    """What stands on a picture of one head's probabilities; of equal ones the first class in alphabetical order."""
    found: dict[str, float | str] = {f"{head}_{name}": value for name, value in sorted(probabilities.items())}
    return found | {head: min(probabilities, key=lambda name: (-probabilities[name], name))}


def class_probabilities(picture: Picture, head: str) -> dict[str, float]:
    """The inverse; empty for a picture that the head was not asked about."""
    if head not in picture.measures:
        return {}
    beginning = f"{head}_"
    values = {name: value for name, value in picture.measures.items() if name.startswith(beginning)}
    return {name.removeprefix(beginning): float(value) for name, value in values.items()}


def check_class(picture: Picture, rules: PictureClassRules) -> Drop | None:
    """Drop a picture of a class that is more probable than it may be; of several the most probable one.

    A value exactly at its limit stays; a picture that was not judged stays. Raises ConfigError for a class that the
    head does not know, which is no picture's fault.
    """
    found = class_probabilities(picture, CLASS)
    if not (rules.enabled and found):
        return None
    check_known(rules.max_probability, found, "classifier.max_probability")
    over = [(-found[name], name) for name, limit in rules.max_probability.items() if found[name] > limit]
    if not over:
        return None
    value, name = min(over)
    return Drop(f"{RULE}{name}", -value, rules.max_probability[name])


def check_known(asked: Iterable[str], classes: Iterable[str], place: str) -> None:
    """Raises ConfigError where a class is asked for that the head does not know."""
    if unknown := sorted(set(asked) - set(classes)):
        raise ConfigError(f"{place}: expected classes of the head {sorted(classes)}, found {unknown}")


def apply_classes(sample: Sample, answer: Sequence[tuple[int, Mapping[str, Mapping[str, float]]]]) -> Sample:
    """`answer` has for pieces, by their index, each head's probabilities by class."""
    pieces = list(sample.pieces)
    for index, heads in answer:
        piece, told = pieces[index], dict[str, Any]()
        for head, probabilities in heads.items():
            told |= class_measures(head, probabilities)
        if isinstance(piece, Picture):
            pieces[index] = replace(piece, measures=piece.measures | told)
    return replace(sample, pieces=tuple(pieces))


def is_unjudged(sample: Sample, heads: Iterable[str]) -> bool:
    """Whether a picture that stays was never shown to a head: then only a run can tell."""
    return any(head not in picture.measures for picture in pictures(sample) if is_shown(picture) for head in heads)
