"""Export: judged rows as a training set for the next captioner, hard cases first.

GLM-4.1V trains its captioner iteratively: what the last one did well and what somebody corrected is what the next one
learns. A corrected text comes from outside, by key. Left out on purpose: pictures (a row names its span; the command
materialises), and who corrects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from recaption.noise import find_noise
from transforms.ledger import recaption_of
from transforms.recaptions import originals_of, refined_text
from transforms.records import Recipe, Sample, Span, Text, pictures


class TrainingPair(msgspec.Struct, frozen=True):
    """One example: the picture, the prompt by name, what it was filled with, and the text to be learnt."""

    key: str
    picture: Span | Recipe
    prompt: str
    originals: tuple[str, ...]
    target: str
    kind: Literal["accepted", "corrected"]
    hardness: float
    mistake: str = ""
    """Rule and detail that turned the captioner's own text away, of a corrected pair."""
    rejected: str = ""
    """That text: with the target it makes a preference pair."""
    sha256: bytes = b""
    """Of the picture's file."""


class OpenCase(msgspec.Struct, frozen=True):
    """A rejected text that nobody has corrected yet."""

    key: str
    originals: tuple[str, ...]
    rejected: str
    mistake: str
    hardness: float


def measure_hardness(sample: Sample) -> float:
    """0..3: 1 where the captioner's text was rejected, plus the share f / (f + 3) of f facts to keep, plus the share of
    the originals' characters that is noise to leave out."""
    found = recaption_of(sample)
    wrong = found is not None and found.drop is not None
    facts = int(found.measures.get("facts", 0)) if found is not None else 0
    original = " ".join(originals_of(sample))
    noise = sum(map(len, find_noise(original))) / max(1, len(original))
    return round(wrong + facts / (facts + 3) + min(1.0, noise), 4)


def training_pairs(samples: Iterable[Sample], corrections: Mapping[str, str] | None = None) -> list[TrainingPair]:
    """Accepted and corrected pairs, the hardest first, equals by key. A correction replaces an accepted text too.

    Dropped and failed samples teach nothing. Raises ValueError for a correction without text.
    """
    corrections = corrections or {}
    if empty := [key for key, text in corrections.items() if not text.strip()]:
        raise ValueError(f"corrections: expected a text for each key, found none for {', '.join(sorted(empty)[:5])}")
    found = [pair for sample in samples if sample.alive for pair in _pair(sample, corrections.get(sample.key))]
    return sorted(found, key=lambda pair: (-pair.hardness, pair.key))


def open_cases(samples: Iterable[Sample], corrections: Mapping[str, str] | None = None) -> list[OpenCase]:
    """What is worth correcting, the hardest first; a row that got no answer is nobody's mistake."""
    found = []
    for sample in samples:
        reply = recaption_of(sample) if sample.alive and sample.key not in (corrections or {}) else None
        if reply is not None and reply.drop is not None and "error" not in reply.measures:
            hardness = measure_hardness(sample)
            found.append(OpenCase(sample.key, originals_of(sample), reply.value, _mistake(reply), hardness))
    return sorted(found, key=lambda case: (-case.hardness, case.key))


def _pair(sample: Sample, correction: str | None) -> Iterator[TrainingPair]:
    reply, accepted = recaption_of(sample), refined_text(sample)
    target = correction.strip() if correction is not None else accepted.value if accepted else ""
    if reply is None or not target or not pictures(sample):
        return
    differs = correction is not None and target != reply.value
    yield TrainingPair(
        sample.key,
        pictures(sample)[0].source,
        str(reply.measures.get("prompt", "")),
        originals_of(sample),
        target,
        "corrected" if differs else "accepted",
        measure_hardness(sample),
        _mistake(reply) if differs else "",
        reply.value if differs else "",
        pictures(sample)[0].sha256,
    )


def _mistake(text: Text) -> str:
    return f"{text.drop.rule}: {text.drop.detail}".removesuffix(": ") if text.drop else ""
