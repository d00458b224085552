"""Entries from the files that MetaCLIP's vocabulary is made of: WordNet, Wikipedia's titles and views, n-gram counts.

Formats: WordNet's wndb(5WN) `index.*` and `data.*`; Wikimedia's `all-titles-in-ns0` and `pageviews-*`; n-grams as
`word count` or `count⇥word⇥word`. Rules and defaults: facebookresearch/MetaCLIP f47f784 metaclip1/build_metadata.py.
Left out on purpose: entries from captions (transforms/vocabulary_captions.py).
"""

from __future__ import annotations

import gzip
import math
import re
import string
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from transforms.storage import storage_for
from transforms.vocabulary import MAX_ENTRY_CHARACTERS, VocabularyError

MAX_LINE_BYTES = 1 << 20
MIN_COUNT, MIN_PMI, MIN_VIEWS, MIN_HOURLY_VIEWS = 100, 30.0, 70, 50
"""MetaCLIP's: unigrams of Wikipedia from 100, bigrams from a PMI of 30, titles from 70 views, an hour from 50."""
SEEDS = tuple(str(number) for number in range(100))
"""MetaCLIP puts the integers 0 to 99 first."""

_MARKER = re.compile(r"\((?:a|p|ip)\)$")
_PUNCTUATION = frozenset(string.punctuation)


class Found(NamedTuple):
    entry: str
    kind: str
    times: int = 0
    """Occurrences or views where the source has any."""


def read_lines(uri: str, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[str]:
    """Lines of a UTF-8 file, gzip by its first bytes. VocabularyError for a line too long, broken gzip or not UTF-8."""
    with storage_for(uri).open(uri) as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if zipped else raw
        number = 0
        try:
            while line := file.readline(max_line_bytes + 1):
                number += 1
                if len(line) > max_line_bytes:
                    raise VocabularyError(f"{uri}: line {number}: expected at most {max_line_bytes} bytes, found more")
                yield line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError as error:
            raise VocabularyError(f"{uri}: line {number}: expected UTF-8, found {error}") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise VocabularyError(
                f"{uri}: expected whole gzip, found it broken after line {number}: {error}"
            ) from error


def wordnet_entries(lines: Iterable[str], place: str) -> Iterator[Found]:
    """Of `index.*` each lemma; of `data.*` each synset as MetaCLIP names it, and its words that have a capital.

    A synset's name is its first word in lower case up to a full stop (nltk's `Synset.name`).
    """
    is_index = place.rsplit("/", 1)[-1].startswith("index.")
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("  "):  # the licence is set in by two spaces
            try:
                yield from _lemma(line) if is_index else _synset(line)
            except (ValueError, IndexError) as error:
                raise VocabularyError(
                    f"{place}: line {number}: expected WordNet's index or data format, found {line[:80]!r}"
                ) from error


def _lemma(line: str) -> Iterator[Found]:
    lemma, part_of_speech, synsets, *_ = line.split(" ")
    if part_of_speech not in "nvars" or int(synsets) < 1:
        raise ValueError(line)
    yield _named(lemma.replace("_", " "))


def _synset(line: str) -> Iterator[Found]:
    fields = line.split(" | ", 1)[0].split(" ")
    int(fields[0]), int(fields[1])
    words = [_MARKER.sub("", fields[4 + 2 * i]).replace("_", " ") for i in range(int(fields[3], 16))]
    yield _named(words[0].lower().partition(".")[0])
    for word in words:
        if word != word.lower():
            yield Found(word, "proper_noun")


def title_entries(lines: Iterable[str]) -> Iterator[Found]:
    """Of `all-titles-in-ns0`: a title a line, with underscores, under the header `page_title`."""
    for number, line in enumerate(lines):
        if number or line != "page_title":
            yield _title(line)


def pageview_entries(files: Iterable[Iterable[str]], min_views: int = MIN_VIEWS, wiki: str = "en") -> Iterator[Found]:
    """Of hourly files `wiki title views bytes`: titles without a colon by their views in hours of 50 or more."""
    views: Counter[str] = Counter()
    for lines in files:
        for line in lines:
            if line.startswith(f"{wiki} "):
                fields = line.split(" ")
                if len(fields) != 4 or not fields[2].isdigit():
                    raise VocabularyError(f"expected `{wiki} title views bytes`, found {line[:80]!r}")
                if int(fields[2]) >= MIN_HOURLY_VIEWS and ":" not in fields[1]:
                    views[fields[1]] += int(fields[2])
    for title, count in _ranked(views):
        if count >= min_views:
            yield _title(title)._replace(times=count)


def ngram_entries(lines: Iterable[str], min_count: int = MIN_COUNT, min_pmi: float = MIN_PMI) -> Iterator[Found]:
    """Words by count, then pairs of known words by pointwise mutual information, from one or several files' lines.

    PMI as nltk gives it: log2(count · words / (count of the first · count of the second)).
    """
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for line in lines:
        count, found = _parse_ngram(line)
        if len(found) == 1:
            words[found[0]] += count
        elif len(found) == 2:
            pairs[found[0], found[1]] += count
    total = words.total()
    for word, count in _ranked(words):
        if count >= min_count:
            yield _named(word)._replace(times=count)
    scored = {
        f"{one} {two}": (math.log2(count * total / (words[one] * words[two])), count)
        for (one, two), count in pairs.items()
        if count and words[one] and words[two]
    }
    for pair, (pmi, count) in sorted(scored.items(), key=lambda item: (-item[1][0], item[0])):
        if pmi >= min_pmi:
            yield _named(pair)._replace(times=count)


def _parse_ngram(line: str) -> tuple[int, list[str]]:
    """`count⇥word[⇥word]` or `word count`; nothing for an empty line."""
    try:
        if "\t" in line:
            first, *words = line.split("\t")
            return int(first), [word for word in map(str.strip, words) if word]
        if line.strip():
            word, count = line.split()
            return int(count), [word]
    except ValueError as error:
        raise VocabularyError(f"expected `word count` or `count⇥word⇥word`, found {line[:80]!r}") from error
    return 0, []


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def usable(entry: str) -> bool:
    """Whether an entry may stand in a vocabulary: MetaCLIP leaves out single signs."""
    return (
        0 < len(entry) <= MAX_ENTRY_CHARACTERS
        and entry not in _PUNCTUATION
        and entry == entry.strip()
        and entry.isprintable()
    )


def _named(entry: str) -> Found:
    return Found(entry, "phrase" if " " in entry else "word")


def _title(title: str) -> Found:
    """A title is a proper noun where a word after the first has a capital: Wikipedia capitalises every first letter."""
    entry = title.strip().replace("_", " ")
    rest = entry.split(" ")[1:]
    return Found(entry, "proper_noun") if any(word[:1].isupper() for word in rest) else _named(entry)
