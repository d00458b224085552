"""Redundant thought patterns: sentences that come again, runs of words that come again, and doubt after doubt.

A text is measured from 20 words on: below, a thing said twice is most of it.
Left out on purpose: thoughts that say the same in other words; a model would have to say so.
"""

from __future__ import annotations

import re
from collections import Counter

from transforms.records import Measures
from transforms.web_texts import measure_runs
from transforms.words import split_words

FEWEST_WORDS, FEWEST_SENTENCES = 20, 10
MOST_CHARACTERS = 200_000
"""Characters that are looked at: above the longest thought that a context holds."""
_SENTENCE = re.compile(r"[^.!?。！？\n]+(?:[.](?=\d)[^.!?。！？\n]*)*")
_SKIPPED = re.compile(r"[\W_]+")
_HESITATION = re.compile(
    r"""(?ix)^\W*(?:
      wait\b | hmm+\b | hold\ on\b | no,\s | actually,\s | but\ wait\b | oh\ wait\b | alternatively\b
    | let\ me\ (?:just\ )?(?:check|verify|think|look|count|read|consider)\b.*\bagain\b
    | let\ me\ (?:just\ )?(?:re-?check|double[- ]check|re-?verify|re-?think|re-?consider|re-?count|re-?read)\b
    | 等等 | 等一下 | 等下 | 不对 | 让我(?:再|重新) | 我再 | 再(?:检查|确认|想想|看看|数) | 重新(?:检查|计算|看|数)
    )"""
)


def measure_repetition(text: str) -> Measures:
    """Shares (0..1): characters of repeated sentences and runs of ten words, and sentences that begin with a doubt.

    What the text is too short for is left out.
    """
    text = text[:MOST_CHARACTERS]
    words = split_words(text)
    if len(words) < FEWEST_WORDS:
        return {}
    sentences = [one for one in map(str.strip, _SENTENCE.findall(text)) if _SKIPPED.sub("", one)]
    found: Measures = {"repeated_sentences": round(_repeated(sentences), 4)}
    found["repeated_runs"] = measure_runs(words)["repeated_10grams"]
    if len(sentences) >= FEWEST_SENTENCES:
        doubts = sum(_HESITATION.match(sentence) is not None for sentence in sentences)
        found["hesitations"] = round(doubts / len(sentences), 4)
    return found


def _repeated(sentences: list[str]) -> float:
    """Case, spaces and punctuation aside; a sentence counts by its letters and digits."""
    counts = Counter(_SKIPPED.sub("", sentence.casefold()) for sentence in sentences)
    total = sum(len(sentence) * count for sentence, count in counts.items())
    return sum(len(sentence) * (count - 1) for sentence, count in counts.items()) / total if total else 0.0
