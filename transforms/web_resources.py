"""Which bytes a page's picture means: its addresses joined with every capture of every archive of the pool.

A page's row carries each picture as a reference, a `Recipe` of addresses, best first. An archive leaves index entries:
16 bytes of the address, and where a capture lies. `CapturedPictures` is the `Matcher` under which they meet; entries go
to its buckets beside the rows (`pack_entries`). A hot address is one entry a unit on either side, and of its captures
one a day.
Of several captures one of the address as it is written counts before one with another number of slashes, then the
nearest in time to the page, by days, then most pixels, most bytes, smallest hash.
Left out on purpose: redirects (transforms/web_redirects.py), which come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from configs.schema.web_reading import WebReadRules
from transforms.matching import Candidate, Met, Packed, bucket_of
from transforms.records import Drop, Picture, Recipe, Sample, Span
from transforms.warc_reader import Resource
from transforms.web_urls import canonical_url, slash_mark, url_digest

FUNCTION = "web_picture"
"""Of the recipe that stands for a picture until its bytes are found. It makes no bytes."""
MAX_SLOTS = 1 << 16
"""Addresses that a row may ask for: a slot of a match has 16 bits for them."""
MAX_CAPTURES = 256
"""Of one address, each of another day; of more a fixed choice of days is kept. 30 kB for an address known daily."""
DAY = 86_400

Wire = Sequence[Any]
"""A capture as it travels: seconds, uri, start, end, container, format, width, height, bytes, sha256, slash mark."""


class Entry(NamedTuple):
    """What an archive says of an address to whoever asks for it; `payload` in msgpack's types."""

    digest: bytes
    payload: Any


class Asked(NamedTuple):
    """One address of a row's pictures. `hops` redirects lead to it from the one that the page states."""

    slot: int
    piece: int
    url: str
    hops: int


def picture_reference(addresses: Sequence[str], date: str = "") -> Recipe:
    """A picture by its absolute addresses, best first, on a page captured at `date` (ISO 8601, as in a WARC)."""
    arguments: dict[str, str | int | float | bool] = {str(index): url for index, url in enumerate(addresses)}
    return Recipe(FUNCTION, {"seconds": parse_date(date), **arguments})


def addresses_of(reference: Recipe) -> list[str]:
    """The inverse of `picture_reference`."""
    return [str(value) for name, value in reference.arguments.items() if name.isdigit()]


def capture_entry(resource: Resource) -> Entry | None:
    """The index entry of a picture; None where its address cannot be asked for."""
    digest, span = url_digest(resource.url), resource.span
    place = (parse_date(resource.date), span.uri, span.start, span.end, span.container)
    shape = (resource.format, resource.width, resource.height, resource.size, resource.sha256)
    mark = slash_mark(resource.url)
    return Entry(digest, [[*place, *shape, mark]]) if digest else None


def parse_date(date: str) -> int:
    """Seconds since the epoch of an ISO 8601 date as WARC writes it; 0 for what is none."""
    try:
        parsed = datetime.fromisoformat(date)
        return max(0, int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return 0


def asked_by(sample: Sample) -> Iterator[Asked]:
    """Every address of every picture that is not found yet: an even slot for one that the page states, the odd slot
    behind it for where its redirects lead."""
    slot = 0
    for piece, picture in enumerate(sample.pieces):
        if isinstance(picture, Picture) and (reference := open_reference(picture)):
            for index, url in enumerate(addresses_of(reference)):
                if slot + 2 > MAX_SLOTS:
                    return
                yield Asked(slot, piece, url, 0)
                if target := str(reference.arguments.get(f"{index}>", "")):
                    yield Asked(slot + 1, piece, target, int(reference.arguments[f"{index}#"]))
                slot += 2


def open_reference(picture: Picture) -> Recipe | None:
    source = picture.source
    return source if isinstance(source, Recipe) and source.function == FUNCTION else None


class CapturedPictures:
    """Gives each picture the span of the capture that its first address with one has."""

    name = "captured_pictures"
    counts_witnesses = False

    def __init__(self, rules: WebReadRules) -> None:
        self._rules = rules

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        if sample.failure is not None:
            return
        for asked in asked_by(sample):
            if asked.hops <= self._rules.max_redirects and (digest := url_digest(asked.url)):
                yield Candidate(digest, piece=asked.slot)

    def better(self, one: list[Wire], other: list[Wire]) -> list[Wire]:
        return merge_captures([*one, *other])

    def answer(self, met: Met, piece: int) -> tuple[int, list[Wire]] | None:
        return (piece, met.best) if met.best else None

    def apply(self, sample: Sample, answers: list[tuple[int, list[Wire]]]) -> Sample:
        told = dict(answers)
        pieces = list(sample.pieces)
        found: set[int] = set()
        for asked in asked_by(sample):
            if asked.piece not in found and asked.slot in told:
                found.add(asked.piece)
                pieces[asked.piece] = _resolved(pieces[asked.piece], asked, told[asked.slot])
        return replace(sample, pieces=tuple(pieces))


def merge_captures(captures: Iterable[Wire]) -> list[Wire]:
    """One capture a day and spelling, the best of it, MAX_CAPTURES at most; the same in whatever order they merge."""
    days: dict[tuple[int, bytes], Wire] = {}
    for capture in captures:
        day = capture[0] // DAY, bytes(capture[10])
        days[day] = min(days[day], capture, key=_preference) if day in days else capture
    if len(days) > MAX_CAPTURES:
        # A choice that depends on the days alone, so that parts may be thinned before they are merged.
        days = {day: days[day] for day in sorted(days, key=_scattered)[:MAX_CAPTURES]}
    return [days[day] for day in sorted(days)]


def nearest_capture(captures: Iterable[Wire], seconds: int, mark: bytes = b"") -> Wire:
    """Of the spelling with that slash mark before any other, by days from `seconds`, the newest for a page without."""
    day = seconds // DAY

    def distance(one: Wire) -> tuple[Any, ...]:
        return bytes(one[10]) != mark, abs(one[0] // DAY - day) if seconds else -one[0] // DAY, _preference(one)

    return min(captures, key=distance)


def check_resolved(picture: Picture, rules: WebReadRules) -> Drop | None:
    """Drop a picture that no archive holds, or whose redirects do not end; after the matches, and measured by them."""
    reference = open_reference(picture)
    if reference is None:
        return None
    addresses = addresses_of(reference)
    detail = addresses[0] if addresses else ""
    hops = max((int(reference.arguments.get(f"{index}#", 0)) for index in range(len(addresses))), default=0)
    if hops > rules.max_redirects:
        return Drop("picture_redirect_loop", hops, rules.max_redirects, detail)
    return Drop("picture_unresolved", 0, 1, detail) if addresses else Drop("picture_without_address", 0, 1)


def mark_unresolved(sample: Sample, rules: WebReadRules) -> Sample:
    """The row with every picture marked that was not found."""
    drops = [check_resolved(piece, rules) if isinstance(piece, Picture) else None for piece in sample.pieces]
    if not any(drops):
        return sample
    pieces = [
        replace(piece, drop=drop) if drop and isinstance(piece, Picture) and not piece.drop else piece
        for piece, drop in zip(sample.pieces, drops, strict=True)
    ]
    return replace(sample, pieces=tuple(pieces))


def pack_entries(
    unit: int, entries: Iterable[Entry], better: Callable[[Any, Any], Any], buckets: int
) -> list[tuple[int, bytes]]:
    """(bucket, packed) of a unit's index entries, for a match to be sent beside the packed rows.

    Its unit there is `-1 - unit`: what a bucket answers to a negative unit has no reader and is left out.
    """
    best: dict[bytes, Any] = {}
    for digest, payload in entries:
        best[digest] = better(best[digest], payload) if digest in best else payload
    waiting: dict[int, list[bytes]] = {}
    for digest in sorted(best):
        waiting.setdefault(bucket_of(digest, buckets), []).append(digest)
    return [(bucket, _pack(unit, digests, best)) for bucket, digests in sorted(waiting.items())]


def _pack(unit: int, digests: list[bytes], best: dict[bytes, Any]) -> bytes:
    slots, rows = np.zeros(len(digests), np.int64), np.ones(len(digests), np.uint32)
    payloads = msgspec.msgpack.encode([best[digest] for digest in digests])
    return msgspec.msgpack.encode(Packed(-1 - unit, b"".join(digests), slots.tobytes(), rows.tobytes(), payloads))


def _resolved(piece: Any, asked: Asked, captures: list[Wire]) -> Picture:
    reference = piece.source
    one = nearest_capture(captures, int(reference.arguments["seconds"]), slash_mark(asked.url))
    span = Span(one[1], one[2], one[3], one[4], canonical_url(asked.url))
    found: Picture = replace(piece, source=span, format=one[5], width=one[6], height=one[7], sha256=bytes(one[9]))
    return found


def _preference(capture: Wire) -> tuple[Any, ...]:
    """Most pixels, most bytes; then only what makes the choice the same everywhere."""
    seconds, uri, start, _, _, _, width, height, size, sha256, _ = capture
    return (-width * height, -size, sha256, seconds, uri, start)


def _scattered(day: tuple[int, bytes]) -> tuple[int, int, bytes]:
    return (day[0] * 2_654_435_761 & 0xFFFFFFFF, *day)
