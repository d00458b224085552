"""The text of a page: its character set by byte order mark, HTTP header, `<meta>`, and what the bytes look like.

The order and the table of labels are WHATWG's (`latin1` means windows-1252, `gb2312` means gb18030). Where browsers
would show what was declared, however wrong, this looks at the outcome: a declared set that most of the page's
characters contradict gives way to the next one, and bytes that are UTF-8 to the last are UTF-8.
Left out on purpose: the character sets that WHATWG forbids (UTF-7, UTF-32, HZ); repairing text that was decoded wrongly
before it was stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import webencodings
from resiliparse.parse.encoding import detect_encoding

MAX_WRONG = 0.1
"""Of a page's characters beyond ASCII the share that may be replaced before another character set is tried. A page
of another set has nearly all of them wrong; one with a few bytes of something else pasted in stays what it says."""
MIN_MULTIBYTE = 8
"""UTF-8 sequences that overrule a declared double-byte set: a word of GBK may be valid UTF-8 by chance, a text not."""
META_BYTES = 4096
"""Of the page in which `<meta>` is looked for. WHATWG asks for 1,024, and browsers read on."""
DETECT_BYTES = 32 << 10
"""Of the page that detection looks at, half from each end."""
REPLACED = "\ufffd"

_COMMENT = re.compile(rb"<!--.*?(?:-->|$)", re.DOTALL)
_META = re.compile(rb"<meta[\s/][^>]*?charset\s*=\s*[\"']?\s*([^\"'\s;/>]+)", re.I)
_XML = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"'>]+)", re.I)
_ASCII = re.compile(r"[\x00-\x7f]+")
_MULTIBYTE = frozenset({"gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "iso-2022-jp"})
_DETECTED = {
    "cp949": "euc-kr",
    "euc_jp": "euc-jp",
    "iso2022_jp": "iso-2022-jp",
    "iso8859-16": "iso-8859-16",
    "mac-cyrillic": "x-mac-cyrillic",
}
"""WHATWG's names for what the detector calls by Python's and what is no label."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
_WIDE = ((b"<\0", "utf-16le"), (b"\0<", "utf-16be"))
"""How markup begins in UTF-16 without a mark (XML 1.0, appendix F)."""


class PageText(NamedTuple):
    text: str
    charset: str
    """WHATWG's name of what decoded it."""
    said_by: str
    """mark, header, meta, bytes (they are UTF-8), detection, or fallback."""
    replaced: int
    """Characters U+FFFD in the text: bytes that the character set has no character for."""


def decode_page(body: bytes, header_charset: str = "") -> PageText:
    """The page as text; nothing it holds can make this fail, or a text that is not valid Unicode."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _decode(body[len(mark) :], name, "mark")
    if body.isascii() and b"\x1b" not in body and b"\0" not in body[:2]:
        return PageText(str(body, "ascii"), "utf-8", "bytes", 0)
    valid = _utf8_sequences(body)
    tried: list[PageText] = []
    for name, said_by in _candidates(body, header_charset):
        if said_by == "detection" and valid:
            break
        page = _decode(body, name, said_by)
        if page.replaced > MAX_WRONG * _beyond_ascii(page.text):
            tried.append(page)
        elif not (valid and _is_overruled(name, valid)):
            return page
    if valid:
        return _decode(body, "utf-8", "bytes")
    return min(tried, key=lambda page: page.replaced) if tried else _decode(body, "windows-1252", "fallback")


def lookup_label(label: str) -> str:
    """WHATWG's name for a label; empty for an unknown one and for those that it maps to nothing readable."""
    try:
        encoding = webencodings.lookup(label)
    except UnicodeError:
        return ""
    if encoding is None or encoding.name == "replacement":
        return ""
    return "windows-1252" if encoding.name == "x-user-defined" else str(encoding.name)


def declared_in(body: bytes) -> str:
    """The character set that the page itself states in `<meta>` or an XML declaration; empty where it states none."""
    head = _COMMENT.sub(b"", body[:META_BYTES])
    match = _META.search(head) or _XML.match(head)
    name = lookup_label(str(match[1], "latin-1")) if match else ""
    # Whoever could read the label was not reading UTF-16.
    return "utf-8" if name.startswith("utf-16") else name


def _candidates(body: bytes, header_charset: str) -> Iterator[tuple[str, str]]:
    wide = [(name, "bytes") for start, name in _WIDE if body.startswith(start)]
    # English in UTF-16 is valid UTF-8 and ISO-2022-JP, with a NUL behind each letter: what is said is not believed.
    if (name := lookup_label(header_charset)) and (not wide or name.startswith("utf-16")):
        yield name, "header"
    yield from wide
    if name := declared_in(body):
        yield name, "meta"
    if name := _detected(body):
        yield name, "detection"


def _detected(body: bytes) -> str:
    # Its own mapping to WHATWG's names turns Korean into UTF-8 (2.0.1), so it is asked for the plain name.
    found = detect_encoding(body, max_len=DETECT_BYTES, html5_compatible=False) or ""
    return lookup_label(_DETECTED.get(found, found))


def _decode(body: bytes, name: str, said_by: str) -> PageText:
    text = webencodings.lookup(name).codec_info.decode(body, "replace")[0]
    return PageText(text, name, said_by, text.count(REPLACED))


def _utf8_sequences(body: bytes) -> int:
    """How many characters beyond ASCII a page that is valid UTF-8 has; 0 for one that is not."""
    try:
        return _beyond_ascii(str(body, "utf-8"))
    except UnicodeDecodeError:
        return 0


def _is_overruled(name: str, sequences: int) -> bool:
    if name == "utf-8" or name.startswith("utf-16"):
        return False
    return sequences >= MIN_MULTIBYTE if name in _MULTIBYTE else True


def _beyond_ascii(text: str) -> int:
    return 0 if text.isascii() else len(_ASCII.sub("", text))
