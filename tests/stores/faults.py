"""What goes wrong at a store, by rule: `503,method=GET,key=*.tar,first=2`.

The first word is what happens: a status (`500`, `503`, `403`), `wait:SECONDS` before the answer, `cut:BYTES` (the
connection is reset after so many bytes of the body: the answer's for GET, the request's for PUT and POST), `lose` (the
request is carried out, its answer never comes). Then, with commas: `method=GET` (or `GET+PUT`), `key=GLOB` of
bucket/key, and how often: `first=N` requests of each key and method, `every=N`-th request that fits, else always.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["status", "wait", "cut", "lose"]


@dataclass(frozen=True)
class Fault:
    name: str
    """As it was written."""
    kind: Kind
    status: int = 0
    seconds: float = 0.0
    bytes: int = 0
    methods: tuple[str, ...] = ()
    key: str = "*"
    first: int = 0
    every: int = 0


def parse_fault(text: str) -> Fault:
    """ValueError naming the word that is not understood."""
    what, *options = text.split(",")
    word, _, number = what.partition(":")
    fields: dict[str, object] = {"name": text}
    if word.isdecimal():
        fields |= {"kind": "status", "status": int(word)}
    elif word == "wait":
        fields |= {"kind": "wait", "seconds": float(number)}
    elif word in ("cut", "lose"):
        fields |= {"kind": word, "bytes": int(number or 0)}
    else:
        raise ValueError(f"{text}: expected a status, wait:SECONDS, cut:BYTES or lose, found {what!r}")
    for option in options:
        name, _, value = option.partition("=")
        if name not in ("method", "key", "first", "every"):
            raise ValueError(f"{text}: expected method=, key=, first= or every=, found {option!r}")
        fields |= {"methods": tuple(value.split("+"))} if name == "method" else {}
        fields |= {"key": value} if name == "key" else {}
        fields |= {name: int(value)} if name in ("first", "every") else {}
    return Fault(**fields)  # type: ignore[arg-type]


@dataclass
class Faults:
    """Which request is struck. Thread-safe."""

    rules: Sequence[Fault]
    _counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strike(self, method: str, key: str) -> Fault | None:
        """The first rule that strikes this request."""
        with self._lock:
            struck = [rule for rule in self.rules if self._strikes(rule, method, key)]
        return struck[0] if struck else None

    def _strikes(self, rule: Fault, method: str, key: str) -> bool:
        if (rule.methods and method not in rule.methods) or not fnmatchcase(key, rule.key):
            return False
        counted = (rule.name, method, key) if rule.first else (rule.name,)
        self._counts[counted] += 1
        if rule.first:
            return self._counts[counted] <= rule.first
        return not rule.every or self._counts[counted] % rule.every == 0
