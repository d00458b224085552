"""Pictures that pages name meet the captures and redirects of all archives, whatever their order and number."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.web_reading import WebReadRules
from tests.transforms.archives import PNG, captures, packed, record, redirect
from transforms.materialise import SpanReader, materialise
from transforms.picture_sources import absolute_addresses, picture_addresses
from transforms.records import Picture, Recipe, Sample, Span, pictures
from transforms.warc_reader import Page, Redirect, Resource, read_warc
from transforms.web_redirects import Hop, first_hop, follow_in_memory, resolve_in_memory
from transforms.web_resources import (
    DAY,
    MAX_CAPTURES,
    CapturedPictures,
    addresses_of,
    capture_entry,
    mark_unresolved,
    merge_captures,
    nearest_capture,
    parse_date,
    picture_reference,
)
from transforms.web_urls import canonical_url, url_digest

RULES = WebReadRules(max_redirects=3)
WEB = Path(__file__).parents[3] / "shared" / "data" / "web"
DATE = "2026-01-02T03:04:05Z"


def row(*references: Recipe, position: int = 0) -> Sample:
    return Sample(f"p{position}", "a.warc", 0, position, tuple(Picture(one) for one in references))


def capture(url: str, start: int, *, date: str = DATE, side: int = 10, uri: str = "a.warc") -> Resource:
    span = Span(uri, start, start + 9, "warc", url)
    return Resource(0, url, date, span, "png", side, side, side * 100, start.to_bytes(32, "big"))


def resolve(rows: list[Sample], found: list[Resource], hops: list[tuple[str, str]] | None = None) -> list[str]:
    """Each picture's start, or the rule that dropped it, page by page; every capture and redirect in its own unit."""
    captured = {i: [entry] for i, one in enumerate(found) if (entry := capture_entry(one))}
    redirects = {
        i: [hop] for i, pair in enumerate(hops or []) if (hop := first_hop(Redirect(0, pair[0], DATE, pair[1]), RULES))
    }
    done = resolve_in_memory((rows, list(range(len(rows)))), captured, redirects, RULES)
    return [_word(picture) for sample in done for picture in pictures(mark_unresolved(sample, RULES))]


def _word(picture: Picture) -> str:
    return str(picture.source.start) if isinstance(picture.source, Span) else picture.drop.rule if picture.drop else ""


def test_a_picture_is_found_under_another_spelling_of_its_address() -> None:
    asked = picture_reference(["HTTP://E.com:80/%7ea.png#x"], DATE)
    assert resolve([row(asked)], [capture("http://e.com/~a.png", 7)]) == ["7"]


def test_the_address_as_it_is_written_comes_before_one_with_other_slashes() -> None:
    one, two = "http://e.com/a/b.png", "http://e.com/a//b.png"
    asked = [row(picture_reference([url], DATE), position=i) for i, url in enumerate((one, two))]
    # The other spelling is larger and of the page's day, and would win if both were one address.
    captured = [capture(one, 1, date="2025-06-01", side=10), capture(two, 2, date="2025-06-01", side=90)]
    assert resolve(asked, captured) == ["1", "2"]
    assert resolve(asked, captured[:1]) == ["1", "1"] and resolve(asked, captured[1:]) == ["2", "2"]
    assert resolve([row(picture_reference(["http://e.com/a///b.png"], DATE))], captured) in (["1"], ["2"])


def test_a_redirect_to_the_same_address_with_fewer_slashes_is_no_circle() -> None:
    asked = row(picture_reference(["http://e.com//a.png"], DATE))
    hops = [("http://e.com//a.png", "http://e.com/a.png")]
    assert resolve([asked], [], hops) == ["picture_unresolved"]
    assert resolve([asked], [capture("http://e.com/a.png", 3)], hops) == ["3"]
    moved = [("http://e.com/x.png", "http://e.com//a.png")]
    both = [capture("http://e.com/a.png", 3, side=90), capture("http://e.com//a.png", 4)]
    assert resolve([row(picture_reference(["http://e.com/x.png"], DATE))], both, moved) == ["4"]


def test_what_a_found_picture_knows() -> None:
    entry = capture_entry(capture("http://e.com/a.png", 7))
    assert entry
    (found,) = resolve_in_memory(([row(picture_reference(["http://e.com/a.png"]))], [0]), {5: [entry]}, {}, RULES)
    expected = Span("a.warc", 7, 16, "warc", "http://e.com/a.png")
    assert found.pieces == (Picture(expected, "png", 10, 10, (7).to_bytes(32, "big")),)


def test_the_first_address_with_a_capture_counts() -> None:
    asked = picture_reference([f"http://e.com/{name}" for name in "abc"], DATE)
    assert resolve([row(asked)], [capture("http://e.com/c", 3), capture("http://e.com/b", 2)]) == ["2"]


def test_pages_that_share_pictures_and_pictures_that_nobody_has() -> None:
    a, b, none = (picture_reference([f"http://e.com/{name}"], DATE) for name in "abn")
    found = [capture("http://e.com/a", 1), capture("http://e.com/b", 2), capture("http://e.com/unused", 3)]
    rows = [row(a, none, a), row(a, b, position=1), row(position=2), row(none, picture_reference([]), position=3)]
    expected = ["1", "picture_unresolved", "1", "1", "2", "picture_unresolved", "picture_without_address"]
    assert resolve(rows, found) == expected


@pytest.mark.parametrize(
    ("date", "start"),
    [("2026-01-01T00:00:00Z", "1"), ("2026-03-01", "3"), ("2031-01-01", "4"), ("", "4"), ("never", "4")],
)
def test_of_several_captures_the_nearest_in_time_then_the_largest(date: str, start: str) -> None:
    url = "http://e.com/a"
    days = [("2026-01-02", 1, 9), ("2026-01-02", 2, 8), ("2026-03-02", 3, 1), ("2026-09-02", 4, 1)]
    found = [capture(url, place, date=f"{day}T00:00:00Z", side=side) for day, place, side in days]
    asked = row(picture_reference([url], date))
    assert {resolve([asked], random.Random(i).sample(found, 4))[0] for i in range(5)} == {start}


CHAIN = [(f"http://e.com/{i}", f"http://e.com/{i + 1}") for i in range(9)]


@pytest.mark.parametrize(("first", "word"), [(9, "5"), (8, "5"), (7, "5"), (6, "5"), (5, "picture_redirect_loop")])
def test_redirects_are_followed_to_their_limit(first: int, word: str) -> None:
    assert resolve([row(picture_reference([f"http://e.com/{first}"]))], [capture("http://e.com/9", 5)], CHAIN) == [word]


@pytest.mark.parametrize("circle", ["aa", "aba", "xaba", "abcdea", "xyabca"])
def test_redirects_in_circles_end(circle: str) -> None:
    hops = [(f"http://e.com/{one}", f"http://e.com/{two}") for one, two in zip(circle, circle[1:], strict=False)]
    asked = row(picture_reference([f"http://e.com/{circle[0]}"]))
    assert resolve([asked], [capture("http://e.com/q", 1)], hops) == ["picture_redirect_loop"]


def test_a_redirect_to_nothing_and_one_beside_a_capture() -> None:
    asked = row(picture_reference(["http://e.com/a"]), picture_reference(["http://e.com/b", "http://e.com/c"]))
    hops = [("http://e.com/a", "http://e.com/gone"), ("http://e.com/b", "http://e.com/d"), ("http://e.com/c", "data:,")]
    found = [capture("http://e.com/b", 1), capture("http://e.com/d", 2)]
    assert resolve([asked], found, hops) == ["picture_unresolved", "1"]
    assert resolve([asked], found[1:], hops) == ["picture_unresolved", "2"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=14), st.randoms(use_true_random=False))
def test_redirects_end_where_a_walk_ends(pairs: list[tuple[int, int]], order: random.Random) -> None:
    urls = [f"http://e.com/{i}" for i in range(10)]
    step = dict(sorted(pairs, key=lambda pair: url_digest(urls[pair[1]]), reverse=True))
    hops = [Hop(url_digest(urls[a]), 1, urls[b], url_digest(urls[b])) for a, b in set(pairs)]
    order.shuffle(hops)
    rules = WebReadRules(max_redirects=7)
    followed = follow_in_memory({i: [hop] for i, hop in enumerate(hops)}, rules)
    for index, hop in enumerate(hops):
        place, count = int(hop.target[-1]), 1
        while place in step and count <= rules.max_redirects:
            place, count = step[place], count + 1
        end = followed[index][0]
        assert (end.hops > rules.max_redirects) == (count > rules.max_redirects)
        if count <= rules.max_redirects:
            assert end == Hop(hop.digest, 1, urls[place], hop.first, count)


WIRES = st.builds(
    lambda day, second, side, start, mark: [
        day * DAY + second, "u", start, start + 1, "warc", "png", side, 1, 5, b"h", mark
    ],
    st.integers(0, 700),
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(0, 99),
    st.sampled_from([b"", b"12345678"]),
)  # fmt: skip


@given(st.lists(WIRES, min_size=1, max_size=40), st.integers(0, 40), st.integers(0, 800 * DAY))
def test_merging_in_parts_is_merging_at_once(wires: list[list[object]], cut: int, seconds: int) -> None:
    whole = merge_captures(wires)
    better = CapturedPictures(RULES).better
    parts = [merge_captures(part) for part in (wires[:cut], wires[cut:])]
    assert better(*parts) == better(*reversed(parts)) == whole
    for mark in (b"", b"12345678"):
        assert nearest_capture(whole, seconds, mark) == nearest_capture(wires, seconds, mark)


def test_an_address_captured_daily_stays_small() -> None:
    many = [[day * DAY, "u", day, day + 1, "warc", "png", 1, 1, 5, b"h", b""] for day in range(9999)]
    whole = merge_captures(many)
    assert len(whole) == MAX_CAPTURES
    assert merge_captures([*merge_captures(many[:5000]), *merge_captures(many[5000:])]) == whole


def test_dates_and_references() -> None:
    assert parse_date("1970-01-02T00:00:00Z") == parse_date("1970-01-02") == DAY
    assert [parse_date(date) for date in ("", "x", "0001-01-01", "1960-01-01T00:00:00Z")] == [0, 0, 0, 0]
    assert addresses_of(picture_reference(["a", "b"], DATE)) == ["a", "b"]


def test_more_addresses_than_a_row_may_ask_for() -> None:
    asked = row(*(picture_reference([f"http://e.com/{i}"]) for i in range(40_000)))
    assert resolve([asked], [capture("http://e.com/32767", 1), capture("http://e.com/32768", 2)])[32767:32769] == [
        "1",
        "picture_unresolved",
    ]


def test_over_archives_from_bytes_to_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    first = captures(tmp_path, packed(record("http://e.com/p"), redirect("http://e.com/i", "//cdn.e.com/i.png")))
    second = captures(tmp_path / "one", packed(record("http://cdn.e.com/i.png", PNG, media="image/png")))
    hops = [hop for one in first if isinstance(one, Redirect) and (hop := first_hop(one, RULES))]
    entries = [entry for one in second if isinstance(one, Resource) and (entry := capture_entry(one))]
    (found,) = resolve_in_memory(([row(picture_reference(["http://e.com/i"]))], [0]), {1: entries}, {0: hops}, RULES)
    with SpanReader(str(tmp_path)) as spans:
        assert materialise(pictures(found)[0].source, spans) == PNG


TAG = re.compile(r"<img\b([^>]*)>", re.I)
ATTRIBUTE = re.compile(r'([\w-]+)\s*=\s*(?:"([^"]*)"|\'([^\']*)\')')


@pytest.mark.real_data
@pytest.mark.skipif(not WEB.exists(), reason="needs ../shared/data/web")
def test_every_picture_that_the_real_archive_holds_is_found() -> None:
    path = str(WEB / "pages.warc.gz")
    found = list(read_warc(path, path, WebReadRules()))
    rows, held = [], {canonical_url(one.url) for one in found if isinstance(one, Resource)}
    for page in found:
        if isinstance(page, Page):
            tags = [
                dict((m[1].lower(), m[2] or m[3] or "") for m in ATTRIBUTE.finditer(tag))
                for tag in TAG.findall(page.body.decode())
            ]
            lists = [absolute_addresses(picture_addresses(tag), page.url, (8, 4096)) for tag in tags]
            rows.append(row(*(picture_reference(urls, page.date) for urls in lists), position=page.position))
    entries = [entry for one in found if isinstance(one, Resource) and (entry := capture_entry(one))]
    done = [mark_unresolved(s, RULES) for s in resolve_in_memory((rows, [0] * len(rows)), {0: entries}, {}, RULES)]
    every = [picture for sample in done for picture in pictures(sample)]
    assert not {canonical_url(picture.drop.detail) for picture in every if picture.drop} & held
    assert Counter(picture.drop.rule if picture.drop else "found" for picture in every) == FOUND
    lines = [json.loads(line) for line in (WEB / "pages.jsonl").read_text().splitlines()]
    named = {url for line in lines for url in line["images"]}
    assert {url for url in named if canonical_url(url) not in held} == {url for url in named if url.endswith(".svg")}


FOUND = {"found": 350, "picture_unresolved": 8}
"""Three of larch.jpg, one SVG, four of the handbook's: none of them is a picture of the archive."""
