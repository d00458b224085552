"""Mixed language: how much of a text stands in sentences of another script than most of it.

Scripts, not languages: English inside Chinese is what GLM-4.1V's curation and style reward are after, and of a short
sentence no identifier knows whether it is Spanish. Code, formulas, addresses, quotations and tags are left out, because
they are in what language they are in. So are names: what stands in a text of another script counts only where it is
speech: three of English's function words, four lower-case words of Latin script, four words of any other, or three of
Han with two signs that few names have. One in which another script speaks is half of that: Chinese with three function
words, English with two runs of Han.
Left out on purpose: languages of one script.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from transforms.response_format import TAGS

_LEFT_OUT = re.compile(
    "|".join(re.escape(tag) for tag in TAGS)
    + r"""
    | ```.{0,20000}?(?:```|\Z) | `[^`\n]{0,200}` | \$\$.{0,2000}?\$\$ | \$[^$\n]{0,2000}\$
    | \\\[.{0,2000}?\\\] | \\\(.{0,2000}?\\\)
    | \\[a-zA-Z]+ | https?://\S+ | ["“][^"”\n]{0,200}["”] | [「『《‘][^」』》’\n]{0,200}[」』》’]
    """.replace("\n", "").replace(" ", ""),
    re.DOTALL,
)
MOST_CHARACTERS = 200_000
"""Characters that are looked at: above the longest response that a context holds."""
_SENTENCE = re.compile(r"[^.!?。！？；\n]+")
_SCRIPTS = {
    "Latin": "A-Za-z\u00c0-\u024f",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "kana": "\u3040-\u30ff",
    "Hangul": "\u1100-\u11ff\uac00-\ud7af",
    "Cyrillic": "\u0400-\u052f",
    "Arabic": "\u0600-\u06ff\u0750-\u077f",
    "Devanagari": "\u0900-\u097f",
    "Thai": "\u0e00-\u0e7f",
    "Greek": "\u0370-\u03ff",
    "Hebrew": "\u0590-\u05ff",
}
_SPACED = {
    name: re.compile(f"[{letters}]{{2,}}") for name, letters in _SCRIPTS.items() if name not in ("Han", "kana", "Thai")
}
_UNSPACED = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items() if name in ("Han", "kana", "Thai")}
_OTHER = re.compile(f"[{''.join(letters for name, letters in _SCRIPTS.items() if name != 'Latin')}]")
_LETTERS_OF_A_WORD = 2
"""Signs of an unspaced script that count as one word: Chinese words have 1.5 to 2."""
_HAN_RUN = re.compile(f"[{_SCRIPTS['Han']}]+")
_FUNCTION_WORD = re.compile(
    r"\b(?:the|of|is|are|was|we|i|you|it|to|and|so|but|because|need|that|this|then|let|have|has|should|can|will|with|for)\b",
    re.IGNORECASE,
)
_HAN_FUNCTION_SIGN = re.compile("[的了是在我你他它们有这那就得到个和不要会能以后把被从对为也都还再吗呢]")
_LOWER_CASE = re.compile(r"(?<!\S)[a-z\u00df-\u00ff]{2,}(?=[\s,:)]|$)")
"""Words of speech: not of names and titles, and not of code."""
_FUNCTION_WORDS, _HAN_RUNS, _LOWER_CASE_WORDS, _OTHER_WORDS = 3, 2, 4, 4
"""What is more than a name or a title: function words of English, runs of Han, lower-case words, words of any other."""
_SHORT_WORDS, _FUNCTION_SIGNS = 3, 2
"""Of Han so many are enough where as many signs are no name's: 加上7个以后得到530."""


def measure_mixed(text: str) -> float:
    """Share (0..1) of the words that are speech in another script than most speech is; four decimals.

    Japanese writes Han and kana, and is one script here.
    """
    text = text[:MOST_CHARACTERS]
    if text.isascii() or not _OTHER.search(text):  # most texts of a pool, and a tenth of a millisecond for each
        return 0.0
    sentences = [_judge(sentence) for sentence in _SENTENCE.findall(_LEFT_OUT.sub(" ", text))]
    words: Counter[str] = Counter()
    for one in sentences:
        words[one.script] += one.words if one.is_speech else 0
    if not words.total():
        return 0.0
    main = min(words, key=lambda script: (-words[script], script))
    halves = sum(one.words for one in sentences if one.script == main and one.is_mixed)
    return round((words.total() - words[main] + halves / 2) / sum(one.words for one in sentences), 4)


class _Sentence(NamedTuple):
    script: str
    """That of most words."""
    words: int
    is_speech: bool
    """Whether it is more than a name."""
    is_mixed: bool
    """Whether another script speaks in it."""


def _judge(sentence: str) -> _Sentence:
    counts = {name: len(pattern.findall(sentence)) for name, pattern in _SPACED.items()}
    counts |= {name: len(pattern.findall(sentence)) // _LETTERS_OF_A_WORD for name, pattern in _UNSPACED.items()}
    if counts["kana"]:
        counts["kana"] += counts.pop("Han")
    script, total = max(sorted(counts), key=lambda name: counts[name]), sum(counts.values())
    english = len(_FUNCTION_WORD.findall(sentence)) >= _FUNCTION_WORDS
    if script == "Latin" and not english and counts.get("Han", 0) > 1:
        script = "Han"  # a Chinese sentence that names more than it says
    if script == "Latin":
        is_speech = english or len(_LOWER_CASE.findall(sentence)) >= _LOWER_CASE_WORDS
        return _Sentence(script, total, is_speech, len(_HAN_RUN.findall(sentence)) >= _HAN_RUNS)
    short = script == "Han" and len(_HAN_FUNCTION_SIGN.findall(sentence)) >= _FUNCTION_SIGNS
    return _Sentence(script, total, total >= (_SHORT_WORDS if short else _OTHER_WORDS), english)
