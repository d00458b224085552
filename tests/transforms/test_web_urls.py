"""Addresses in one form, and none that is no address of the web."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.web_urls import base_of, canonical_url, resolve_url, slash_mark, spelt_url, url_digest


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.COM:80/a", "http://example.com/a"),
        ("https://e.com:443", "https://e.com/"),
        ("https://e.com:80/", "https://e.com:80/"),
        ("http://e.com/a/./b/../c", "http://e.com/a/c"),
        ("http://e.com/%7Euser/%2f%e4", "http://e.com/~user/%2F%E4"),
        ("http://e.com/a?b=%41&c#d", "http://e.com/a?b=A&c"),
        ("http://bücher.de/ä", "http://xn--bcher-kva.de/%C3%A4"),
        (" http://e.com/a\n b\t.png ", "http://e.com/a%20b.png"),
        ("http://e.com\\a", "http://e.com/a"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://e.com/100%", "http://e.com/100%"),
        ("http://e//a///b?c//d", "http://e/a/b?c//d"),
        ("ftp://e.com/a", ""),
        ("javascript:alert(1)", ""),
        ("http://e.com:99999/", ""),
        ("http://a b/", ""),
        ("a.png", ""),
        ("http://e.com/\ud800", ""),
        ("", ""),
    ],
)
def test_canonical(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


@pytest.mark.parametrize(
    ("reference", "absolute"),
    [
        ("c.png", "http://e.com/a/c.png"),
        ("/c.png", "http://e.com/c.png"),
        ("//h/c.png", "http://h/c.png"),
        ("?q", "http://e.com/a/b?q"),
        ("../../../c", "http://e.com/c"),
        (" c\n.png", "http://e.com/a/c.png"),
        ("data:image/png;base64,AA", ""),
        ("file:///etc/passwd", ""),
    ],
)
def test_resolved_on_a_page(reference: str, absolute: str) -> None:
    assert resolve_url(reference, "http://e.com/a/b") == absolute


@pytest.mark.parametrize(
    ("href", "base"),
    [("", "http://e.com/a"), ("/x/", "http://e.com/x/"), ("data:,", "http://e.com/a"), ("//h", "http://h/")],
)
def test_base(href: str, base: str) -> None:
    assert base_of("http://e.com/a", href) == base


@given(st.text(), st.sampled_from(["http://e.com/", "https://ü.e/%2e/"]))
def test_canonical_is_stable_and_never_fails(text: str, base: str) -> None:
    once = canonical_url(resolve_url(text, base))
    assert canonical_url(once) == once
    assert len(url_digest(once)) == (16 if once else 0)


def test_slashes_meet_in_the_digest_and_differ_in_the_mark() -> None:
    plain, doubled, tripled = "http://e.com/a/b", "HTTP://e.com/a//b", "http://e.com/a///b"
    assert url_digest(plain) == url_digest(doubled) == url_digest(tripled)
    assert slash_mark(plain) == slash_mark("http://e.com/a?b//c") == slash_mark("") == b""
    assert slash_mark(doubled) == slash_mark("http://e.com:80/a//b#c") != slash_mark(tripled)
    assert spelt_url(doubled) == "http://e.com/a//b"
