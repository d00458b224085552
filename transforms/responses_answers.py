"""Whether a boxed answer says what the reference says: the same text, number or choice, however it is written.

Strict on purpose, because a wrong "equal" teaches a wrong answer, and a wrong "unequal" costs a sample: `50%` is not
0.5, `12 m` is not `12 cm`, `5 mW` is not `5 MW`, `3 or 4` is not 3, `x = 3` is not 3, `A. Paris` is not A.
Left out on purpose: algebra, conversion of units, boxes by overlap; rewards judge these (train/rewards). Case counts in
units behind a number alone: CO and Co are the same, because YES and Yes must be.
"""

from __future__ import annotations

import json
import re
import unicodedata
from fractions import Fraction
from typing import Any

_WRAPPED = re.compile(
    r"^(?:\$\$?(.*?)\$\$?|\\\((.*)\\\)|\\\[(.*)\\\]|\\boxed\{(.*)\}|\\text\{([^{}]*)\}|\*\*(.*)\*\*"
    r'|"([^"]*)"|“([^“”]*)”|「([^「」]*)」)$',
    re.DOTALL,
)
_MIXED = re.compile(r"^(-?)(?:(\d{1,30}) )?(?:\\frac(?:\{(\d{1,30})\}\{(\d{1,30})\}|(\d)(\d))|(\d{1,30})/(\d{1,30}))$")
_NUMBER = re.compile(r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,40})?(?:\.\d{1,40})?$")
_CHOICE = re.compile(r"^\(?([a-z])\)?[.):]?$")
_LONGEST = 2_000
"""Characters up to which an answer is brought into one spelling; a longer one must be equal as it is."""
_SIGNS = str.maketrans({"−": "-", "⁄": "/", **{sign: f"^{power}" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}})
_PART = re.compile("(?<=[0-9])(?=[\u00bc-\u00be\u2150-\u215e])")
"""Between 2 and ½: NFKC makes 21/2 of them, and 102 of 10²."""
_END = re.compile(r"[.。，、；：\s]+$|(?<=[^\x00-\x7f])[！？]+$")
"""Of a sentence; `5!` is a number."""
_SPELLINGS = [
    (re.compile(r"(?<=\d)(?:\{,\}|,?\\[,!])(?=\d{3})"), ","),
    (re.compile(r"\\(?:left|right)(?![a-zA-Z])|\\[,;:! ]"), " "),
    (re.compile(r"\\(?:text|mathrm)\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\^\{?\\circ\}?"), "°"),
    (re.compile(r"\^\{(\w)\}"), r"^\1"),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"(?<=\d)\\frac"), r" \\frac"),
    (re.compile(r"\\([%$&#_])"), r"\1"),
    (re.compile(r"\s*([\[\](){},:;=<>+*/^-])\s*"), r"\1"),
    (re.compile(r"(?<=\d)\s+(?=[^\W\d_]|[%°])"), ""),
]
"""What changes nothing: thousands, spaces, sizes of brackets, upright letters, braces around one sign."""
_UNIT = re.compile(r"((?<=\d)[^\W\d_]{1,3}\b)")
"""Short letters behind a number: what they mean lies in their case."""


def same_answer(found: str, reference: Any) -> bool:
    """Whether `found` says what `reference` (text, number, list; a list of texts is a choice) says."""
    if isinstance(reference, list) and reference and all(isinstance(one, str) for one in reference):
        return any(same_answer(found, one) for one in reference)
    said, meant = normalise_answer(found), normalise_answer(_as_text(reference))
    return bool(meant) and (said == meant or _is_same_number(said, meant))


def normalise_answer(text: str) -> str:
    """In one spelling: case, widths, spaces, the signs around a formula or a choice, and a full stop."""
    if len(text) > _LONGEST:
        return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    before = ""
    while text != before:
        before, text = text, _normalise_once(text)
    return text


def _normalise_once(text: str) -> str:
    text = _END.sub("", _PART.sub(" ", text)).translate(_SIGNS)
    text = " ".join(unicodedata.normalize("NFKC", text).translate(_SIGNS).split())
    while (match := _WRAPPED.match(text)) and (inner := next(filter(None, match.groups()), "").strip()) != text:
        text = inner
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    text = "".join(part if n % 2 else part.casefold() for n, part in enumerate(_UNIT.split(text)))
    choice = _CHOICE.match(text)
    return choice.group(1) if choice else " ".join(text.split())


def _as_text(reference: Any) -> str:
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)


def _is_same_number(one: str, other: str) -> bool:
    values = _number(one), _number(other)
    return values[0] is not None and values[0] == values[1]


def _number(text: str) -> Fraction | None:
    """A plain number, a ratio of whole ones or both, exactly. Lengths are bounded: a hostile answer costs nothing."""
    try:
        if match := _MIXED.match(text):
            sign, whole, *parts = match.groups()
            over, under = (int(part) for part in parts if part)
            value = int(whole or 0) + Fraction(over, under)
            return -value if sign else value
        if _NUMBER.match(text) and any(map(str.isdigit, text)):
            return Fraction(text.replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return None
    return None
