"""Web archives for the readers' tests, made from literals record by record."""

from __future__ import annotations

import gzip
from pathlib import Path

from configs.schema.web_reading import WebReadRules
from transforms.warc_reader import Capture, Page, Refused, read_warc

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)
"""One pixel."""
HTML = b"<!DOCTYPE html><title>a</title><p>b"


def record(
    url: str = "http://a.example/",
    body: bytes = HTML,
    *,
    media: str = "text/html",
    http: str | None = None,
    type: str = "response",
    length: str | None = None,
    extra: str = "",
    date: str = "2026-01-02T03:04:05Z",
) -> bytes:
    """One record; `http` is its whole HTTP header where it is not `200 OK` with a `Content-Type` of `media`."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n\r\n" if http is None else http
    block = (head.encode() if type != "resource" else b"") + body
    lines = ["WARC/1.0", f"WARC-Type: {type}", f"WARC-Target-URI: {url}", f"WARC-Date: {date}"]
    lines += [f"Content-Type: {media if type == 'resource' else 'application/http; msgtype=response'}"]
    head = "\r\n".join([*lines, f"{extra}Content-Length: {len(block) if length is None else length}"])
    return head.encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def redirect(url: str, target: str, *, status: int = 302, date: str = "2026-01-02T03:04:05Z") -> bytes:
    return record(url, b"", http=f"HTTP/1.1 {status} Found\r\nLocation: {target}\r\n\r\n", date=date)


def packed(*records: bytes) -> bytes:
    """Each record in a gzip member of its own."""
    return b"".join(gzip.compress(one, mtime=0) for one in records)


def captures(folder: Path, data: bytes, rules: WebReadRules | None = None) -> list[Capture]:
    path = folder / "x.warc.gz"
    path.write_bytes(data)
    return list(read_warc(str(path), str(path), rules or WebReadRules()))


def told(found: list[Capture]) -> list[str]:
    """What each capture is, in a word: a page's or picture's last letter, a failure's class, a reason."""
    return [one.failure.error if isinstance(one, Refused) else _word(one) for one in found]


def _word(capture: Capture) -> str:
    reason = getattr(capture, "reason", None)
    return str(reason) if reason is not None else f"{type(capture).__name__} {capture.url.rpartition('/')[2]}"


def bodies(found: list[Capture]) -> list[bytes]:
    return [one.body for one in found if isinstance(one, Page)]
