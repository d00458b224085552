"""Archives as others write them: every record is one capture, and each picture's span gives its bytes again."""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from pathlib import Path

import brotli
import pytest
import zstandard

from configs.schema.web_reading import WebReadRules
from tests.transforms.archives import HTML, PNG, bodies, captures, packed, record, redirect, told
from transforms.materialise import SpanReader, materialise
from transforms.warc_reader import Ignored, Page, Redirect, Refused, Resource, read_warc

WEB = Path(__file__).parents[3] / "shared" / "data" / "web"
RECORDS = [
    record("http://a.example/p", type="warcinfo"),
    record("http://a.example/p"),
    record("http://a.example/q", PNG, media="image/png"),
    record("http://a.example/r", b"{}", media="application/json"),
    redirect("http://a.example/s", "/q?x"),
    record("http://a.example/t", http="HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n"),
    record("http://a.example/u", PNG, type="resource", media="image/png"),
    record("http://a.example/v", b"", type="request"),
]
TOLD = ["warcinfo", "Page p", "Resource q", "application/json", "Redirect s", "status 404", "Resource u", "request"]
FORMS = {
    "gzip": packed(*RECORDS),
    "plain": b"".join(RECORDS),
    "one stream": gzip.compress(b"".join(RECORDS)),
    "two streams": gzip.compress(b"".join(RECORDS[:3])) + packed(*RECORDS[3:]),
    "zstd": b"".join(zstandard.compress(one) for one in RECORDS),
    "one zstd": zstandard.compress(b"".join(RECORDS)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_record_is_one_capture_and_spans_read_back(tmp_path: Path, form: str) -> None:
    found = captures(tmp_path, FORMS[form])
    assert told(found) == TOLD
    assert [one.position for one in found] == list(range(8))
    with SpanReader(str(tmp_path / "staging"), open_files=1) as spans:
        for one in found:
            if isinstance(one, Page | Resource):
                assert materialise(one.span, spans) == (HTML if isinstance(one, Page) else PNG)
    assert not any((tmp_path / "staging").glob("*"))


def test_a_span_holds_the_gzip_member_alone(tmp_path: Path) -> None:
    data = packed(*RECORDS)
    page = next(one for one in captures(tmp_path, data) if isinstance(one, Page))
    assert gzip.decompress(data[page.span.start : page.span.end]) == RECORDS[1]
    assert page.span.container == "warc"


def test_what_a_picture_is_indexed_by(tmp_path: Path) -> None:
    (found,) = captures(tmp_path, packed(record("http://a.example/x", PNG, media="text/html")))
    assert isinstance(found, Resource)
    assert (found.format, found.width, found.height, found.size) == ("png", 1, 1, len(PNG))
    assert found.sha256 == hashlib.sha256(PNG).digest()
    assert found.date == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("media", "body", "what"),
    [
        ("", HTML, "Page x"),
        ("application/octet-stream", HTML, "Page x"),
        ("text/plain", b"\n <HTML>", "Page x"),
        ("text/plain", b"<htmlish", "text/plain"),
        ("image/jpeg", HTML, "Page x"),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html/>", "Page x"),
        ("text/xml", b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "Page x"),
        ("text/xml", b'<?xml version="1.0"?><rss>', "text/xml"),
        ("text/html", b"%PDF-1.4", "text/html"),
        ("text/html", b"BM is a company", "Page x"),
        ("text/html", b"plain words", "Page x"),
        ("", b"<!--a--><!--b--> <p>", "Page x"),
        ("", b"<!--a-->" * 180 + b"<x", "no media type"),
        ("image/svg+xml", b"<svg", "image/svg+xml"),
        ("video/mp4", b"\0\0\0\x18ftyp", "video/mp4"),
        ("text/html", b"", "PageEmpty"),
        ("text/html", b"\0\0\0", "text/html"),
        ("text/html", b"a\0b", "Page x"),
    ],
)
def test_what_a_body_is(tmp_path: Path, media: str, body: bytes, what: str) -> None:
    assert told(captures(tmp_path, packed(record("http://a.example/x", body, media=media)))) == [what]


def chunked(body: bytes) -> bytes:
    return b"5;x=y\r\n" + body[:5] + b"\r\n%X\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\n\r\n"


def coded(*, encoding: str = "", chunks: bool = False) -> str:
    lines = [f"Content-Encoding: {encoding}"] if encoding else []
    lines += ["Transfer-Encoding: chunked"] if chunks else []
    return "\r\n".join(["HTTP/1.1 200 OK", "content-type: text/html; charset=GBK", *lines, "", ""])


BARE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": gzip.compress(HTML),
    "x-gzip": gzip.compress(HTML),
    "deflate": zlib.compress(HTML),
    "Deflate": BARE.compress(HTML) + BARE.flush(),
    "br": brotli.compress(HTML),
    "zstd": zstandard.compress(HTML),
    "gzip, br": brotli.compress(gzip.compress(HTML)),
    "identity": HTML,
    "rot13": HTML,
}


@pytest.mark.parametrize("encoding", CODED)
@pytest.mark.parametrize("chunks", [False, True])
def test_bodies_are_decoded_and_read_back(tmp_path: Path, encoding: str, chunks: bool) -> None:
    body = chunked(CODED[encoding]) if chunks else CODED[encoding]
    (page,) = captures(tmp_path, packed(record(body=body, http=coded(encoding=encoding, chunks=chunks))))
    assert isinstance(page, Page) and (page.body, page.charset) == (HTML, "GBK")
    with SpanReader(str(tmp_path)) as spans:
        assert spans.read(page.span) == HTML


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("chunks", [False, True])
def test_a_header_that_the_bytes_contradict_is_not_believed(tmp_path: Path, encoding: str, chunks: bool) -> None:
    found = captures(tmp_path, packed(record(http=coded(encoding=encoding, chunks=chunks))))
    assert bodies(found) == [HTML]


def test_a_location_is_made_absolute_and_a_304_is_none(tmp_path: Path) -> None:
    lost = record("http://a.example/b", b"", http="HTTP/1.1 304 Not Modified\r\nLocation: /c\r\n\r\n")
    found = captures(tmp_path, packed(redirect("http://a.example/d/e", "../f g"), lost))
    assert isinstance(found[0], Redirect) and found[0].target == "http://a.example/f%20g"
    assert told(found)[1] == "status 304"


def test_a_revisit_leads_to_what_it_repeats(tmp_path: Path) -> None:
    other = "WARC-Refers-To-Target-URI: <http://a.example/first>\r\n"
    http = "HTTP/1.1 200 OK\r\n\r\n"
    found = captures(
        tmp_path,
        packed(
            record("http://a.example/b", b"", type="revisit", http=http, extra=other),
            record("http://a.example/first", b"", type="revisit", http="", extra=other),
            record("http://a.example/c", b"", type="revisit", http="HTTP/1.1 301 M\r\nLocation: /z\r\n\r\n"),
        ),
    )
    assert isinstance(found[0], Redirect) and found[0].target == "http://a.example/first"
    assert found[1] == Ignored(1, "http://a.example/first", "revisit")
    assert isinstance(found[2], Redirect) and found[2].target == "http://a.example/z"


def test_a_cut_capture_says_why(tmp_path: Path) -> None:
    (page,) = captures(tmp_path, packed(record(extra="WARC-Truncated: length\r\n")))
    assert isinstance(page, Page) and page.truncated == "length"


def test_duplicate_addresses_are_captures_each(tmp_path: Path) -> None:
    assert told(captures(tmp_path, packed(record(), record()))) == ["Page ", "Page "]


@pytest.mark.real_data
@pytest.mark.skipif(not WEB.exists(), reason="needs ../shared/data/web")
def test_the_real_archive_is_accounted_for_and_reads_back(tmp_path: Path) -> None:
    path = str(WEB / "pages.warc.gz")
    found = list(read_warc(path, path, WebReadRules()))
    kinds = Counter(type(one).__name__ for one in found)
    assert kinds == {"Page": 73, "Resource": 140, "Ignored": 27} and len(found) == 240
    assert not any(isinstance(one, Refused) for one in found)
    lines = [json.loads(line) for line in (WEB / "pages.jsonl").read_text().splitlines()]
    assert [one.url for one in found if isinstance(one, Page)] == [line["url"] for line in lines]
    with SpanReader(str(tmp_path)) as spans:
        for one in found:
            if isinstance(one, Resource):
                assert hashlib.sha256(spans.read(one.span)).digest() == one.sha256
            elif isinstance(one, Page):
                assert spans.read(one.span) == one.body
