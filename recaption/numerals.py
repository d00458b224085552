"""Numerals: the numbers a text states in digits, English words or Chinese characters, as one canonical value each.

`1,200`, `twelve hundred` and `一千二百` are all "1200". Left out on purpose: vague numbers (dozens, 两三只, several),
Roman numerals, and `one` and `一` alone, which are articles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_SMALL = dict(
    zip(
        str.split(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen"
        ),
        range(20),
        strict=True,
    )
)
_TENS = {w: 10 * n for n, w in enumerate(str.split("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_ORDINALS = dict(
    zip(
        str.split(
            "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
            "sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        range(3, 21),
        strict=True,
    )
)
_WORD = "|".join((*_SMALL, *_TENS, *_LARGE))
_WORDS = re.compile(rf"\b(?:(?:a|half a)\s+(?=hundred|thousand|million|billion|dozen))?(?:{_WORD}|dozen)"
                    rf"(?:(?:\s+and\s+|\s+|-)(?:{_WORD}))*\b", re.IGNORECASE)  # fmt: skip
_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![A-Za-z\d.,#])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:st|nd|rd|th)?(?![A-Za-z]*\d)(万|亿)?")

HAN_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000}
_HAN = "零〇一二两三四五六七八九十百千万亿"
# What is counted follows the number: measure words and units. Without one 三明治 would be three.
MEASURE_WORDS = (
    "个只条张本辆座棵朵位名人匹头层件把杯盘碗双对支块栋艘架扇幅根颗盏台部间家所排串束群道岁年月日号米元公千厘毫平英吨"
    "克斤度分秒点时小天周次倍级款种片枚粒尊株枝顶副套艇篇封门处轮口面世"
)
# 十分 is "very", 四周 and 万里 are no counts either.
_HAN_NUMBER = re.compile(
    rf"(?<![\d{_HAN}])(?!十分(?!钟|之)|万分|四周|千里|万里|一?百分)(第)?([{_HAN}]+)(?=([{MEASURE_WORDS}])?)"
)


@dataclass(frozen=True)
class Numeral:
    start: int
    end: int
    value: str
    """Canonical decimal, `3`, `0.5`, `1200`."""


def canonical(value: Decimal | int | str) -> str:
    """`007` as `7`, `1.50` as `1.5`, `1e3` as `1000`."""
    text = format(Decimal(value), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text.lstrip("0")) or "0"


def find_numerals(text: str) -> Iterator[Numeral]:
    """Every stated number, in no particular order; NFKC text."""
    for match in _DIGITS.finditer(text):
        number = Decimal(re.sub(r"[,]|st|nd|rd|th|万|亿", "", match.group()))
        yield Numeral(*match.span(), canonical(number * {"万": 10**4, "亿": 10**8}.get(match[1], 1)))
    for match in _WORDS.finditer(text):
        if (value := _words_value(match.group().lower())) is not None:
            yield Numeral(*match.span(), canonical(value))
    for match in _ORDINAL.finditer(text):
        yield Numeral(*match.span(), canonical(_ORDINALS[match.group().lower()]))
    for match in _HAN_NUMBER.finditer(text):
        if (match[1] or match[3]) and (parsed := parse_han(match[2])) is not None:
            yield Numeral(*match.span(), canonical(parsed))


def _words_value(text: str) -> int | None:
    words = [word for word in re.split(r"[\s-]+", text) if word not in ("a", "and")]
    if "half" in words or words == ["one"]:
        return 6 if words == ["half", "dozen"] else None
    total = part = 0
    for word in words:
        if word == "dozen":
            part = (part or 1) * 12
        elif word in _LARGE:
            part = (part or 1) * _LARGE[word]
            if word != "hundred":
                total, part = total + part, 0
        else:
            part += _SMALL.get(word, 0) + _TENS.get(word, 0)
    return total + part


def parse_han(text: str) -> int | None:
    """The value of Chinese numerals: 一百二十三, 十五, 二〇一九 digit by digit; None for a vague one (三四, 万)."""
    if text[0] in "万亿" or (len(text) == 1 and text in "百千"):
        return None
    if not set(text) & set("十百千万亿"):
        digits = [HAN_DIGITS[c] for c in text]
        # 二〇一九 is a year, 三四 is "three or four".
        return int("".join(map(str, digits))) if len(digits) in (1, 4) else None
    total = section = digit = 0
    for previous, c in zip(" " + text, text, strict=False):
        if c in HAN_DIGITS:
            if previous in HAN_DIGITS and previous not in "零〇":
                return None
            digit = HAN_DIGITS[c]
        elif c in _HAN_TENS:
            section, digit = section + (digit or 1) * _HAN_TENS[c], 0
        else:
            scale = 10**4 if c == "万" else 10**8
            total, section, digit = (total + section + digit) * scale, 0, 0
    return total + section + digit
