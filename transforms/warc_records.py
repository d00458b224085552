"""WARC records with the place of each in its file: what can be read is, and what cannot is a problem with its place.

Own framing, because it must survive what crawls leave behind: of FastWARC and warcio neither goes on after a damaged
member, and FastWARC passes over the rest of a file in silence where one Content-Length is too long (measured, 2.0.1).
A record alone in its gzip member, and a record of a plain file, is addressed by its bytes in the file; one of several
in a member by its place in the decompressed stream. WARC 1.0 and 1.1 (ISO 28500:2017).
Left out on purpose: what is inside the block (transforms/http_messages.py), ARC files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from configs.schema.web_reading import WebReadRules
from transforms.records import Container
from transforms.warc_members import Data, Member, PackedMember, PlainMember, WarcDamage, find_member, is_packed

Headers = dict[str, str]
"""By name in lower case; of a name that comes again the first value."""
HEAD_ONLY = 64 << 10
"""Bytes kept of a block that is too large to be kept whole: enough to say what it is."""
_NEXT = b"\nWARC/1."
_END = 4
"""CRLF CRLF behind each block."""
_PEEK = 4096
"""Bytes in which a header ends, nearly always."""


class WarcRecord(NamedTuple):
    headers: Headers
    block: bytes
    """The whole block, or its first HEAD_ONLY bytes where `length` says that it is longer than may be kept."""
    length: int
    start: int
    end: int
    container: Container
    """`warc` where start and end are places in the file, `warc.gz` where they are in its decompressed stream."""


class WarcProblem(NamedTuple):
    """Bytes `[start, end)` of the file that gave no record; reading went on at `end`."""

    start: int
    end: int
    error: str
    message: str
    url: str = ""


class _BadRecord(WarcDamage):
    """A record that cannot be used, although its member can be read on, from `resume`."""

    def __init__(self, error: str, message: str, resume: int, url: str = "") -> None:
        super().__init__(error, message)
        self.resume, self.url = resume, url


def read_records(data: Data, rules: WebReadRules) -> Iterator[WarcRecord | WarcProblem]:
    """Every record and every problem of a file, in its order."""
    if not is_packed(data):
        yield from _records_in(PlainMember(data), 0, rules)
        return
    place, unpacked, whole = 0, 0, True
    while place < len(data):
        member = PackedMember(data, place, rules.max_unpacked_ratio)
        try:
            for item in _records_in(member, unpacked, rules):
                yield item if whole else _addressable(item, member)
            place = member.end
        except WarcDamage as damage:
            # Damage is noticed behind its place, and no length inside it holds: the next member is looked for.
            whole, start = False, place
            place = find_member(data, place + 1, rules.max_unpacked_ratio)
            broken = damage.error == "WarcTruncated" and place < len(data)
            yield WarcProblem(start, place, "WarcBroken" if broken else damage.error, str(damage))
        unpacked += member.offset


def _records_in(member: Member, before: int, rules: WebReadRules) -> Iterator[WarcRecord | WarcProblem]:
    """The records of a member; `before` bytes of the stream were unpacked before it."""
    first = True
    while member.skip_newlines():
        start = member.offset
        try:
            headers, block, length = _read_record(member, rules)
        except _BadRecord as bad:
            first = False
            yield _go_on(member, start, bad)
            continue
        end = member.offset
        if isinstance(member, PlainMember):
            yield WarcRecord(headers, block, length, start, end, "warc")
        elif first and not member.skip_newlines():
            yield WarcRecord(headers, block, length, member.start, member.end, "warc")
        else:
            yield WarcRecord(headers, block, length, before + start, before + end, "warc.gz")
        first = False


def _addressable(item: WarcRecord | WarcProblem, member: Member) -> WarcRecord | WarcProblem:
    """A record that can be found again: behind damage no place in the decompressed stream is known."""
    if isinstance(item, WarcProblem) or item.container == "warc":
        return item
    message = "expected one record in each gzip member behind damaged bytes, found several"
    return WarcProblem(member.start, member.end, "WarcBroken", message, target_uri(item.headers))


def _go_on(member: Member, start: int, bad: _BadRecord) -> WarcProblem:
    """Passes over a bad record to where the next one seems to begin."""
    member.seek_back(bad.resume)
    found = member.skip_to(_NEXT)
    error = "WarcBroken" if found and bad.error == "WarcTruncated" else bad.error
    if isinstance(member, PlainMember):
        return WarcProblem(start, member.offset, error, str(bad), bad.url)
    return WarcProblem(member.start, member.end, error, str(bad), bad.url)


def _read_record(member: Member, rules: WebReadRules) -> tuple[Headers, bytes, int]:
    """Headers, block and the block's length; the member stands behind the block. Raises WarcDamage."""
    head = _take_head(member, rules.max_header_bytes)
    headers, resume = parse_headers(head), member.offset
    url, text = target_uri(headers), headers.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _BadRecord("WarcBroken", f"expected Content-Length to be a number, found {text[:40]!r}", resume, url)
    length = int(text)
    kept = length if length <= max_block_bytes(rules) else HEAD_ONLY
    if isinstance(member, PlainMember):
        # Looked at before it is copied: in a file of small records that claim to be large each would cost its claim.
        _check_end(member, (member.skip(length), length), resume, url)
        member.seek_back(resume)
    block = member.take(kept)
    found = len(block) + (member.skip(length - kept) if len(block) == kept else 0)
    _check_end(member, (found, length), resume, url)
    return headers, block, length


def _check_end(member: Member, sizes: tuple[int, int], resume: int, url: str) -> None:
    """That a block of `sizes`, found and expected, ends where the member stands. Raises _BadRecord."""
    found, length = sizes
    if found < length:
        message = f"expected a record with {length} bytes of content, found {found}"
        raise _BadRecord("WarcTruncated", message, resume, url)
    behind = member.peek(_END + 5).lstrip(b"\r\n")
    if behind[:5] != b"WARC/"[: len(behind)]:
        message = f"expected the next record behind {length} bytes of content, found {behind[:5]!r}"
        raise _BadRecord("WarcBroken", message, resume, url)


def _take_head(member: Member, max_bytes: int) -> bytes:
    """A record's header with the empty line behind it."""
    start = member.offset
    if (found := member.peek(5)) != b"WARC/":
        error = "WarcTruncated" if b"WARC/".startswith(found) else "WarcBroken"
        raise _BadRecord(error, f"expected a record at byte {start}, found {found!r}", start)
    for size in (min(_PEEK, max_bytes), max_bytes):
        head = member.peek(size)
        end = head.find(b"\r\n\r\n")
        if end >= 0:
            return member.take(end + 4)
    if len(head) < max_bytes:
        message = f"expected the end of a header at byte {start}, found {len(head)} bytes of it"
        raise _BadRecord("WarcTruncated", message, start + 5)
    message = f"expected a header of at most {max_bytes} bytes at byte {start}, found more"
    raise _BadRecord("WarcHeaderTooLarge", message, start + 5)


def parse_headers(head: bytes) -> Headers:
    """Named fields behind a first line, folded ones joined. Bytes that are not UTF-8 become U+FFFD."""
    headers: Headers = {}
    name = ""
    for line in str(head, "utf-8", "replace").split("\n")[1:]:
        if line[:1] in (" ", "\t") and name:
            headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if colon and name not in headers:
            headers[name] = value.strip()
        else:
            name = ""
    return headers


def target_uri(headers: Headers) -> str:
    """The address of what was captured; some writers of WARC 1.0 put it in angle brackets."""
    return headers.get("warc-target-uri", "").strip("<>")


def max_block_bytes(rules: WebReadRules) -> int:
    """Of a record that is held in memory whole."""
    return max(rules.max_page_bytes, rules.max_picture_bytes) + rules.max_header_bytes
