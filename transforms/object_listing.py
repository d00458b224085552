"""Globs over an object store: only folders that can hold a match are listed, each by prefix and delimiter.

As Python's glob: `*`, `?` and `[…]` within a name, `**` over folders, and a leading dot only where the pattern has one.
Left out on purpose: narrowing by the first letters of a name; obstore's prefixes end at a slash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_MAGIC = re.compile(r"[*?[]")
PAGE = 1000


def is_glob(pattern: str) -> bool:
    return _MAGIC.search(pattern) is not None


def glob_objects(store: ObjectStore, pattern: str, note: Callable[[], None]) -> Iterator[ObjectMeta]:
    """The objects whose key matches; `note` is called for each listing (one request for 1,000 keys)."""
    yield from _below(store, "", pattern.split("/"), note)


def _below(store: ObjectStore, prefix: str, names: Sequence[str], note: Callable[[], None]) -> Iterator[ObjectMeta]:
    import obstore

    literal = next((i for i, name in enumerate(names) if is_glob(name)), len(names))
    prefix, names = "/".join([prefix, *names[:literal]]).strip("/"), names[literal:]
    if not names:
        yield from _object(store, prefix)
        return
    name, rest = names[0], names[1:]
    note()
    if name == "**":
        matches = folder_pattern(names).fullmatch
        for page in obstore.list(store, prefix or None, chunk_size=PAGE):
            yield from (item for item in page if matches(_behind(item["path"], prefix)))
        return
    found, matches = obstore.list_with_delimiter(store, prefix or None), _name_pattern(name).fullmatch
    if not rest:
        yield from (item for item in found["objects"] if matches(_behind(item["path"], prefix)))
        return
    for folder in found["common_prefixes"]:
        if matches(_behind(folder.rstrip("/"), prefix)):
            yield from _below(store, folder.rstrip("/"), rest, note)


def folder_pattern(names: Sequence[str]) -> re.Pattern[str]:
    """The regular expression of a glob's names, the first of them `**`."""
    hidden = r"(?!\.)[^/]+/"
    parts = [f"(?:{hidden})*" if name == "**" else _name_pattern(name).pattern + "/" for name in names[:-1]]
    last = r"(?:(?!\.)[^/]+/)*(?!\.)[^/]+" if names[-1] == "**" else _name_pattern(names[-1]).pattern
    return re.compile("".join(parts) + last)


def _name_pattern(name: str) -> re.Pattern[str]:
    parts = re.findall(r"\*+|\?|\[!?\]?[^\]]*\]|.", name, re.DOTALL)
    return re.compile(("" if name.startswith(".") else r"(?!\.)") + "".join(map(_part_pattern, parts)))


def _part_pattern(part: str) -> str:
    if part[0] == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if part[0] == "[" and len(part) > 1:
        inside = part[1:-1].removeprefix("!").replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
        return f"[^/{inside}]" if part[1] == "!" else f"[{inside}]".replace("[^", r"[\^")
    return re.escape(part)


def _object(store: ObjectStore, key: str) -> Iterator[ObjectMeta]:
    import obstore

    with suppress(FileNotFoundError):
        yield obstore.head(store, key)


def _behind(path: str, prefix: str) -> str:
    return path[len(prefix) + 1 :] if prefix else path
