"""Words of a caption in any script: split at spaces, and by ICU's dictionaries where a script writes none.

Korean writes spaces and needs no dictionary.
Left out on purpose: sentences and word forms; a rule asks how many words there are and how many of them repeat.
"""

from __future__ import annotations

import re

from icu4py.breakers import WordBreaker

# One match for each run that holds a letter or digit; dashes and slashes part words, hyphens and apostrophes do not.
# It starts at a letter or digit and never backtracks, so it is linear in the text.
_SPACED = re.compile(r"[^\W_][^\s—–/]*")
_LETTER = re.compile(r"[^\W_]")

# Scripts written without spaces between words (UAX #29, section 4): Thai, Lao, Myanmar, Khmer, Tai Le to Tai Tham,
# kana, Han with its extensions, half-width kana.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u1aad\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_AROUND_WORDS = "'\"“”‘’«»()[]{}<>.,;:!?…*`~"


def split_words(text: str) -> list[str]:
    """Words in reading order, in lower case, without the punctuation at their ends."""
    text = text.casefold()
    if text.isascii() or not _UNSPACED.search(text):
        return [word.rstrip(_AROUND_WORDS) for word in _SPACED.findall(text)]
    # Iterated, not `segments()`: icu4py 1.2.0 gives those offsets in UTF-16 units, wrong after an emoji.
    return [word.strip() for word in WordBreaker(text, "en") if _LETTER.search(word)]


def count_words(text: str) -> int:
    return len(split_words(text))


def unspaced_share(text: str) -> float:
    """Share of the characters, 0..1, that belong to scripts written without spaces between words."""
    return 0.0 if not text or text.isascii() else len(_UNSPACED.findall(text)) / len(text)
