"""Facts: the names, places, numbers, quantities, dates and quoted words of a text, and which of them another text has.

Left out on purpose: whether a fact is true; colours, actions and positions, which a refined text is free to add and the
CLIP score judges.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from recaption.measures import find_dates, find_quantities
from recaption.names import VISIBLE, find_names, fold, places, words_of
from recaption.noise import strip_noise
from recaption.numerals import find_numerals

Kind = Literal["quote", "date", "quantity", "number", "name", "place"]


@dataclass(frozen=True)
class Fact:
    kind: Kind
    values: tuple[str, ...]
    """Canonical: all of them must be in a text that has the fact."""
    text: str
    """As it stands, for the reader of a report."""

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


@dataclass(frozen=True)
class Facts:
    """What a text states, and what it can confirm."""

    facts: tuple[Fact, ...]
    values: frozenset[str]
    """Canonical dates, quantities and numbers that occur, whichever way they are said."""
    words: frozenset[str]
    plain: str
    """The folded text, for quotes and Chinese names."""

    def has(self, fact: Fact) -> bool:
        if fact.kind == "quote":
            return all(squeeze(value) in squeeze(self.plain) for value in fact.values)
        if fact.kind in ("name", "place"):
            return all(self._names(value) for value in fact.values) or self._translates(fact.text)
        # 1200 may be a year here and a count there.
        return all(v in self.values or (len(fact.values) == 1 and v.lstrip("y") in self.values) for v in fact.values)

    def _names(self, word: str) -> bool:
        return word in self.words or ("\u4e00" <= word[0] <= "\u9fff" and word in self.plain)

    def _translates(self, name: str) -> bool:
        english = next((en for en, zh in places().items() if zh == name), None)
        other = places().get(fold(name)) or english
        return other is not None and (other in self.plain)


# 《》 and 「」 always quote; straight single quotes only around words, not as apostrophes.
_QUOTED = re.compile(
    r'"([^"\n]{1,120})"|“([^”\n]{1,120})”|«([^»\n]{1,120})»|「([^」\n]{1,120})」|『([^』\n]{1,120})』|《([^》\n]{1,120})》'
    r"|(?<![\w’'])‘([^’\n]{2,80})’(?!\w)|(?<![\w'])'([^'\n]{2,80})'(?!\w)"
)
# Said of a count without a numeral; enough to keep one, never one of its own.
_SAID = {
    "2": r"\b(?:pair|couple|both|twins?|duo|two-\w+)\b|[一]?(?:对|双)|俩|情侣|夫妇|夫妻|双胞胎",
    "3": r"\b(?:trio|triplets?|three-\w+)\b",
    "4": r"\bquartet\b|\bfour-\w+\b",
    "12": r"\bdozen\b|一打",
}


def find_facts(text: str) -> Facts:
    """All facts of a text without its noise."""
    whole = unicodedata.normalize("NFKC", text)
    facts: list[Fact] = []
    quoted = [
        Fact("quote", (fold(q),), q) for m in _QUOTED.finditer(whole) if (q := _inner(m)) and fold(q).strip(" .,")
    ]
    rest, plain = strip_noise(_QUOTED.sub(" ; ", whole)), strip_noise(whole)
    values: set[str] = set()
    for start, end, components in sorted(find_dates(rest), reverse=True):
        facts.append(Fact("date", tuple(sorted(components)), rest[start:end].strip()))
        rest = rest[:start] + " ; " + rest[end:]
    for start, end, quantity in sorted(find_quantities(rest), reverse=True):
        facts.append(Fact("quantity", (quantity,), rest[start:end].strip()))
        rest = rest[:start] + " ; " + rest[end:]
    for numeral in find_numerals(rest):
        if numeral.value not in ("0", "1"):
            facts.append(Fact("number", (numeral.value,), rest[numeral.start : numeral.end]))
    facts += [Fact("place" if n.place else "name", n.tokens, n.text) for n in find_names(rest)]
    values.update(value for fact in facts if fact.kind in ("date", "quantity", "number") for value in fact.values)
    values.update(_confirmed(plain))
    return Facts(tuple(_unlike(quoted + facts)), frozenset(values), words_of(whole), fold(whole))


def lost_facts(originals: Iterable[Facts], refined: Facts) -> list[Fact]:
    """Facts of the originals that the refined text does not have."""
    return _unlike(fact for facts in originals for fact in facts.facts if not refined.has(fact))


def added_facts(originals: Iterable[Facts], refined: Facts) -> list[Fact]:
    """Facts of the refined text that no original has. What things look like (Victorian, a Labrador) is none."""
    known = list(originals)
    return [f for f in refined.facts if not any(facts.has(f) for facts in known) and not _is_visible(f)]


def strip_quotes(text: str) -> str:
    """The text with a mark where quoted words stood."""
    return _QUOTED.sub(" ; ", text)


def squeeze(text: str) -> str:
    """Letters and digits only: a quote may be set with other spaces and punctuation."""
    return "".join(c for c in text if c.isalnum())


def _inner(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()


def _confirmed(text: str) -> set[str]:
    """Numbers that a text can confirm beyond those it states as such: in quotes, quantities and dates, or as pairs."""
    found = {numeral.value for numeral in find_numerals(text)}
    found |= {component for _, _, components in find_dates(text) for component in components}
    found |= {quantity for _, _, quantity in find_quantities(text)}
    lower = text.lower()
    return found | {value for value, pattern in _SAID.items() if re.search(pattern, lower)}


def _is_visible(fact: Fact) -> bool:
    return fact.kind in ("name", "place") and all(value in VISIBLE for value in fact.values)


def _unlike(facts: Iterable[Fact]) -> list[Fact]:
    """Each kind and value once, in order."""
    return list({(fact.kind, fact.values): fact for fact in facts}.values())
