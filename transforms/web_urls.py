"""Addresses of the web: made absolute, and in one form under which two spellings of an address meet.

The WHATWG URL standard by ada, the parser of Node.js: hosts in lower case and Punycode, default ports and dots gone,
tabs and newlines left out, spaces escaped. On top of it, for joining only: no fragment, escapes in upper case, what
need not be escaped is not (RFC 3986, 6.2.2), and one slash for several in a path, as servers of files and the indexes
of web archives read it. RFC 3986 and WHATWG call these two addresses, and a store of objects may hold both:
`slash_mark` tells such spellings apart, so that the address as it is written comes before another spelling.
Left out on purpose: http against https, `www.`, session parameters; they name different things often enough.
"""

from __future__ import annotations

import re
from functools import lru_cache

import ada_url

from transforms.fingerprints import digest

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_WEB = ("http://", "https://")
_HOST = len("https://")
_SLASHES = re.compile("//+")


def resolve_url(reference: str, base: str) -> str:
    """The absolute http(s) address that `reference` means on a page at `base`; empty where it means none."""
    try:
        url = str(ada_url.join_url(base, reference.strip()) if base else ada_url.normalize_url(reference.strip()))
    except ValueError:  # also a lone surrogate
        return ""
    return url if url.startswith(_WEB) else ""


def base_of(page: str, href: str) -> str:
    """What a page's references are relative to: its `<base href>`, itself relative to the page, where it has one."""
    return resolve_url(href, page) or page if href else page


@lru_cache(maxsize=4096)
def canonical_url(url: str) -> str:
    """The form of an absolute address under which its spellings meet; empty for what is no http(s) address."""
    url = spelt_url(url)
    if "//" in url[_HOST:]:
        path, mark, query = url[_HOST:].partition("?")
        url = url[:_HOST] + _SLASHES.sub("/", path) + mark + query
    return url


@lru_cache(maxsize=4096)
def spelt_url(url: str) -> str:
    """The same with the slashes of its path as they are."""
    url = resolve_url(url, "").partition("#")[0]
    return _ESCAPE.sub(_unescape, url) if "%" in url else url


def slash_mark(url: str) -> bytes:
    """8 bytes for an address with several slashes in a row in its path, by which its spellings differ; else none."""
    spelt = spelt_url(url)
    return digest(spelt.encode())[:8] if "//" in spelt[_HOST:].partition("?")[0] else b""


def url_digest(url: str) -> bytes:
    """16 bytes to join by; empty bytes for what is no http(s) address."""
    canonical = canonical_url(url)
    return digest(canonical.encode()) if canonical else b""


def _unescape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()
