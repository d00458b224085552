"""Tests of the report's parts: thumbnails of whatever lies there, text nobody trusts, numbers for people."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipelines.report_pages.markup import byte_size, esc, foreign, number, seconds, share
from pipelines.report_pages.rules import text_block
from pipelines.report_pages.thumbnails import MAX_PIXELS, NoPicture, Thumbnails, shrink
from pipelines.report_queries import Row
from tests.pipelines.made_run import draw


def row(**changes: object) -> Row:
    place = {"uri": "a.tar", "container": "tar", "start": 0, "end": 9, "member": "a.jpg", "width": 8, "height": 8}
    return Row(**{**dict.fromkeys(Row._fields), "key": "a", "fate": "kept", **place, **changes})  # type: ignore[arg-type]


def test_a_picture_too_large_to_decode_is_never_fetched() -> None:
    thumbnails = Thumbnails(lambda *span: pytest.fail("fetched"))
    assert "30000 × 30000 pixels: too large to draw" in thumbnails.image(row(width=30_000, height=30_000))


def test_a_picture_is_fetched_once() -> None:
    asked = []

    def fetch(*span: object) -> bytes:
        asked.append(span)
        return draw(1)

    thumbnails = Thumbnails(fetch)
    assert thumbnails.image(row()) == thumbnails.image(row(key="b"))
    assert len(asked) == 1


def test_pictures_are_fetched_in_the_order_of_their_files() -> None:
    asked: list[tuple[str, int]] = []

    def fetch(uri: str, container: str, start: int, end: int, member: str) -> bytes:
        asked.append((uri, start))
        return draw(1)

    Thumbnails(fetch).prepare([row(uri="b", start=5), row(uri="a", start=7), row(uri="b", start=1)])
    assert asked == [("a", 7), ("b", 1), ("b", 5)]


def test_what_will_be_fetched_is_told_before() -> None:
    told: list[object] = []
    thumbnails = Thumbnails(lambda *span: told.append(span) or draw(1), expect=lambda asked: told.append([*asked]))
    rows = [row(start=5), row(start=1), row(start=5), row(uri=None), row(start=2, width=30_000, height=30_000)]
    thumbnails.prepare(rows)
    thumbnails.image(rows[0])  # made already: nothing is told again, and a plan stays
    spans = [("a.tar", "tar", 1, 9, "a.jpg"), ("a.tar", "tar", 5, 9, "a.jpg")]
    assert told == [spans, *spans]


def test_a_fault_of_the_program_is_not_taken_for_a_missing_picture() -> None:
    def fetch(*span: object) -> bytes:
        raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        Thumbnails(fetch).image(row())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_shrink_takes_every_mode(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (400, 100)).save(out, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
    data, size = shrink(out.getvalue(), 160)
    assert size == (160, 40)
    assert Image.open(io.BytesIO(data)).format == "WEBP"


def test_shrink_turns_a_picture_upright() -> None:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 100)).save(out, "JPEG", exif=exif)
    assert shrink(out.getvalue(), 160)[1] == (40, 160)


def test_shrink_names_the_fault() -> None:
    with pytest.raises(NoPicture, match="cannot be decoded: PictureUndecodable"):
        shrink(b"nothing", 160)


def test_esc_leaves_no_markup_and_no_control() -> None:
    assert (
        esc("<a b='c' d=\"e\">&\x00\x1b\x7f\n") == "&lt;a b=&#x27;c&#x27; d=&quot;e&quot;&gt;&amp;\u2400\u241b\u2421\n"
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (share(0, 10), "0.0%"),
        (share(1, 10**6), "&lt;0.1%"),
        (share(10**6 - 1, 10**6), "&gt;99.9%"),
        (share(5, 5), "100.0%"),
        (share(1, 0), "–"),
        (number(200.0), "200"),
        (number(0.2987), "0.2987"),
        (number(89_478_485.0), "89,478,485"),
        (number(0.00001), "1e-05"),
        (byte_size(999), "999 bytes"),
        (byte_size(123_456_789), "123 MB"),
        (seconds(61.2), "1 min 01 s"),
        (seconds(7322), "2 h 02 min"),
    ],
)
def test_numbers_for_people(found: str, expected: str) -> None:
    assert found == expected


def test_a_row_without_a_picture_says_so() -> None:
    drawn = Thumbnails(lambda *span: b"")
    assert drawn.image(row(uri=None, width=None)) == '<span class="no-picture">no picture</span>'


def test_a_header_that_lies_about_its_size_is_not_decoded() -> None:
    out = io.BytesIO()
    Image.new("1", (MAX_PIXELS // 1000 + 1, 1000)).save(out, "PNG")
    with pytest.raises(NoPicture, match="89479 × 1000 pixels: too large to draw"):
        shrink(out.getvalue(), 160)


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        (None, None, "no text"),
        (" \n", 2, "empty text (2 characters)"),
        ("a cat", 5, '<bdi dir="auto">a cat</bdi>'),
        ("x" * 50, 900, "<small>first 50 of 900 characters</small>"),
    ],
)
def test_text_block_says_what_is_not_there(text: str | None, length: int | None, shown: str) -> None:
    assert shown in text_block(text, length)


def test_foreign_text_is_cut_before_it_is_escaped() -> None:
    assert foreign("<<<<", 2) == '<bdi dir="auto">&lt;&lt;…</bdi>'
