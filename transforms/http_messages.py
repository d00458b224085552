"""HTTP responses as archives hold them: status, headers, and the body as a browser would see it.

Archives differ: Common Crawl stores bodies decoded and renames the headers that say otherwise, others store what came
over the wire, and some decode the body and leave the header. So a header that the bytes contradict is not believed.
Left out on purpose: what the body is (transforms/warc_reader.py).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from email.message import Message
from typing import NamedTuple, Protocol

import brotli
import zstandard

from transforms.warc_members import ALWAYS_ALLOWED, MAX_WINDOW
from transforms.warc_records import Headers, parse_headers

MAX_CODINGS = 3
"""Content-Encodings on top of each other; real servers send one, broken ones two."""
_STATUS = re.compile(rb"HTTP/[0-9.]+[ \t]+([0-9]{3})")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_STEP = 1 << 20


class HttpError(Exception):
    """A response that cannot be used. `error` is the Failure class, the message says expected and found."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


class Response(NamedTuple):
    status: int
    headers: Headers
    body: bytes
    """As stored: chunks and codings still in it."""


class BodyLimits(NamedTuple):
    max_bytes: int
    max_ratio: int
    """Decoded over coded bytes, beyond the first ALWAYS_ALLOWED."""


def parse_response(block: bytes, max_header_bytes: int) -> Response:
    """Raises HttpError for what has no status line, or a header that does not end in time."""
    status = _STATUS.match(block)
    if not status:
        raise HttpError("HttpBroken", f"expected an HTTP status line, found {block[:20]!r}")
    end = _HEAD_END.search(block, 0, max_header_bytes)
    if not end and len(block) >= max_header_bytes:
        raise HttpError("HttpBroken", f"expected an HTTP header of at most {max_header_bytes} bytes, found more")
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    return Response(int(status[1]), parse_headers(head), body)


def decode_body(response: Response, limits: BodyLimits) -> bytes:
    """The body without chunks and Content-Encoding; at most `limits.max_bytes`, else HttpError BodyTooLarge.

    What a coding's name promises and the bytes do not hold is left as it is: most often it was decoded by the crawler.
    A coded body that breaks off, or is damaged, raises HttpError BodyBroken.
    """
    body = response.body
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        body = join_chunks(body)
    codings = [name.strip() for name in response.headers.get("content-encoding", "").lower().split(",")]
    for name in reversed(codings[-MAX_CODINGS:]):
        body = _decode(body, name, limits)
    if len(body) > limits.max_bytes:
        raise HttpError("BodyTooLarge", f"expected at most {limits.max_bytes} bytes, found {len(body)}")
    return body


def join_chunks(body: bytes) -> bytes:
    """RFC 9112, 7.1. What is not in chunks stays; what breaks off gives the bytes that came."""
    chunks: list[bytes] = []
    place = 0
    while match := _CHUNK_SIZE.match(body, place):
        size = int(match[1], 16)
        if not size:
            return b"".join(chunks)
        chunks.append(body[match.end() : match.end() + size])
        place = match.end() + size
        place += 2 if body[place : place + 2] == b"\r\n" else body[place : place + 1] == b"\n"
        if place < len(body) and not _CHUNK_SIZE.match(body, place):
            return body  # no size where one must be: it only looked like chunks
    return b"".join(chunks) if place >= len(body) else body


def content_type(value: str) -> tuple[str, str]:
    """(media type in lower case, charset label) of a Content-Type; empty where it names none."""
    media = value.partition(";")[0].strip().lower()
    message = Message()
    message["content-type"] = value
    try:
        charset = message.get_param("charset", "") if "charset" in value.lower() else ""
    except ValueError:
        charset = ""
    return media, charset.strip() if isinstance(charset, str) else ""


class _Inflater(Protocol):
    @property
    def ended(self) -> bool: ...

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        """(some of the decoded bytes, the coded ones not looked at yet)"""


class _Zlib:
    def __init__(self, window: int) -> None:
        self._inflate = zlib.decompressobj(window)

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        return self._inflate.decompress(data, _STEP), self._inflate.unconsumed_tail


class _Brotli:
    def __init__(self) -> None:
        self._inflate = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._inflate.is_finished())

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        decoded: bytes = self._inflate.process(data, output_buffer_limit=_STEP)
        return decoded, b""


class _Zstandard:
    _PIECE = 2 << 10

    def __init__(self) -> None:
        self._inflate = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()

    @property
    def ended(self) -> bool:
        return self._inflate.eof

    def step(self, data: bytes) -> tuple[bytes, bytes]:
        return self._inflate.decompress(data[: self._PIECE]), data[self._PIECE :]


def _deflate(body: bytes) -> _Zlib:
    """RFC 9110 means zlib's format; some servers send it bare, and browsers read both."""
    return _Zlib(15 if len(body) > 1 and body[0] & 15 == 8 and not int.from_bytes(body[:2], "big") % 31 else -15)


_CODINGS: dict[str, tuple[bytes, Callable[[bytes], _Inflater]]] = {
    "gzip": (b"\x1f\x8b", lambda body: _Zlib(31)),
    "x-gzip": (b"\x1f\x8b", lambda body: _Zlib(31)),
    "zstd": (b"\x28\xb5\x2f\xfd", lambda body: _Zstandard()),
    "deflate": (b"", _deflate),
    "br": (b"", lambda body: _Brotli()),
}
"""By name: how the coded bytes begin, where that is fixed, and what decodes them."""


def _decode(body: bytes, name: str, limits: BodyLimits) -> bytes:
    if name not in _CODINGS or not body:
        return body
    magic, inflater = _CODINGS[name]
    if not body.startswith(magic):
        return body
    try:
        return _inflate(body, inflater(body), limits)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        if not magic and _is_plain(body):
            return body
        raise HttpError("BodyBroken", f"expected a body coded as {name}, found: {error}") from error


def _inflate(body: bytes, inflater: _Inflater, limits: BodyLimits) -> bytes:
    decoded, rest = bytearray(), body
    while not inflater.ended:
        piece, rest = inflater.step(rest)
        decoded += piece
        if len(decoded) > limits.max_bytes:
            raise HttpError("BodyTooLarge", f"expected at most {limits.max_bytes} bytes, found more unpacked")
        if len(decoded) > max(ALWAYS_ALLOWED, limits.max_ratio * len(body)):
            raise HttpError("BodyTooLarge", f"expected at most {limits.max_ratio} times {len(body)} bytes, found more")
        if not piece and not rest and not inflater.ended:
            raise zlib.error(f"its end missing, {len(decoded)} bytes came")
    return bytes(decoded)


def _is_plain(body: bytes) -> bool:
    """Whether a body whose coding has no signature was never coded: markup, or a picture."""
    return body.lstrip()[:1] == b"<" or body[:4] in (b"\x89PNG", b"GIF8", b"RIFF") or body[:3] == b"\xff\xd8\xff"
