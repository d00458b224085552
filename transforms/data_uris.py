"""Pictures inside their page: `data:` URIs to bytes, and a recipe by which one is found in its page again.

The fetch standard's reading: base64 forgives white space and missing padding, all else is percent-encoded.
Left out on purpose: what the bytes are; a picture is sniffed, never named.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Callable
from itertools import islice
from typing import Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from transforms.fingerprints import digest
from transforms.records import Recipe, Span

FUNCTION, INLINE = "page_data_uri", "data:"
_SPACE = re.compile(r"[\t\n\f\r ]+")
_BASE64 = re.compile(r";[ ]*base64[ ]*$", re.IGNORECASE)
_URI = re.compile(rb"data:[^\"'<>]*", re.IGNORECASE)
_CUTS = (re.compile(rb"[\t\n\f\r ]"), re.compile(rb"\)"))
"""Where an address without quotes ends: in a tag, and in a style sheet."""


MAX_URIS = 100_000
"""Of one page that are found again; what the reader takes of a page has a fifth of it (read.max_page_pieces)."""

Made = TypeVar("Made")


class Spans(Protocol):
    def once(self, span: Span, make: Callable[[bytes], Made]) -> Made: ...


def is_data_uri(address: str) -> bool:
    return address[:5].lower() == "data:"


def decode_data_uri(uri: str, max_bytes: int) -> bytes:
    """The bytes of a `data:` URI. Raises ValueError for what is none, is not base64, or is over `max_bytes`."""
    head, comma, body = uri.partition(",")
    if not is_data_uri(head) or not comma:
        raise ValueError(f"expected a data: URI, found {uri[:40]!r}")
    if len(body) > 4 * max_bytes:
        raise ValueError(f"expected a data: URI of at most {max_bytes} bytes, found {len(body)} characters")
    body = body.partition("#")[0]
    data = unquote_to_bytes(body)
    if _BASE64.search(head):
        data = _forgiving_base64(data)
    if len(data) > max_bytes:
        raise ValueError(f"expected a data: URI of at most {max_bytes} bytes, found {len(data)}")
    return data


def data_uri_recipe(uri: str, page: Span) -> Recipe:
    """How to make the bytes of a `data:` URI again, from the page it stands in. Raises UnicodeEncodeError."""
    return Recipe(FUNCTION, {"digest": _digest(uri)}, (page,))


def read_data_uri(recipe: Recipe, spans: Spans, max_bytes: int = 64 << 20) -> bytes:
    """The bytes behind `data_uri_recipe`. OSError where the page holds no such URI (any more)."""
    page, places = spans.once(recipe.inputs[0], index_page)
    place = places.get(str(recipe.arguments["digest"]))
    if place is None:
        raise OSError(
            f"{recipe.inputs[0].uri}: expected a data: URI that hashes to {recipe.arguments['digest']}, found none"
        )
    return decode_data_uri(_written(page[place[0] : place[1]]), max_bytes)


def index_page(page: bytes) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """A page in an encoding that ASCII can be read in, and where in it each of its `data:` URIs lies, by digest.

    Made once for all pictures of a page: looked for one by one, a thousand would read it a thousand times.
    """
    if page[:2] in (b"\xff\xfe", b"\xfe\xff"):
        page = page.decode("utf-16", "replace").encode()
    places: dict[str, tuple[int, int]] = {}
    for found in islice(_URI.finditer(page), MAX_URIS):
        for end in (None, *(cut.search(found[0]) for cut in _CUTS)):
            size = end.start() if end else len(found[0])
            places.setdefault(_digest(_written(found[0][:size])), (found.start(), found.start() + size))
    return page, places


def _written(address: bytes) -> str:
    return html.unescape(str(address, "latin-1"))


def _digest(uri: str) -> str:
    return digest(_SPACE.sub("", uri).encode()).hex()


def _forgiving_base64(data: bytes) -> bytes:
    """Infra standard, forgiving-base64 decode."""
    data = data.translate(None, b"\t\n\f\r ")
    if len(data) % 4 == 0:
        data = data[:-2] + data[-2:].replace(b"=", b"") if data.endswith(b"=") else data
    if len(data) % 4 == 1:
        raise ValueError(f"expected base64, found {len(data)} digits")
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"expected base64, found: {error}") from error
