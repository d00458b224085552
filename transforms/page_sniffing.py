"""Whether bytes are a page, a picture or something else, by the bytes and by what their header says.

After WHATWG MIME Sniffing, with two differences: a picture is whatever our picture readers know, and HTML is also seen
under a header of plain text, because a crawl's `text/plain` is a server without a setting more often than a text.
Left out on purpose: XML feeds and SVG, which are neither pages nor pictures here.
"""

from __future__ import annotations

import re

from transforms.picture_headers import Header, PictureError, read_header, sniff_format

PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_UNSAID = frozenset({"", "unknown/unknown", "application/unknown", "*/*", "text/plain", "application/octet-stream"})
"""Types under which anything may lie, as servers send them that do not know."""
_XML_TYPES = frozenset({"text/xml", "application/xml"})
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*+(?:<\?xml[^>]*+>[\t\n\f\r ]*+)?(?>(?:<!--.*?-->[\t\n\f\r ]*+)*)"
    rb"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\t\n\f\r >/]",
    re.IGNORECASE | re.DOTALL,
)
"""Atomic where it repeats: a page of comments must not cost a try for each way to pair them."""
_XHTML = re.compile(rb"<html[^>]*http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
_LOOKED_AT = 1445
"""Bytes, as WHATWG MIME Sniffing reads at most."""
_BINARY = (b"%PDF", b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"MZ", b"\x00\x00\x00", b"OggS", b"ID3")


def sniff_body(body: bytes, media: str) -> str:
    """`page`, a picture format, or nothing; `media` is the type that the header states, in lower case."""
    picture = sniff_format(body)
    # "BM" and the TIFF marks are too short to be believed against a header that says otherwise.
    if picture and (picture not in ("bmp", "tiff") or media.startswith("image/") or media in _UNSAID - {"text/plain"}):
        return picture
    head = body[:_LOOKED_AT]
    if media in PAGE_TYPES:
        return "" if head.startswith(_BINARY) else "page"
    if media in _UNSAID or media.startswith("image/") and media != "image/svg+xml":
        return "page" if _HTML.match(head) else ""
    return "page" if media in _XML_TYPES and _XHTML.search(head) else ""


def picture_size(body: bytes, format: str) -> Header:
    """The header of a picture, of no size where it cannot be read: its own scan will say why."""
    try:
        return read_header(body)
    except PictureError:
        return Header(format, 0, 0, 0)
