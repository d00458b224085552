"""Texts of web documents: length, repetition, symbols, language, words to avoid, and words for each picture.

Gopher's quality rules (arXiv 2112.11446, table A1) as datatrove computes them, over all texts of a document at once.
Where a script writes no spaces, words are ICU's, and their length is not asked. A run of words that stood before is
counted once for each of its characters, so no share exceeds 1.
Left out on purpose: stop words, which are English's, and bullets, which lists that a page wrote as lists have; what a
model would say of quality.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ahocorasick_rs import AhoCorasick

from configs.schema.web_rules import AlbumRules, SafetyRules, WebTextRules
from transforms.caption_quality import measure_language
from transforms.limits import check_above, check_below
from transforms.records import Drop, Measures, Picture, Sample, Text, with_measures
from transforms.words import split_words, unspaced_share

TEXT_MEASURES = {
    "text_characters": "characters of all texts",
    "text_words": "words of all texts",
    "mean_word": "characters of a word on average",
    "letter_words": "share of words with a letter",
    "symbols": "hashes and ellipses over words",
    "repeated_lines": "share of characters in lines that stood before",
    "top_2gram": "share of words' characters in the most frequent run of 2 words",
    "top_3gram": "the same of 3",
    "top_4gram": "the same of 4",
    "repeated_5grams": "share of words' characters in runs of 5 words that stood before",
    "repeated_10grams": "the same of 10",
    "language": "code of the likeliest language",
    "language_confidence": "its probability",
    "unsafe_words": "occurrences of words of the user's list",
    "unsafe_share": "the same over words",
    "unsafe_found": "the most frequent of them",
    "pictures_kept": "pictures that stay",
    "words_per_picture": "words over pictures that stay",
}
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_SYMBOL = re.compile(r"#|\.\.\.|…")
_UNSPACED_TEXT = 0.1
"""Share of characters from which a text is one of a script without spaces: a Chinese manual is full of commands."""
_FEWEST_WORDS = 20
"""Below it a phrase said twice is a tenth of the text, so repetition says nothing."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def document_text(sample: Sample) -> str:
    """All texts of a document that no rule has dropped, a line between two."""
    return "\n".join([piece.value for piece in sample.pieces if isinstance(piece, Text) and piece.drop is None])


def measure_text(text: str, rules: WebTextRules) -> Measures:
    """Measures of a document's text, of which `max_characters` are read; takes time near linear in them."""
    text = text[: rules.max_characters]
    words = split_words(text)
    found: Measures = {"text_characters": len(text), "text_words": len(words), **_language(text)}
    if not words:
        return found
    if unspaced_share(text) < _UNSPACED_TEXT:
        found["mean_word"] = round(sum(map(len, words)) / len(words), 4)
    letters = sum(not word.isdigit() and any(map(str.isalpha, word)) for word in words)
    symbols = len(_SYMBOL.findall(_HEADING.sub("", text)))
    found |= {
        "letter_words": round(letters / len(words), 4),
        "symbols": round(symbols / len(words), 4),
        "repeated_lines": round(_repeated_lines(text), 4),
    }
    return found | measure_runs(words) if len(words) >= _FEWEST_WORDS else found


def _language(text: str) -> Measures:
    """As of captions, but of a text that is surely of no language the probability of its language is 0."""
    found = measure_language(text)
    return found | {"language_confidence": 0.0} if found["language"] == "und" else found


def _repeated_lines(text: str) -> float:
    """Lines of the same text in another case are the same; empty ones are none."""
    counts = Counter(line.strip().casefold() for line in text.split("\n"))
    counts.pop("", None)
    total = sum(len(line) * count for line, count in counts.items())
    return sum(len(line) * (count - 1) for line, count in counts.items()) / total if total else 0.0


def measure_runs(words: list[str]) -> Measures:
    """Repeated runs of ten words and more. Each run is a number, made of the shorter run's and the next word's."""
    known: dict[str, int] = {}
    single = np.array([known.setdefault(word, len(known)) for word in words], np.int64)
    lengths = np.array([len(word) for word in words], np.int64)
    runs = {1: single}
    for size in (2, 3, 4, 5):
        runs[size] = _numbered(runs[size - 1][:-1], single[size - 1 :])
    runs[10] = _numbered(runs[5][:-5], runs[5][5:])
    found: Measures = {f"top_{size}gram": round(_top_share(runs[size], lengths, size), 4) for size in (2, 3, 4)}
    return found | {f"repeated_{size}grams": round(_repeated_share(runs[size], lengths, size), 4) for size in (5, 10)}


def _numbered(first: Numbers, then: Numbers) -> Numbers:
    """A number for each different pair."""
    numbers: Numbers = np.unique(first * (int(then.max()) + 1) + then, return_inverse=True)[1].astype(np.int64)
    return numbers


def _top_share(runs: Numbers, lengths: Numbers, size: int) -> float:
    """Of runs as frequent as the most frequent one, the longest counts."""
    counts = np.bincount(runs)
    if counts.max() < 2:
        return 0.0
    ends = np.concatenate([[0], np.cumsum(lengths)])
    characters = (ends[size:] - ends[:-size]) * (counts[runs] == counts.max())
    return min(1.0, int(characters.max()) * int(counts.max()) / int(ends[-1]))


def _repeated_share(runs: Numbers, lengths: Numbers, size: int) -> float:
    _, first = np.unique(runs, return_index=True)
    again = np.ones(len(runs), np.int64)
    again[first] = 0
    # Words of a run that stood before: those that one of the last `size` runs begins at.
    steps = np.zeros(len(lengths) + 1, np.int64)
    steps[: len(again)] += again
    steps[size : size + len(again)] -= again
    covered = np.cumsum(steps)[:-1] > 0
    return int(lengths[covered].sum()) / int(lengths.sum())


class SafetyWords:
    """A user's list of words and phrases, ready to be counted in texts: whole words, in any case.

    Phrases of scripts without spaces are found anywhere, since no two segmenters part them the same way.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        phrases = sorted({line.partition("#")[0].strip().casefold() for line in lines} - {""})
        self._names = [phrase for phrase in phrases if split_words(phrase)]
        anywhere = [unspaced_share(phrase) > 0 for phrase in self._names]
        self._spaced = [name for name, loose in zip(self._names, anywhere, strict=True) if not loose]
        self._loose = [name for name, loose in zip(self._names, anywhere, strict=True) if loose]
        # Padded by spaces, as MetaCLIP's entries are: a word inside another is not found.
        self._whole = AhoCorasick([f" {' '.join(split_words(name))} " for name in self._spaced])
        self._inside = AhoCorasick(self._loose)

    def measure(self, text: str) -> Measures:
        """Occurrences, their share of the words, and the five most frequent, as "word 3, phrase 1"."""
        words = split_words(text)
        found = Counter(self._count(self._whole, f" {' '.join(words)} ", self._spaced))
        found.update(self._count(self._inside, text.casefold(), self._loose))
        total = sum(found.values())
        measures: Measures = {"unsafe_words": total, "unsafe_share": round(total / max(len(words), 1), 4)}
        often = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:5]
        return measures | {"unsafe_found": ", ".join(f"{name} {count}" for name, count in often)} if often else measures

    @staticmethod
    def _count(patterns: AhoCorasick, text: str, names: list[str]) -> list[str]:
        if not names:
            return []
        # Overlapping: two words side by side share the space between them.
        return [names[which] for which, _, _ in patterns.find_matches_as_indexes(text, overlapping=True)]


def mark_words_per_picture(sample: Sample) -> Sample:
    """Measures the words for each picture that no rule has dropped. Without such a picture there is none."""
    shown = sum(isinstance(p, Picture) and p.drop is None and p.failure is None for p in sample.pieces)
    words = sample.measures.get("text_words")
    if not isinstance(words, int):
        return sample
    marked = with_measures(sample, pictures_kept=shown)
    return with_measures(marked, words_per_picture=round(words / shown, 4)) if shown else marked


def check_album(sample: Sample, rules: AlbumRules) -> Drop | None:
    """Drop a document of many pictures and few words, or without any picture, once its pictures are judged."""
    if not rules.enabled:
        return None
    if rules.require_picture and sample.measures.get("pictures_kept") == 0:
        return Drop("document_without_pictures", 0, 1)
    if drop := check_below(sample, "words_per_picture", rules.min_words_per_picture, "document_album"):
        return drop
    if not rules.max_words_per_picture:
        return None
    return check_above(sample, "words_per_picture", rules.max_words_per_picture, "document_few_pictures")


def check_safety(sample: Sample, rules: SafetyRules) -> Drop | None:
    """Drop a document with more words of the user's list than may stay, by number or by share."""
    drop = check_above(sample, "unsafe_words", rules.max_count, "document_unsafe_words")
    drop = drop or check_above(sample, "unsafe_share", rules.max_share, "document_unsafe_share")
    return Drop(drop.rule, drop.value, drop.limit, str(sample.measures.get("unsafe_found", ""))) if drop else None


_LIMITS: tuple[tuple[Callable[..., Drop | None], str, str, str], ...] = (
    (check_below, "text_words", "min_words", "document_too_few_words"),
    (check_above, "text_words", "max_words", "document_too_many_words"),
    (check_below, "mean_word", "min_mean_word", "document_short_words"),
    (check_above, "mean_word", "max_mean_word", "document_long_words"),
    (check_above, "symbols", "max_symbols", "document_symbols"),
    (check_below, "letter_words", "min_letter_words", "document_few_letters"),
    (check_above, "repeated_lines", "max_repeated_lines", "document_repeated_lines"),
    (check_above, "top_2gram", "max_top_2gram", "document_top_2gram"),
    (check_above, "top_3gram", "max_top_3gram", "document_top_3gram"),
    (check_above, "top_4gram", "max_top_4gram", "document_top_4gram"),
    (check_above, "repeated_5grams", "max_repeated_5grams", "document_repeated_5grams"),
    (check_above, "repeated_10grams", "max_repeated_10grams", "document_repeated_10grams"),
)
"""Check, measure, limit in WebTextRules, rule; in this order."""


def check_text(sample: Sample, rules: WebTextRules) -> Drop | None:
    """The first rule that fires; a value exactly at its limit stays. A measure that was not taken cannot fire."""
    if not rules.enabled:
        return None
    for check, measure, limit, rule in _LIMITS:
        if drop := check(sample, measure, getattr(rules, limit), rule):
            return drop
    return _check_language(sample, rules)


def _check_language(sample: Sample, rules: WebTextRules) -> Drop | None:
    language, confidence = (sample.measures.get(name) for name in ("language", "language_confidence"))
    if not isinstance(confidence, (int, float)):
        return None
    if confidence < rules.min_language_confidence:
        return Drop("document_language_unsure", confidence, rules.min_language_confidence, str(language))
    if rules.languages and language not in rules.languages:
        return Drop("document_language", confidence, 0, f"{language}, allowed {' '.join(rules.languages)}")
    return None
