"""Whether a boxed answer says what the reference says: the same text, number or choice, however it is written.

Strict on purpose, because a wrong "equal" teaches a wrong answer, and a wrong "unequal" costs a sample: `50%` is not
0.5, `12 m` is not `12 cm`, `3 or 4` is not 3.
Left out on purpose: algebra, units, boxes by overlap; rewards judge these (train/rewards).
"""

from __future__ import annotations

import json
import re
import unicodedata
from fractions import Fraction
from typing import Any

_WRAPPED = re.compile(
    r"^(?:\$\$?(.*?)\$\$?|\\\((.*)\\\)|\\\[(.*)\\\]|\\boxed\{(.*)\}|\\text\{([^{}]*)\}|\*\*(.*)\*\*)$", re.DOTALL
)
_FRACTION = re.compile(r"^(-?)\\[dt]?frac\{(\d{1,30})\}\{(\d{1,30})\}$")
_RATIO = re.compile(r"^-?\d{1,30}/\d{1,30}$")
_NUMBER = re.compile(r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,40})?(?:\.\d{1,40})?$")
_CHOICE = re.compile(r"^\(?([a-z])\)?[.):]?$")
_LONGEST = 2_000
"""Characters up to which an answer is brought into one spelling; a longer one must be equal as it is."""
_AROUND_SIGNS = re.compile(r"\s*([\[\](){},:;])\s*")


def same_answer(found: str, reference: Any) -> bool:
    """Whether `found` says what `reference` (text, number, list; a list of texts is a choice) says."""
    if isinstance(reference, list) and reference and all(isinstance(one, str) for one in reference):
        return any(same_answer(found, one) for one in reference)
    said, meant = normalise_answer(found), normalise_answer(_as_text(reference))
    return bool(meant) and (said == meant or _is_same_number(said, meant))


def normalise_answer(text: str) -> str:
    """In one spelling: case, widths, spaces, the signs around a formula or a choice, and a full stop."""
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if len(text) > _LONGEST:
        return text
    while match := _WRAPPED.match(text):
        inner = next(group for group in match.groups() if group is not None).strip()
        if inner == text:
            break
        text = inner
    text = _AROUND_SIGNS.sub(r"\1", text.rstrip(".。 ").strip())
    choice = _CHOICE.match(text)
    return choice.group(1) if choice else text


def _as_text(reference: Any) -> str:
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)


def _is_same_number(one: str, other: str) -> bool:
    values = _number(one), _number(other)
    return values[0] is not None and values[0] == values[1]


def _number(text: str) -> Fraction | None:
    """A plain number or a ratio of whole ones, exactly. Lengths are bounded: a hostile answer costs nothing."""
    if match := _FRACTION.match(text):
        text = f"{match.group(1)}{match.group(2)}/{match.group(3)}"
    if not (_RATIO.match(text) or (_NUMBER.match(text) and any(map(str.isdigit, text)))):
        return None
    try:
        return Fraction(text.replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return None
