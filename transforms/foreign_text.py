"""HTML from text that nobody trusts: the one door through which a caption, a key or a message reaches a page.

Left out on purpose: pages (pipelines/report_pages, train/sample_page.py).
"""

from __future__ import annotations

from html import escape

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of every page: no script, no network."""

# C0, DEL and C1: a parser drops or replaces them, so that a reader would not see what the rule saw.
_PICTURES = {code: chr(0x2400 + code) for code in range(32)} | {127: "\u2421"}
_PICTURES |= {code: "\ufffd" for code in (*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)}
_PICTURES |= {ord("\t"): " ", ord("\n"): "\n", ord("\r"): "\n"}


def esc(text: object) -> str:
    """Safe as text and inside a quoted attribute; control characters become visible pictures of themselves."""
    return escape(str(text).translate(_PICTURES))


def foreign(text: object, limit: int = 400) -> str:
    """Text from outside, cut at `limit` characters, its direction kept from its neighbours."""
    shown = str(text)
    return f'<bdi dir="auto">{esc(shown[:limit])}{"…" if len(shown) > limit else ""}</bdi>'
