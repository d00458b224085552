"""Where the members of a tar lie: a walk over its headers that never reads the members' bytes.

Formats: v7, USTAR, GNU (long names, base-256 sizes) and PAX (path and size, per member and global). `tarfile` is the
oracle of the tests; it is not used because it spends four to eight times as long. POSIX.1-2017 "pax" and
"Basic Tar Format" of the GNU tar manual are the sources.
Left out on purpose: sparse members (a picture has no holes) and multi-volume archives.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable
from typing import NamedTuple

BLOCK = 512
MAX_EXTENSION = 1 << 20
"""Bytes of one extended header. Linux paths end at 4 KiB; the limit keeps a forged size from becoming a name."""

_ZEROS = bytes(BLOCK)
_ADLER = 65521
_USTAR = b"ustar\0"


class TarMember(NamedTuple):
    """A regular file: its bytes are `[start, start + size)` of the archive."""

    name: str
    start: int
    size: int


class TarProblem(NamedTuple):
    """What lies at `offset` and cannot be a part of any sample. `error` is a Failure's class."""

    offset: int
    name: str
    error: str
    message: str


class TarIndex(NamedTuple):
    members: list[TarMember]
    problems: list[TarProblem]


class Header(NamedTuple):
    name: bytes
    size: int
    kind: bytes
    """The type flag; b"5" as well for the directories of v7, whose names end in a slash."""


def index_headers(data: mmap.mmap | bytes) -> TarIndex:
    """All members up to the end mark or the first place that is no header. Never raises, whatever the bytes."""
    return walk_headers(data)[0]


def walk_headers(data: mmap.mmap | bytes) -> tuple[TarIndex, int]:
    """As `index_headers`, with the byte at which the walk ended: where the end mark lies, or what is no header."""
    walk = _Walk(data)
    while walk.step():
        pass
    return TarIndex(walk.members, walk.problems), walk.offset


def parse_header(block: bytes) -> Header:
    """The header in 512 bytes; ValueError saying what was expected and found."""
    _check_sum(block)
    name = block[:100].partition(b"\0")[0]
    kind = block[156:157]
    if block[345] and block[257:263] == _USTAR:  # a GNU header keeps times where USTAR has the prefix
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    size = parse_number(block[124:136])
    if size < 0:
        raise ValueError(f"expected a size of at least 0, found {size}")
    if kind == b"\0":
        kind = b"5" if name.endswith(b"/") else b"0"
    return Header(name, size, kind)


def parse_number(digits: bytes) -> int:
    """An octal field, or GNU's base-256 where the first bit is set. Blank is 0."""
    text = digits.rstrip(b"\0 ").lstrip(b" ")
    try:
        if text.isdigit():
            return int(text, 8)
        if digits[0] in (0x80, 0xFF):
            return int.from_bytes(digits[1:], "big") - (0 if digits[0] == 0x80 else 256 ** (len(digits) - 1))
        text = digits.partition(b"\0")[0].strip(b" ")  # as tarfile: what follows a NUL does not count
        return int(text, 8) if text.isdigit() else _no_number(text)
    except ValueError:
        raise ValueError(f"expected an octal number, found {text!r}") from None


def _no_number(text: bytes) -> int:
    if text:
        raise ValueError(text)
    return 0


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """The records `length key=value\\n` of an extended header; ValueError on anything else."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        digits = data[position : position + 20].partition(b" ")[0]
        if not digits.isdigit():
            raise ValueError(f"expected a PAX record's length, found {digits!r}")
        end = position + int(digits)
        key, equals, value = data[position + len(digits) + 1 : end].partition(b"=")
        if end > len(data) or not equals or not key or value[-1:] != b"\n":
            raise ValueError(f"expected a PAX record of {int(digits)} bytes, found {data[position : position + 40]!r}")
        records[key] = value[:-1]
        position = end
    return records


def format_pax(records: dict[bytes, bytes]) -> bytes:
    """The inverse of `parse_pax`: each record states its own length, the digits of that length included."""
    return b"".join(_pax_record(key, value) for key, value in records.items())


def _pax_record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _check_sum(block: bytes) -> None:
    """Adler-32's low half is 1 + the sum of the bytes modulo 65521, at a tenth of the time of sum()."""
    stated = parse_number(block[148:156])
    others = (zlib.adler32(block) & 0xFFFF) - 1 - sum(block[148:156]) + 8 * 32
    if (others - stated) % _ADLER and _signed_sum(block) != stated:
        raise ValueError(f"expected a tar header, found 512 bytes whose checksum is not the stated {stated}")


def _signed_sum(block: bytes) -> int:
    """Some old tars summed signed characters; GNU tar and tarfile accept both."""
    rest = block[:148] + block[156:]
    return sum(rest) - 256 * sum(byte > 127 for byte in rest) + 8 * 32


class _Walk:
    """The position in the archive, and what extended headers have said about the member to come."""

    def __init__(self, data: mmap.mmap | bytes):
        self.data = data
        self.size = len(data)
        self.offset = 0
        self.members: list[TarMember] = []
        self.problems: list[TarProblem] = []
        self.everywhere: dict[bytes, bytes] = {}
        self.pending: dict[bytes, bytes] = {}

    def step(self) -> bool:
        """Reads the header at `offset` and moves behind its data; False at the end."""
        block = self.data[self.offset : self.offset + BLOCK]
        if block == _ZEROS or len(block) < BLOCK:
            return self._end(block)
        try:
            header = parse_header(block)
            return _HANDLERS.get(header.kind, _Walk._regular)(self, header)
        except ValueError as error:
            return self._stop(header_name(block), "TarBroken", str(error))

    def _end(self, block: bytes) -> bool:
        if block and block != _ZEROS[: len(block)]:
            return self._stop("", "TarTruncated", f"expected a header of 512 bytes, found {len(block)} before the end")
        if self.pending:
            return self._stop("", "TarBroken", "expected a member behind its extended header, found the end")
        return False

    def _stop(self, name: str, error: str, message: str) -> bool:
        self.problems.append(TarProblem(self.offset, name, error, message))
        return False

    def _regular(self, header: Header) -> bool:
        raw, size = self._overridden(header) if self.pending or self.everywhere else (header.name, header.size)
        name = raw.decode("utf-8", "backslashreplace")
        if self.pending and (b"GNU.sparse.major" in self.pending or b"GNU.sparse.map" in self.pending):
            self._refuse_sparse(self.pending.get(b"GNU.sparse.name") or raw)
            return self._advance(size)
        start = self.offset + BLOCK
        if start + size > self.size:
            message = f"expected {size} bytes of a member, found {self.size - start} before the end"
            return self._stop(name, "TarTruncated", message)
        self.members.append(TarMember(name, start, size))
        return self._advance(size)

    def _advance(self, size: int) -> bool:
        self.offset += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
        self.pending = {}
        return True

    def _overridden(self, header: Header) -> tuple[bytes, int]:
        """Name and size where an extended header stands before the member. An empty PAX value restores the header's."""
        records = {**self.everywhere, **self.pending}
        size = records.get(b"size") or b"%d" % header.size
        if not size.isdigit():
            raise ValueError(f"expected a PAX size in decimal digits, found {size!r}")
        return records.get(b"path") or header.name, int(size)

    def _directory(self, header: Header) -> bool:
        return self._advance(0)

    def _refused(self, header: Header) -> bool:
        error, what = _REFUSED[header.kind]
        name = self._overridden(header)[0].decode("utf-8", "backslashreplace")
        self.problems.append(TarProblem(self.offset, name, error, f"expected a regular file, found {what}"))
        return self._advance(0)

    def _sparse(self, header: Header) -> bool:
        """GNU's old sparse format: further maps of 512 bytes follow the header while their last flag is set."""
        name, size = self._overridden(header)
        maps, flag = 0, 482
        while self.data[self.offset + maps * BLOCK + flag : self.offset + maps * BLOCK + flag + 1] not in (b"", b"\0"):
            maps, flag = maps + 1, 504
        self._refuse_sparse(name)
        self.offset += maps * BLOCK
        return self._advance(size)

    def _refuse_sparse(self, name: bytes) -> None:
        message = "expected a regular file, found a sparse one"
        self.problems.append(TarProblem(self.offset, name.decode("utf-8", "backslashreplace"), "TarBroken", message))

    def _long_name(self, header: Header) -> bool:
        return self._extended(header, {b"path": self._payload(header).partition(b"\0")[0]})

    def _long_link(self, header: Header) -> bool:
        return self._extended(header, {})

    def _pax(self, header: Header) -> bool:
        return self._extended(header, parse_pax(self._payload(header).rstrip(b"\0")))

    def _pax_global(self, header: Header) -> bool:
        pending, records = self.pending, parse_pax(self._payload(header).rstrip(b"\0"))
        self.everywhere |= records
        return self._extended(header, pending)

    def _extended(self, header: Header, records: dict[bytes, bytes]) -> bool:
        pending = self.pending | records
        self._advance(header.size)
        if self.offset > self.size:
            return self._stop("", "TarTruncated", f"expected an extended header of {header.size} bytes, found the end")
        self.pending = pending
        return True

    def _payload(self, header: Header) -> bytes:
        if header.size > MAX_EXTENSION:
            raise ValueError(f"expected an extended header of at most {MAX_EXTENSION} bytes, found {header.size}")
        start = self.offset + BLOCK
        return self.data[start : start + header.size]


def header_name(block: bytes) -> str:
    """The name for a message; empty where the bytes hardly are one."""
    name = block[:100].partition(b"\0")[0]
    return name.decode() if name.isascii() and name.decode().isprintable() else ""


_REFUSED = {
    b"1": ("TarLink", "a hard link"),
    b"2": ("TarLink", "a symbolic link"),
    b"3": ("TarDevice", "a character device"),
    b"4": ("TarDevice", "a block device"),
    b"6": ("TarDevice", "a FIFO"),
}
_HANDLERS: dict[bytes, Callable[[_Walk, Header], bool]] = {
    **dict.fromkeys(_REFUSED, _Walk._refused),
    b"5": _Walk._directory,
    b"L": _Walk._long_name,
    b"K": _Walk._long_link,
    b"x": _Walk._pax,
    b"X": _Walk._pax,
    b"g": _Walk._pax_global,
    b"S": _Walk._sparse,
}
