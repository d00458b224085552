"""The truth of a whole world: what follows only from all samples together, duplicates and shared captions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_PICTURES = 10
"""BoilerplateRules.max_pictures: a caption shared by more pictures is boilerplate."""


class Row(NamedTuple):
    """One line of truth.jsonl, and `text`, the caption in the file, which the line leaves out."""

    shard: str
    key: str
    fault: str
    kind: str
    caption: str
    group: str
    text: str

    def line(self) -> dict[str, str]:
        return {name: value for name, value in self._asdict().items() if name != "text"}


def settle(rows: Iterable[Row]) -> list[Row]:
    """The rows with groups completed, one copy of each group kept, and shared captions known."""
    return list(_settle_shared(_settle_copies(list(rows))))


def _settle_copies(rows: list[Row]) -> list[Row]:
    """The keep policy: equal pixels have equal size, so the longest caption, then the first key, stays."""
    originals = {row.group for row in rows if row.group}
    rows = [row._replace(group=row.key) if row.key in originals else row for row in rows]
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.group and row.kind != "near":
            members[row.group].append(row)
    kept = {min(group, key=lambda row: (-len(row.text.strip()), row.key)).key for group in members.values()}
    return [_judged(row, kept) if row.group and row.kind != "near" else row for row in rows]


def _judged(row: Row, kept: set[str]) -> Row:
    return row._replace(fault="" if row.key in kept else "image_duplicate")


def _settle_shared(rows: list[Row]) -> Iterator[Row]:
    """A stock sentence is boilerplate where enough pictures share it, else it is only a wrong caption.

    In worlds far above 50,000 pairs sound captions recur as well: the pipeline cannot know that they are exact.
    """
    pictures = Counter(_normal(row.text) for row in rows if row.fault != "image_duplicate")
    for row in rows:
        shared = pictures[_normal(row.text)] > MAX_PICTURES
        if row.fault in ("", "clip_score_low", "caption_boilerplate"):
            missed = "clip_score_low" if row.fault else ""
            yield row._replace(fault="caption_boilerplate" if shared else missed)
        else:
            yield row


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
