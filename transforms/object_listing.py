"""Globs over an object store: only folders that can hold a match are listed, each by prefix and delimiter.

As Python's glob: `*`, `?` and `[…]` within a name, `**` over folders, and a leading dot only where the pattern has one.
Left out on purpose: narrowing by the first letters of a name; obstore's prefixes end at a slash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_MAGIC = re.compile(r"[*?[]")
PAGE = 1000
LISTINGS = 16
"""Folders listed at a time."""


def is_glob(pattern: str) -> bool:
    return _MAGIC.search(pattern) is not None


def glob_objects(store: ObjectStore, pattern: str, note: Callable[[], None]) -> Iterator[ObjectMeta]:
    """The objects whose key matches; `note` is called for each listing (one request for 1,000 keys).

    Folder by folder from the root, the folders of one level side by side: a pool of millions of objects is listed by as
    many prefixes as it has folders.
    """
    names, folders = pattern.split("/"), [""]
    with ThreadPoolExecutor(LISTINGS) as threads:
        while names:
            literal = next((i for i, name in enumerate(names) if is_glob(name)), len(names))
            folders = ["/".join([folder, *names[:literal]]).strip("/") for folder in folders]
            names = names[literal:]
            if len(names) < 2 or names[0] == "**":
                break
            listed = threads.map(partial(_folders, store, note, names.pop(0)), folders)
            folders = [folder for found in listed for folder in found]
        for found in threads.map(partial(_objects, store, note, names), folders):
            yield from found


def _folders(store: ObjectStore, note: Callable[[], None], name: str, prefix: str) -> list[str]:
    import obstore

    note()
    found, matches = obstore.list_with_delimiter(store, prefix or None), _name_pattern(name).fullmatch
    folders = [folder.rstrip("/") for folder in found["common_prefixes"]]
    return [folder for folder in folders if matches(_behind(folder, prefix))]


def _objects(store: ObjectStore, note: Callable[[], None], names: Sequence[str], prefix: str) -> list[ObjectMeta]:
    import obstore

    if not names:
        return _object(store, prefix)
    note()
    if names[0] == "**":
        matches = folder_pattern(names).fullmatch
        pages = obstore.list(store, prefix or None, chunk_size=PAGE)
        return [item for page in pages for item in page if matches(_behind(item["path"], prefix))]
    found, matches = obstore.list_with_delimiter(store, prefix or None), _name_pattern(names[0]).fullmatch
    return [item for item in found["objects"] if matches(_behind(item["path"], prefix))]


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


def _object(store: ObjectStore, key: str) -> list[ObjectMeta]:
    import obstore

    try:
        return [obstore.head(store, key)]
    except FileNotFoundError:
        return []


def _behind(path: str, prefix: str) -> str:
    return path[len(prefix) + 1 :] if prefix else path
