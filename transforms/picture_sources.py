"""Addresses that a page states for one picture, best first: `srcset`, `src`, and the attributes of lazy loaders.

`srcset` by the algorithm of the HTML standard (4.8.4.3.10), which is not a split at commas: addresses may hold some.
Left out on purpose: finding the elements (the page's reader), media queries and `sizes`, which ask for a screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from transforms.web_urls import canonical_url, resolve_url

LAZY = ("data-src", "data-original", "data-lazy-src", "data-url", "data-original-src", "data-hi-res-src", "data-image")
LAZY_SETS = ("data-srcset", "data-lazy-srcset")
"""Attributes by which common loaders (lazysizes, jQuery.lazyload, WordPress, Discuz) put off a picture. Where one is
there `src` is a placeholder, so it comes last."""
MAX_CANDIDATES = 256
"""Of one `srcset`; a longer list is read to here."""
_SPACE = " \t\n\f\r"
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")


class SourceCandidate(NamedTuple):
    url: str
    width: float = 0.0
    """Pixels by its `w` descriptor; 0 where it has none."""
    density: float = 0.0
    """By its `x` descriptor; 1 where it has neither."""


def parse_srcset(value: str) -> list[SourceCandidate]:
    """The candidates in their order; those with a descriptor that the standard calls an error are left out."""
    found: list[SourceCandidate] = []
    place = 0
    while len(found) < MAX_CANDIDATES:
        place = _skip(value, place, _SPACE + ",")
        if place >= len(value):
            break
        end = _find(value, place, _SPACE)
        url, place = value[place:end], end
        if url.endswith(","):
            url, descriptors = url.rstrip(","), list[str]()
        else:
            descriptors, place = _descriptors(value, place)
        if url and (candidate := _candidate(url, descriptors)):
            found.append(candidate)
    return found


def largest_first(candidates: Iterable[SourceCandidate]) -> list[str]:
    """Addresses by stated width, then density, then as they stand."""
    return [one.url for one in sorted(candidates, key=lambda one: (-one.width, -one.density))]


def picture_addresses(attributes: Mapping[str, str], sets: Sequence[str] = ()) -> list[str]:
    """Addresses of an `<img>`, as they stand in it; `sets` are the `srcset`s of the `<source>`s around it.

    Largest of each set first, in the order of the sets, then what a lazy loader would fetch, then `src`.
    """
    lists = [*sets, *(attributes.get(name, "") for name in ("srcset", *LAZY_SETS))]
    addresses = [url for value in lists if value for url in largest_first(parse_srcset(value))]
    addresses += [attributes.get(name, "") for name in (*LAZY, "src")]
    return [address for address, _ in groupby(address.strip(_SPACE) for address in addresses) if address]


def absolute_addresses(addresses: Iterable[str], base: str, limits: tuple[int, int]) -> list[str]:
    """The different http(s) addresses among them, absolute, in their order.

    `limits` are the most addresses and the most characters of one; what is longer is left out.
    """
    most, characters = limits
    found: dict[str, str] = {}
    for address in addresses:
        if len(found) == most:
            break
        url = resolve_url(address, base) if len(address) <= characters else ""
        if url and len(url) <= characters:
            found.setdefault(canonical_url(url), url.partition("#")[0])
    return list(found.values())


def _descriptors(value: str, place: int) -> tuple[list[str], int]:
    """The descriptors behind an address, and where the next candidate begins: behind a comma outside parentheses."""
    start, inside = place, False
    while place < len(value) and (inside or value[place] != ","):
        inside = value[place] == "(" or (inside and value[place] != ")")
        place += 1
    return re.findall(r"[^ \t\n\f\r(]*\([^)]*\)?|[^ \t\n\f\r]+", value[start:place]), place + 1


def _candidate(url: str, descriptors: list[str]) -> SourceCandidate | None:
    numbers: dict[str, float] = {}
    for descriptor in descriptors:
        unit, number = descriptor[-1], descriptor[:-1]
        if unit not in "wxh" or unit in numbers or not _NUMBER.match(number):
            return None
        numbers[unit] = float(number)
    if "x" in numbers and len(numbers) > 1 or any(n < 0 or (u != "x" and not n) for u, n in numbers.items()):
        return None
    if "h" in numbers and "w" not in numbers:
        return None
    return SourceCandidate(url, numbers.get("w", 0.0), numbers.get("x", 0.0 if numbers else 1.0))


def _skip(value: str, place: int, characters: str) -> int:
    while place < len(value) and value[place] in characters:
        place += 1
    return place


def _find(value: str, place: int, characters: str) -> int:
    while place < len(value) and value[place] not in characters:
        place += 1
    return place
