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

FEWEST_WORDS, FEWEST_SENTENCES, RUN = 20, 10, 10
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
    told = [one.strip() for one in _SENTENCE.findall(text)]
    letters = [_SKIPPED.sub("", one.casefold()) for one in told]
    found: Measures = {"repeated_sentences": round(_repeated(letters), 4), "repeated_runs": _repeated_runs(words)}
    sentences = [one for one, said in zip(told, letters, strict=True) if said]
    if len(sentences) >= FEWEST_SENTENCES:
        doubts = sum(_HESITATION.match(sentence) is not None for sentence in sentences)
        found["hesitations"] = round(doubts / len(sentences), 4)
    return found


def _repeated_runs(words: list[str]) -> float | int | str:
    different = len(set(zip(*(words[start:] for start in range(RUN)), strict=False)))
    # Most thoughts repeat no run, and to know so much is a fifth of the cost.
    return 0.0 if different == len(words) - RUN + 1 else measure_runs(words)[f"repeated_{RUN}grams"]


def _repeated(letters: list[str]) -> float:
    """Of sentences by their letters and digits."""
    counts = Counter(letters)
    total = sum(len(sentence) * count for sentence, count in counts.items())
    return sum(len(sentence) * (count - 1) for sentence, count in counts.items()) / total if total else 0.0
