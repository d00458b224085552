"""Web archives as captures: pages with their bytes, pictures and redirects as what an index keeps of them.

Every record gives one capture, so that what was read adds up: `Page`, `Resource`, `Redirect`, `Ignored` with what it
was, or `Refused` with a failure. What a body is its bytes say, where its header says nothing or lies.
Left out on purpose: text (transforms/page_charset.py), and which picture a page's address means (web_resources.py).
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator
from typing import NamedTuple

from configs.schema.web_reading import WebReadRules
from transforms.http_messages import BodyLimits, HttpError, Response, content_type, decode_body, parse_response
from transforms.page_sniffing import PAGE_TYPES, picture_size, sniff_body
from transforms.records import Failure, Span
from transforms.warc_members import Data
from transforms.warc_records import WarcProblem, WarcRecord, read_records, target_uri
from transforms.web_urls import resolve_url

MAX_DATE = 32
"""Characters of a WARC-Date; 1.1 allows nanoseconds."""


class Page(NamedTuple):
    position: int
    """Ordinal of its record in the archive."""
    url: str
    """As the archive names it."""
    date: str
    """When it was captured, ISO 8601 as in the archive; empty where it says nothing."""
    span: Span
    body: bytes
    """As the server meant it: without chunks and Content-Encoding. Not to be kept beyond its batch."""
    charset: str
    """Label of the HTTP header, as it stands there; empty where there is none."""
    truncated: str = ""
    """Why the crawler cut the record (length, time, disconnect), where it says so."""


class Resource(NamedTuple):
    """A picture that pages may name. Its size is 0 x 0 where its header cannot be read."""

    position: int
    url: str
    date: str
    span: Span
    format: str
    width: int
    height: int
    size: int
    """Bytes of the picture's file."""
    sha256: bytes


class Redirect(NamedTuple):
    position: int
    url: str
    date: str
    target: str
    """As in the archive, made absolute."""


class Ignored(NamedTuple):
    position: int
    url: str
    reason: str
    """A type of record (`request`), `status 404`, a media type, `revisit`."""


class Refused(NamedTuple):
    position: int
    url: str
    failure: Failure


Capture = Page | Resource | Redirect | Ignored | Refused


class _Payload(NamedTuple):
    """A body on its way to be judged."""

    url: str
    type: str
    charset: str
    body: bytes


def open_warc(path: str) -> Data:
    """The mapped file, empty bytes where it is empty. Raises OSError."""
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def read_warc(path: str, uri: str, rules: WebReadRules) -> Iterator[Capture]:
    """A capture for each record of the archive at the local `path`, spans naming it `uri`. Raises OSError."""
    data = open_warc(path)
    if not len(data):
        yield Refused(0, "", Failure("UnitEmpty", "expected a WARC, found a file of zero bytes", f"{uri}@0-0"))
    for position, item in enumerate(read_records(data, rules)):
        if isinstance(item, WarcProblem):
            yield Refused(position, item.url, Failure(item.error, item.message, f"{uri}@{item.start}-{item.end}"))
        else:
            yield read_capture(item, position, uri, rules)


def read_capture(record: WarcRecord, position: int, uri: str, rules: WebReadRules) -> Capture:
    """What one record is to us."""
    kind, url = record.headers.get("warc-type", "").lower(), target_uri(record.headers)
    if kind not in ("response", "resource", "revisit") or not url.lower().startswith(("http://", "https://")):
        return Ignored(position, url, kind or "no type")
    try:
        if kind == "resource":
            media, charset = content_type(record.headers.get("content-type", ""))
            payload: _Payload | Redirect | Ignored = _Payload(url, media, charset, record.block)
        else:
            payload = _read_response(record, position, rules)
        if not isinstance(payload, _Payload):
            return payload
        return _judge(payload, record, Span(uri, record.start, record.end, record.container, url), (position, rules))
    except HttpError as error:
        place = f"{uri}@{record.start}-{record.end}"
        return Refused(position, url, Failure(error.error, str(error), place))


def read_body(data: bytes, rules: WebReadRules) -> bytes:
    """The body that a record's own bytes hold: how a span is read again. OSError where they hold none."""
    record = next(read_records(data, rules), None)
    if not isinstance(record, WarcRecord):
        raise OSError(f"expected a WARC record, found {record.message if record else 'nothing'}")
    if record.headers.get("warc-type", "").lower() == "resource":
        return record.block
    try:
        response = parse_response(record.block, rules.max_header_bytes)
        return decode_body(response, _limits(max(rules.max_page_bytes, rules.max_picture_bytes), rules))
    except HttpError as error:
        raise OSError(str(error)) from error


def _read_response(record: WarcRecord, position: int, rules: WebReadRules) -> _Payload | Redirect | Ignored:
    headers, url = record.headers, target_uri(record.headers)
    date = headers.get("warc-date", "")[:MAX_DATE]
    if headers["warc-type"].lower() == "revisit" and not record.block.startswith(b"HTTP/"):
        return _read_revisit(record, position, date)
    response = parse_response(record.block, rules.max_header_bytes)
    location = response.headers.get("location", "")
    if 300 <= response.status < 400 and location and response.status != 304:
        return Redirect(position, url, date, resolve_url(location, url) or location[: rules.max_url_characters])
    if headers["warc-type"].lower() == "revisit":
        return _read_revisit(record, position, date)
    if not 200 <= response.status < 300:
        return Ignored(position, url, f"status {response.status}")
    media, charset = content_type(response.headers.get("content-type", ""))
    if record.length > len(record.block):
        return _Payload(url, media, charset, response.body)
    larger = max(rules.max_page_bytes, rules.max_picture_bytes)
    return _Payload(url, media, charset, _decoded(response, media, _limits(larger, rules)))


def _decoded(response: Response, media: str, limits: BodyLimits) -> bytes:
    try:
        return decode_body(response, limits)
    except HttpError as error:
        name = "Page" if media in PAGE_TYPES else "Picture" if media.startswith("image/") else "Body"
        raise HttpError(error.error.replace("Body", name), str(error)) from error


def _read_revisit(record: WarcRecord, position: int, date: str) -> Redirect | Ignored:
    """The same bytes as another capture: where that was of another address, this one leads there."""
    url, first = target_uri(record.headers), record.headers.get("warc-refers-to-target-uri", "").strip("<>")
    if first and first != url:
        return Redirect(position, url, date, first)
    return Ignored(position, url, "revisit")


def _judge(payload: _Payload, record: WarcRecord, span: Span, asked: tuple[int, WebReadRules]) -> Capture:
    position, rules = asked
    cut = record.length > len(record.block)
    size = record.length if cut else len(payload.body)
    found = sniff_body(payload.body, payload.type)
    date = record.headers.get("warc-date", "")[:MAX_DATE]
    if found == "page":
        _check_size("Page", size, rules.max_page_bytes)
        truncated = record.headers.get("warc-truncated", "")[:MAX_DATE]
        return Page(position, payload.url, date, span, payload.body, payload.charset, truncated)
    if not found:
        return Ignored(position, payload.url, payload.type[:80] or "no media type")
    _check_size("Picture", size, rules.max_picture_bytes)
    header = picture_size(payload.body, found)
    sha256 = hashlib.sha256(payload.body).digest()
    return Resource(position, payload.url, date, span, found, header.width, header.height, size, sha256)


def _check_size(what: str, size: int, limit: int) -> None:
    if not size:
        raise HttpError(f"{what}Empty", f"expected a {what.lower()}, found zero bytes")
    if size > limit:
        raise HttpError(f"{what}TooLarge", f"expected a {what.lower()} of at most {limit} bytes, found {size}")


def _limits(max_bytes: int, rules: WebReadRules) -> BodyLimits:
    return BodyLimits(max_bytes, rules.max_unpacked_ratio)
