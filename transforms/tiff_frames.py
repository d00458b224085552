"""The frames of a TIFF as files of their own, and back: MINT-1T keeps all pictures of a PDF as frames of one TIFF.

Nothing is decoded: a frame's directory and its strips or tiles are copied and their places written anew (TIFF 6.0).
Left out on purpose: BigTIFF, old-style JPEG, and directories within a frame (EXIF, GPS, sub-images), which are dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from transforms.picture_headers import MAX_FRAMES, MAX_PARTS, PictureError

Data = bytes | memoryview
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_PLACES = {273: 279, 324: 325}
"""Tags of strips' and tiles' places, and of their sizes in bytes."""
_WITHIN = frozenset({330, 34665, 34853, 40965})


class Entry(NamedTuple):
    tag: int
    kind: int
    length: int
    value: bytes


class Frame(NamedTuple):
    """A directory in one byte order, `<` or `>`; `parts` are its strips or tiles."""

    order: str
    entries: tuple[Entry, ...]
    parts: tuple[bytes, ...]


class _Source:
    """A TIFF's bytes, of which twice their number may be taken: parts that overlap many times over are a bomb."""

    def __init__(self, data: Data, order: str) -> None:
        self.data, self.order = data, order
        self._left = 2 * len(data)

    def unpack(self, code: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + code, self.data, place)

    def cut(self, start: int, size: int) -> bytes:
        if start + size > len(self.data):
            message = f"expected {size} bytes of a TIFF at {start}, found {len(self.data)} in all"
            raise PictureError("PictureTruncated", message)
        self._left -= size
        if self._left < 0:
            message = f"expected frames that share no bytes, found twice the file's {len(self.data)} bytes in them"
            raise PictureError("PictureUndecodable", message)
        return bytes(self.data[start : start + size])


def parse_frames(data: Data) -> Iterator[Frame]:
    """The frames in order. Raises PictureError for a TIFF that is damaged or of a kind left out."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None:
        raise PictureError("PictureUndecodable", f"expected a classic TIFF, found {bytes(data[:4])!r}")
    source = _Source(data, order)
    try:
        (place,) = source.unpack("I", 4)
        seen: set[int] = set()
        while place and place not in seen and len(seen) < MAX_FRAMES:
            seen.add(place)
            frame, place = _parse(source, place)
            yield frame
    except struct.error as error:
        raise PictureError("PictureTruncated", f"expected a whole TIFF, found {len(data)} bytes: {error}") from error


def _parse(source: _Source, place: int) -> tuple[Frame, int]:
    (count,) = source.unpack("H", place)
    if count > MAX_PARTS:
        raise PictureError("PictureUndecodable", f"expected at most {MAX_PARTS} tags in a frame, found {count}")
    found = [_entry(source, place + 2 + 12 * i) for i in range(count)]
    by_tag = {entry.tag: entry for entry in found if entry is not None and entry.tag not in _WITHIN}
    parts = [part for tags in _PLACES.items() for part in _parts(source, by_tag, tags)]
    (following,) = source.unpack("I", place + 2 + 12 * count)
    return Frame(source.order, tuple(by_tag[tag] for tag in sorted(by_tag)), tuple(parts)), following


def _entry(source: _Source, place: int) -> Entry | None:
    tag, kind, count = source.unpack("HHI", place)
    if kind not in _SIZES:
        return None
    size = _SIZES[kind] * count
    start = place + 8 if size <= 4 else source.unpack("I", place + 8)[0]
    return Entry(tag, kind, count, source.cut(start, size))


def _parts(source: _Source, by_tag: dict[int, Entry], tags: tuple[int, int]) -> Iterator[bytes]:
    if tags[0] not in by_tag or tags[1] not in by_tag:
        return
    for start, size in zip(*(_numbers(by_tag[tag], source.order) for tag in tags), strict=False):
        yield source.cut(start, size)


def _numbers(entry: Entry, order: str) -> tuple[int, ...]:
    code = {1: "B", 3: "H", 4: "I"}.get(entry.kind)
    if code is None:
        raise PictureError("PictureUndecodable", f"expected whole numbers in tag {entry.tag}, found type {entry.kind}")
    return struct.unpack(f"{order}{entry.length}{code}", entry.value)


def format_frames(frames: list[Frame]) -> bytes:
    """One TIFF of these frames, at least one and all in one byte order. ValueError where they are not."""
    orders = {frame.order for frame in frames}
    if len(orders) != 1:
        raise ValueError(f"expected frames of one byte order, found {sorted(orders)}")
    order = orders.pop()
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))
    for number, frame in enumerate(frames):
        last = number == len(frames) - 1
        _append(out, frame, last=last)
    return bytes(out)


def _append(out: bytearray, frame: Frame, *, last: bool) -> None:
    order, start = frame.order, len(out)
    free = start + 2 + 12 * len(frame.entries) + 4
    places = []
    for part in frame.parts:
        places.append(free)
        free += len(part) + len(part) % 2
    directory, behind = bytearray(struct.pack(order + "H", len(frame.entries))), bytearray()
    for entry in frame.entries:
        kind, value = entry.kind, entry.value
        if entry.tag in _PLACES and len(places) == entry.length:
            kind, value = 4, struct.pack(f"{order}{len(places)}I", *places)
        directory += struct.pack(order + "HHI", entry.tag, kind, entry.length)
        if len(value) <= 4:
            directory += value.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "I", free + len(behind))
            behind += value + b"\0" * (len(value) % 2)
    following = 0 if last else free + len(behind)
    out += directory + struct.pack(order + "I", following)
    for part in frame.parts:
        out += part + b"\0" * (len(part) % 2)
    out += behind
