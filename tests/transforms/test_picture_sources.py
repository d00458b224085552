"""`srcset` by the standard's algorithm, and which address of a picture comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.picture_sources import absolute_addresses, largest_first, parse_srcset, picture_addresses


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a.jpg", [("a.jpg", 0, 1)]),
        ("a.jpg 1x, b.jpg 2x", [("a.jpg", 0, 1), ("b.jpg", 0, 2)]),
        ("a.jpg 100w,b.jpg 200w", [("a.jpg", 100, 0), ("b.jpg", 200, 0)]),
        ("a,b.jpg 1.5x", [("a,b.jpg", 0, 1.5)]),
        ("a.jpg, b.jpg", [("a.jpg", 0, 1), ("b.jpg", 0, 1)]),
        ("a.jpg,b.jpg", [("a.jpg,b.jpg", 0, 1)]),
        (",, a.jpg,,", [("a.jpg", 0, 1)]),
        ("\n a.jpg\t2x \n,\n", [("a.jpg", 0, 2)]),
        ("data:image/png;base64,AA 1x, b 2x", [("data:image/png;base64,AA", 0, 1), ("b", 0, 2)]),
        ("a 100w 50h, b 50h", [("a", 100, 0)]),
        ("a 1x 2x, b -1x, c 0w, d 1w 1x, e 1q, f ()", []),
        ("a (x, y), b", [("b", 0, 1)]),
        ("a 1e1x", [("a", 0, 10)]),
        ("", []),
    ],
)
def test_srcset(value: str, found: list[tuple[str, float, float]]) -> None:
    assert [tuple(one) for one in parse_srcset(value)] == found


def test_largest_first() -> None:
    assert largest_first(parse_srcset("a 1x, b 3x, c 2x")) == ["b", "c", "a"]
    assert largest_first(parse_srcset("a 100w, b 900w, c 900w, d")) == ["b", "c", "a", "d"]


def test_the_order_of_addresses() -> None:
    attributes = {"src": "blank.gif", "data-src": "lazy.jpg", "srcset": "s.jpg 1x, l.jpg 2x", "alt": "x"}
    assert picture_addresses(attributes, ["p.webp 400w, q.webp 800w", ""]) == [
        "q.webp",
        "p.webp",
        "l.jpg",
        "s.jpg",
        "lazy.jpg",
        "blank.gif",
    ]
    assert picture_addresses({}) == []


def test_absolute_and_different() -> None:
    addresses = ["a.png#x", "data:,x", "http://E.com/a.png", "b.png", "c" * 99, "d.png"]
    assert absolute_addresses(addresses, "http://e.com/", (2, 90)) == ["http://e.com/a.png", "http://e.com/b.png"]


@given(st.text(alphabet="ab ,()123xwh.-e\t"))
def test_srcset_never_fails(value: str) -> None:
    assert all(one.url and one.url.strip(" \t,") for one in parse_srcset(value))
