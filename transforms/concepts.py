"""Concepts: which entries of a vocabulary a caption names, exactly as MetaCLIP matches them.

A text is set in spaces, and so is each of its commas, stops and the like; an entry set in spaces matches where it is
a substring of that. All entries that match count, also those inside longer ones, each once a caption.
MetaCLIP facebookresearch/MetaCLIP f47f784: metaclip1/substr_matching.py, curation/substr_matching.py.
Left out on purpose: what the matches decide (transforms/concept_balance.py); word forms and spelling, which MetaCLIP's
vocabulary holds as entries of their own; a vocabulary a language.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Literal, NamedTuple

import ahocorasick_rs
import numpy as np
from numpy.typing import NDArray

from transforms.vocabulary import Vocabulary, read_vocabulary

Padding = Literal["metaclip1", "metaclip2", "spaced"]
"""How an entry's edges are set in spaces. `metaclip1`: both. `metaclip2`: an edge only where its character belongs to a
script or sign that needs none. `spaced`: as metaclip2, and the signs inside an entry are set in spaces as those of a
text are, so that "St. Louis" is found, which the other two never find."""

WRAPPED = ",.;:?!`"
"""Signs of a text that are set in spaces."""
_SPACING = str.maketrans({**{sign: f" {sign} " for sign in WRAPPED}, **dict.fromkeys("\t\n\r", " ")})

_PUNCTUATION = frozenset(string.punctuation + "，。、；：？！“”‘’（）【】《》〈〉「」『』～—")
# Han and its radicals, Thai and Lao, Tibetan, Burmese, Khmer; MetaCLIP pads kana and hangul.
_UNSPACED = re.compile(
    "[\u2e80-\u2fdf\u2ff0-\u2fff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ebef"
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]"
)
_NEVER = re.compile(r"[\t\n\r]|[^ ][,.;:?!`]|[,.;:?!`][^ ]|[,.;:?!`] [,.;:?!`]")

BETWEEN = b" \xff "
"""Between captions that are searched in one pass: 0xff is in no UTF-8, so nothing matches across it."""
PASS_BYTES = 1 << 16
"""Of text searched in one pass: what it finds is a list of tuples first, 200 bytes a match."""


class Matches(NamedTuple):
    """Caption i names the entries `ids[offsets[i]:offsets[i + 1]]`, in rising order, each once."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def of(self, caption: int) -> NDArray[np.int32]:
        return self.ids[self.offsets[caption] : self.offsets[caption + 1]]


class Concepts:
    """A vocabulary and its automaton: 500,000 entries take about 2 s and 300 MB, so once a process."""

    def __init__(self, vocabulary: Vocabulary, padding: Padding = "metaclip1") -> None:
        self.vocabulary, self.padding = vocabulary, padding

    @cached_property
    def _automaton(self) -> ahocorasick_rs.BytesAhoCorasick:
        patterns = [pattern_of(entry, self.padding).encode() for entry in self.vocabulary.entries]
        return ahocorasick_rs.BytesAhoCorasick(patterns, implementation=ahocorasick_rs.Implementation.ContiguousNFA)

    def match(self, captions: Sequence[str]) -> Matches:
        """The entries that each caption names."""
        parts = [self._match_pass(part) for part in _passes(captions)]
        ids = np.concatenate([np.empty(0, np.int32), *(part.ids for part in parts)])
        sizes = [np.diff(part.offsets) for part in parts]
        return Matches(ids, np.concatenate([np.zeros(1, np.int64), *sizes]).cumsum())

    def _match_pass(self, captions: list[bytes]) -> Matches:
        text = _space_bytes(captions)
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        columns = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found)).reshape(-1, 3)
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 0xFF)
        # A caption and an entry in one number, so that one sort orders and thins them.
        entries = max(1, len(self.vocabulary.entries))
        pairs = np.unique(np.searchsorted(ends, columns[:, 1]) * entries + columns[:, 0])
        offsets = np.searchsorted(pairs, np.arange(len(captions) + 1, dtype=np.int64) * entries)
        return Matches((pairs % entries).astype(np.int32), offsets.astype(np.int64))


def load_concepts(uri: str, padding: Padding) -> Concepts:
    """The vocabulary at `uri`, ready to match. Raises VocabularyError where the file does not serve."""
    return Concepts(read_vocabulary(uri), padding)


def count_entries(ids: NDArray[np.int32], entries: int) -> NDArray[np.int64]:
    """How many captions name each entry, as one dense vector; `ids` hold an entry once for each caption."""
    return np.bincount(ids, minlength=entries).astype(np.int64)


def space_text(text: str) -> str:
    """A text as entries are searched in it."""
    return f" {text.translate(_SPACING)} "


def pattern_of(entry: str, padding: Padding) -> str:
    """What is searched for an entry in `space_text` of a caption. Different entries have different patterns."""
    inner = entry.translate(_SPACING) if padding == "spaced" else entry
    before = "" if padding != "metaclip1" and _needs_no_space(entry[0]) else " "
    after = "" if padding != "metaclip1" and _needs_no_space(entry[-1]) else " "
    return f"{before}{inner}{after}"


def can_match(entry: str, padding: Padding) -> bool:
    """Whether any text can match: not "St. Louis", since in a text a space stands before the stop."""
    return _NEVER.search(pattern_of(entry, padding)) is None


def _needs_no_space(character: str) -> bool:
    return character in _PUNCTUATION or _UNSPACED.match(character) is not None


def _passes(captions: Sequence[str]) -> Iterator[list[bytes]]:
    waiting: list[bytes] = []
    size = 0
    for caption in captions:
        encoded = caption.encode()
        if waiting and size + len(encoded) > PASS_BYTES:
            yield waiting
            waiting, size = [], 0
        waiting.append(encoded)
        size += len(encoded)
    if waiting:
        yield waiting


def _space_bytes(captions: list[bytes]) -> bytes:
    """`space_text` of each caption, with BETWEEN's byte between them: a pass over all is faster than one over each."""
    text = b" " + BETWEEN.join(captions) + b" "
    for sign in WRAPPED.encode():
        text = text.replace(b"%c" % sign, b" %c " % sign)
    for sign in b"\t\n\r":
        text = text.replace(b"%c" % sign, b" ")
    return text
