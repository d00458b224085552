"""The bytes of a WARC file as they unpack: a plain file, or gzip members and zstd frames one after the other.

A member is unpacked as far as it is asked for, in steps of a megabyte, so that a bomb is met before it is in memory.
By ISA-L, which unpacks text twice as fast as zlib; over 500,000 mutated members it never crashed, and accepted nine to
their end that zlib refuses (measured, isal 1.9.1).
Left out on purpose: what the bytes mean (transforms/warc_records.py), zstd with a dictionary.
"""

from __future__ import annotations

import mmap
import os
import re
import tempfile
from typing import Protocol, cast

import zstandard
from isal import isal_zlib

GZIP, ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
ALWAYS_ALLOWED = 16 << 20
"""Unpacked bytes below which the ratio does not matter."""
MAX_WINDOW = 128 << 20
"""Bytes of zstd's window: what `zstd --long` writes needs no more."""
MAX_TRIES = 1_000_000
"""Places tried as the start of a member after damage; each costs microseconds, so a hostile file costs seconds."""
_STEP = 1 << 20
_PROBE = 1024
"""Bytes in which a gzip member shows its first five: its header, names and the first codes."""

_IsalError = cast("type[Exception]", isal_zlib.error)
"""Its stubs call it an instance."""
_NOT_NEWLINE = re.compile(rb"[^\r\n]")

Data = mmap.mmap | bytes


class WarcDamage(Exception):
    """Why the bytes cannot be read on. `error` is the Failure class, the message says expected and found."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


class Member(Protocol):
    """Bytes to be read once, from front to back."""

    start: int
    """In the file."""
    end: int
    """In the file, once all was read."""
    offset: int
    """Bytes given out so far."""

    def peek(self, size: int) -> bytes:
        """The next bytes without taking them; fewer at the end."""

    def take(self, size: int) -> bytes: ...

    def skip(self, size: int) -> int:
        """How many of `size` bytes were there to be passed over."""

    def skip_newlines(self) -> bool:
        """Whether anything follows them."""

    def seek_back(self, offset: int) -> None:
        """To `offset`, where that is possible; else nothing happens."""

    def skip_to(self, mark: bytes) -> bool:
        """To where `mark` begins; False where it does not come, and everything was passed over."""


class PlainMember:
    """An uncompressed file, all of it."""

    def __init__(self, data: Data) -> None:
        self._data, self.start, self.end, self.offset = data, 0, len(data), 0

    def peek(self, size: int) -> bytes:
        return self._data[self.offset : self.offset + size]

    def take(self, size: int) -> bytes:
        taken = self.peek(size)
        self.offset += len(taken)
        return taken

    def skip(self, size: int) -> int:
        skipped = min(size, self.end - self.offset)
        self.offset += skipped
        return skipped

    def skip_newlines(self) -> bool:
        rest = _NOT_NEWLINE.search(self._data, self.offset)
        self.offset = rest.start() if rest else self.end
        return rest is not None

    def seek_back(self, offset: int) -> None:
        self.offset = offset

    def skip_to(self, mark: bytes) -> bool:
        found = self._data.find(mark, self.offset)
        self.offset = self.end if found < 0 else found
        return found >= 0


class PackedMember:
    """One gzip member or zstd frame, from `start` of the file on. Whatever is wrong with it is a WarcDamage."""

    def __init__(self, data: Data, start: int, max_ratio: int) -> None:
        self._data, self.start, self.end, self.offset = data, start, start, 0
        self._inflater = _Zstd() if data[start : start + 4] == ZSTD else _Gzip()
        self._max_ratio = max_ratio
        self._buffer = bytearray()
        self._damage: WarcDamage | None = None

    def peek(self, size: int) -> bytes:
        self._fill(size)
        with memoryview(self._buffer) as waiting:
            return bytes(waiting[:size])

    def take(self, size: int) -> bytes:
        taken = self.peek(size)
        self._drop(len(taken))
        return taken

    def skip(self, size: int) -> int:
        left = size
        while left and self._fill(1):
            step = min(left, len(self._buffer))
            self._drop(step)
            left -= step
        return size - left

    def skip_newlines(self) -> bool:
        while self._fill(1):
            if self._buffer[0] not in b"\r\n":
                return True
            with memoryview(self._buffer) as waiting:
                rest = _NOT_NEWLINE.search(waiting)
                newlines = rest.start() if rest else len(waiting)
                del rest
            self._drop(newlines)
        return False

    def seek_back(self, offset: int) -> None:
        pass

    def skip_to(self, mark: bytes) -> bool:
        while self._fill(len(mark)) >= len(mark):
            found = self._buffer.find(mark)
            if found >= 0:
                self._drop(found)
                return True
            self._drop(len(self._buffer) - len(mark) + 1)
        self._drop(len(self._buffer))
        return False

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self.offset += size

    def _fill(self, size: int) -> int:
        """Unpacks until `size` bytes wait, or all are unpacked; how many wait. What came before damage is given out
        first: WarcDamage is raised once nothing waits."""
        while len(self._buffer) < size and not self._inflater.ended:
            if not self._damage:
                self._unpack()
            if self._damage:
                if not self._buffer:
                    raise self._damage
                break
        return len(self._buffer)

    def _unpack(self) -> None:
        fed = self._data[self.end : self.end + self._inflater.feeds]
        try:
            unpacked, used = self._inflater.feed(fed)
        except (_IsalError, zstandard.ZstdError, EOFError) as error:
            self._damage = WarcDamage("WarcBroken", f"expected packed data up to byte {self.end}, found: {error}")
            return
        if not (used or unpacked or self._inflater.ended):
            found = f"the file's end {self.end - self.start} bytes into it"
            self._damage = WarcDamage("WarcTruncated", f"expected a whole member, found {found}")
        self.end += used
        self._buffer += unpacked
        self._check_ratio()

    def _check_ratio(self) -> None:
        unpacked, packed = self.offset + len(self._buffer), self.end - self.start
        if unpacked > ALWAYS_ALLOWED and unpacked > self._max_ratio * packed:
            message = f"expected at most {self._max_ratio} times the packed bytes, found {unpacked} of {packed}"
            raise WarcDamage("WarcTooLarge", message)


class _Gzip:
    feeds = 64 << 10

    def __init__(self) -> None:
        self._inflate = isal_zlib.decompressobj(31)

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """What some of `data` unpacks to, and how much of it was used."""
        unpacked = self._inflate.decompress(data, _STEP)
        # At the end of a member zlib reports the rest of the input under both names.
        rest = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        return unpacked, len(data) - len(rest)


class _Zstd:
    """zstandard cannot be told how much to unpack, so it is fed in pieces too small to unpack to much."""

    feeds = 2 << 10
    """A block of 128 KiB takes four bytes at least: 64 MiB at the very most."""

    def __init__(self) -> None:
        self._inflate = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def feed(self, data: bytes) -> tuple[bytes, int]:
        unpacked = self._inflate.decompress(data)
        return unpacked, len(data) - len(self._inflate.unused_data)


def is_packed(data: Data, start: int = 0) -> bool:
    return data[start : start + 3] == GZIP or data[start : start + 4] == ZSTD


def unpack_all(data: Data, folder: str, limits: tuple[int, int]) -> Data:
    """The decompressed stream of a file, mapped from an unnamed file in `folder`, as far as it is sound.

    `limits` are the most unpacked bytes, and the ratio of a member. Raises OSError above the first.
    """
    os.makedirs(folder, exist_ok=True)
    place, written = 0, 0
    with tempfile.TemporaryFile(dir=folder) as target:
        while place < len(data):
            member = PackedMember(data, place, limits[1])
            try:
                while piece := member.take(_STEP):
                    written += target.write(piece)
                    if written > limits[0]:
                        raise OSError(f"expected at most {limits[0]} unpacked bytes, found more")
            except WarcDamage:
                break  # nobody holds a span behind it
            place = member.end
        target.flush()
        return mmap.mmap(target.fileno(), 0, access=mmap.ACCESS_READ) if written else b""


def find_member(data: Data, start: int, max_ratio: int) -> int:
    """Where, from `start` on, a member begins that unpacks to a record; the data's end where none does."""
    magic, begins = (ZSTD, _begins_zstd) if data[:4] == ZSTD else (GZIP, _begins_gzip)
    for _ in range(MAX_TRIES):
        start = data.find(magic, start)
        if start < 0:
            break
        if begins(data, start, max_ratio):
            return start
        start += 1
    return len(data)


def _begins_gzip(data: Data, start: int, max_ratio: int) -> bool:
    try:
        return isal_zlib.decompressobj(31).decompress(data[start : start + _PROBE], 5) == b"WARC/"
    except _IsalError:
        return False


def _begins_zstd(data: Data, start: int, max_ratio: int) -> bool:
    try:
        return PackedMember(data, start, max_ratio).peek(5) == b"WARC/"
    except WarcDamage:
        return False
