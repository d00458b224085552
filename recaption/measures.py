"""Quantities and dates: what a text states with a unit, and when, in one canonical form.

`1.5 m`, `150 cm` and `一百五十厘米` are one length, `May 3, 1998`, `1998-05-03` and `1998年5月3日` one day; nothing is
converted between the metric and the other system, because that would round.
"""

from __future__ import annotations

import re
from decimal import Decimal

from recaption.numerals import canonical, find_numerals, parse_han

_UNITS: dict[str, tuple[str, str]] = {}


def _name(dimension: str, factor: str, names: str) -> None:
    _UNITS.update({name.replace("_", " "): (dimension, factor) for name in names.split()})


_name("mm", "1", "mm millimetre millimetres millimeter millimeters 毫米")
_name("mm", "10", "cm centimetre centimetres centimeter centimeters 厘米 公分")
_name("mm", "1000", "m metre metres meter meters 米 公尺")
_name("mm", "1000000", "km kilometre kilometres kilometer kilometers 公里 千米")
_name("in", "1", 'inch inches " ″ 英寸')
_name("in", "12", "ft foot feet ' ′ 英尺")
_name("in", "36", "yd yard yards 码")
_name("mile", "1", "mile miles mi 英里")
_name("g", "1", "g gram grams gramme grammes 克")
_name("g", "500", "斤")
_name("g", "1000", "kg kgs kilo kilos kilogram kilograms 公斤 千克")
_name("g", "1000000", "tonne tonnes 吨")
_name("lb", "1", "lb lbs pound pounds 磅")
_name("oz", "1", "oz ounce ounces 盎司")
_name("ml", "1", "ml millilitre millilitres milliliter milliliters 毫升")
_name("ml", "1000", "l litre litres liter liters 升 公升")
_name("percent", "1", "% percent per_cent")
_name("celsius", "1", "°C ℃ degrees_Celsius 摄氏度")
_name("fahrenheit", "1", "°F degrees_Fahrenheit 华氏度")
_name("km/h", "1", "km/h kmh kph 公里/小时")
_name("mph", "1", "mph")
_name("m2", "1", "m² m2 sqm square_metres square_meters 平方米 平米")
_name("m2", "1000000", "km² km2 square_kilometres square_kilometers 平方公里")
_name("s", "1", "second seconds sec 秒")
_name("s", "60", "minute minutes min 分钟")
_name("s", "3600", "hour hours hr hrs 小时")
_name("byte", "1", "GB 吉字节")
_name("megapixel", "1", "MP megapixel megapixels 百万像素")
_name("horsepower", "1", "hp horsepower 马力")
_name("volt", "1", "V volt volts 伏")
_name("watt", "1", "W watt watts 瓦")
_LATIN = sorted((re.escape(n) for n in _UNITS if n.isascii()), key=len, reverse=True)
_OTHER = sorted((re.escape(n) for n in _UNITS if not n.isascii()), key=len, reverse=True)
_UNIT = re.compile(rf"[\s-]?(?:({'|'.join(_OTHER)})|({'|'.join(_LATIN)})(?![A-Za-z\d]))")
# "two in a boat" is no length: `in` only where it touches its number.
_INCH = re.compile(r"()-?(in)(?![A-Za-z\d])")
_BY_NAME = {"in": ("in", "1")} | {name.lower(): unit for name, unit in _UNITS.items()} | _UNITS
_HAN_PERCENT = re.compile(r"百分之([零〇一二两三四五六七八九十百]+|\d+(?:\.\d+)?)")

_MONTHS = {
    name: number
    for number, names in enumerate(
        str.split(
            "january,jan february,feb march,mar april,apr may june,jun july,jul august,aug september,sep,sept "
            "october,oct november,nov december,dec"
        ),
        start=1,
    )
    for name in names.split(",")
}
_M = "|".join(sorted(_MONTHS, key=len, reverse=True))
_CENTURIES = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
_CENTURIES += "sixteenth seventeenth eighteenth nineteenth twentieth"
_CENTURY = {word: number for number, word in enumerate(_CENTURIES.split(), start=3)} | {"twenty-first": 21}
_YEAR = r"(?:1\d|20)\d\d"
_HAN_N = "[〇零一二三四五六七八九十]"
_DATES = re.compile(
    rf"""(?ix)
      \b(?P<y1>{_YEAR})[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})\b
    | \b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<m2>{_M})\b\.?(?:,?\s(?P<y2>{_YEAR})\b)?
    | \b(?P<m3>{_M})\b\.?\s(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s(?P<y3>{_YEAR})\b)?
    | \b(?P<m4>{_M})\b\.?,?\s(?P<y4>{_YEAR})\b
    | (?P<y5>{_YEAR}|{_HAN_N}{{4}})年
      (?:(?P<m5>\d{{1,2}}|{_HAN_N}{{1,3}})月(?:(?P<d5>\d{{1,2}}|{_HAN_N}{{1,3}})[日号])?)?
    | (?P<m6>\d{{1,2}}|{_HAN_N}{{1,3}})月(?P<d6>\d{{1,2}}|{_HAN_N}{{1,3}})[日号]
    | \b(?P<c1>\d{{1,2}})(?:st|nd|rd|th)[\s-]century | \b(?P<c2>{"|".join(_CENTURY)})[\s-]century
    | (?P<c3>\d{{1,2}}|{_HAN_N}{{1,3}})世纪(?:(?P<s3>\d0|[二三四五六七八九]十)年代)?
    | (?<![\d.,])(?P<s1>(?:1\d|20)\d0)['’]?s\b | (?<![\d.,])(?P<s2>(?:1\d|20)\d0)年代
    | \b(?:in|of|since|last)\s(?P<m7>{_M})\b
    | (?<![^\W\u4e00-\u9fff])(?<![.,-])(?P<y6>{_YEAR})
      (?![\d%]|[.,]\d|\s?(?:px|pixels|metres|meters|km|m|cm|kg|people|feet|ft|人|米|个)\b)
    """
)


def find_dates(text: str) -> list[tuple[int, int, frozenset[str]]]:
    """(start, end, components) of each date; components are `y1998`, `m5`, `d3`, `c19` (century), `s1960` (decade)."""
    found = []
    for match in _DATES.finditer(text):
        parts = {name: value for name, value in match.groupdict().items() if value}
        components = {name[0] + str(_date_number(name[0], value)) for name, value in parts.items() if name != "s3"}
        if "s3" in parts:
            century = _date_number("c", parts["c3"])
            components = {f"s{(century - 1) * 100 + _date_number('s', parts['s3'])}"}
        found.append((*match.span(), frozenset(components)))
    return found


def _date_number(part: str, value: str) -> int:
    value = value.lower()
    if value in _MONTHS and part == "m":
        return _MONTHS[value]
    if value in _CENTURY:
        return _CENTURY[value]
    if value.isdecimal():
        return int(value)
    return parse_han(value) or 0


def find_quantities(text: str) -> list[tuple[int, int, str]]:
    """(start, end, canonical) of each number with a unit, `1500 mm`; percent in Chinese too."""
    found = []
    for match in _HAN_PERCENT.finditer(text):
        value = match[1] if match[1][0].isdecimal() else str(parse_han(match[1]))
        found.append((*match.span(), f"{canonical(value)} percent"))
    for numeral in find_numerals(text):
        if (unit := _INCH.match(text, numeral.end) or _UNIT.match(text, numeral.end)) and not _is_quote(text, unit):
            dimension, factor = _BY_NAME.get(unit[1] or unit[2]) or _BY_NAME[(unit[1] or unit[2]).lower()]
            value = canonical(Decimal(numeral.value) * Decimal(factor))
            found.append((numeral.start, unit.end(), f"{value} {dimension}"))
    return found


def _is_quote(text: str, unit: re.Match[str]) -> bool:
    """Whether the mark after a number ends a quotation rather than meaning inches or feet."""
    mark = unit[0].strip()
    return mark in ("'", '"') and text.count(mark, 0, unit.start()) % 2 == 1
