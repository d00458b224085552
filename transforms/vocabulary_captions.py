"""Entries from captions themselves: n-grams by count and pointwise mutual information, proper nouns by their capitals.

An n-gram is counted once a caption and never crosses a sign that matching sets in spaces, so an entry's count here is
the count that matching will give it.
Left out on purpose: word forms and parts of speech.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from icu4py.breakers import WordBreaker

from transforms.concepts import WRAPPED
from transforms.vocabulary_sources import Found

# Two spaces in a row part words as well: a pattern has single ones.
_PARTS = re.compile(f"[{re.escape(WRAPPED)}]|  +")
_TABS = str.maketrans("\t\n\r", "   ")
_SOUND = re.compile(r"[^\W_](?:.*[^\W_])?")
_UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ebef]")
_LINKS = frozenset(("of", "the", "de", "la", "le", "du", "des", "del", "di", "da", "van", "von", "der", "den"))


class NgramRules(NamedTuple):
    max_words: int = 3
    min_count: int = 10
    """Captions that hold a word or n-gram."""
    min_pmi: float = 3.0
    """Of n-grams of two words and more: log2(count · captions^(n-1) / product of the words' counts)."""
    min_proper_count: int = 5
    """Captions that hold a run of capitalised words."""
    min_capital_share: float = 0.9
    """Of all captions with a single word, those that capitalise it, for it to be a proper noun."""


def caption_entries(captions: Iterable[str], rules: NgramRules) -> Iterator[Found]:
    """Words and n-grams, the most frequent first, then proper nouns."""
    words: Counter[str] = Counter()
    ngrams: Counter[tuple[str, ...]] = Counter()
    proper: Counter[str] = Counter()
    total = 0
    for caption in captions:
        total += 1
        runs = list(split_runs(caption))
        found = {gram for run in runs for gram in _grams(run, rules.max_words)}
        words.update(gram[0] for gram in found if len(gram) == 1)
        ngrams.update(gram for gram in found if len(gram) > 1)
        proper.update({name for run in runs for name in proper_runs(run)})
    yield from _frequent(words, rules.min_count)
    yield from _bound(ngrams, words, total, rules)
    yield from _proper_nouns(proper, words, rules)


def split_runs(caption: str) -> Iterator[list[str]]:
    """Words that stand together in a caption, with one space between each two, or none where the script has none."""
    for part in _PARTS.split(caption.translate(_TABS)):
        run: list[str] = []
        for word in part.strip(" ").split(" "):
            if _SOUND.fullmatch(word) and not _UNSPACED.search(word):
                run.append(word)
                continue
            yield run
            run = []
            if _UNSPACED.search(word):
                yield [piece for piece in WordBreaker(word, "zh") if _SOUND.fullmatch(piece)]
        yield run


def join_words(words: tuple[str, ...] | list[str]) -> str:
    """An n-gram as it stands in the caption."""
    return ("" if _UNSPACED.search(words[0]) else " ").join(words)


def proper_runs(run: list[str]) -> Iterator[str]:
    """Capitalised words in a row, joined also by `of`, `de` and the like; a single one only where it is not first."""
    start: int | None = None
    for end in range(len(run) + 1):
        capital = end < len(run) and run[end][0].isupper()
        if capital and start is None:
            start = end
        elif not capital and start is not None and not (end < len(run) and run[end] in _LINKS):
            name = run[start:end]
            while name[-1] in _LINKS:
                name.pop()
            if len(name) > 1 or start > 0:
                yield " ".join(name)
            start = None


def _grams(run: list[str], longest: int) -> Iterator[tuple[str, ...]]:
    for size in range(1, longest + 1):
        for start in range(len(run) - size + 1):
            yield tuple(run[start : start + size])


def _frequent(words: Counter[str], least: int) -> Iterator[Found]:
    for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0])):
        if count >= least:
            yield Found(word, "word", count)


def _bound(ngrams: Counter[tuple[str, ...]], words: Counter[str], total: int, rules: NgramRules) -> Iterator[Found]:
    """N-grams whose words stand together more often than chance has it."""
    frequent = [(gram, count) for gram, count in ngrams.items() if count >= rules.min_count]
    for gram, count in sorted(frequent, key=lambda item: (-item[1], item[0])):
        apart = sum(math.log2(words[word]) for word in gram)
        if math.log2(count) + (len(gram) - 1) * math.log2(total) - apart >= rules.min_pmi:
            yield Found(join_words(gram), "phrase", count)


def _proper_nouns(proper: Counter[str], words: Counter[str], rules: NgramRules) -> Iterator[Found]:
    for name, count in sorted(proper.items(), key=lambda item: (-item[1], item[0])):
        if count < rules.min_proper_count:
            continue
        lower = words[name.lower()] if " " not in name and name != name.lower() else 0
        if words[name] >= rules.min_capital_share * (words[name] + lower):
            yield Found(name, "proper_noun", count)
