"""Archives that are damaged, lie or attack: one failed capture with its place, and reading goes on behind it."""

import gzip
import random
import tracemalloc
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.web_reading import WebReadRules
from tests.transforms.archives import HTML, PNG, captures, packed, record, told
from transforms import warc_members
from transforms.http_messages import content_type, join_chunks
from transforms.materialise import SpanReader
from transforms.records import Span
from transforms.warc_reader import Page, Refused, Resource
from transforms.warc_records import WarcRecord, read_records

A, C, D = (record(f"http://x.example/{name}", HTML + random.Random(name).randbytes(2000)) for name in "acd")
LONG = record("http://x.example/b", length="999999")
SHORT = record("http://x.example/b", length="20")
RULES = WebReadRules()


def broken(data: bytes, place: int = 1000) -> bytes:
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (packed(A, C)[:-600], ["Page a", "WarcTruncated"]),
        (packed(A, C)[: len(packed(A)) + 5], ["Page a", "WarcTruncated"]),
        (packed(A) + packed(C)[:-4], ["Page a", "WarcTruncated"]),
        (packed(A) + gzip.compress(b"WARC/1.0\r\nWARC-Ty"), ["Page a", "WarcTruncated"]),
        (packed(A) + broken(packed(A)) + packed(C, D), ["Page a", "WarcBroken", "Page c", "Page d"]),
        (packed(A) + broken(packed(A), -3) + packed(C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A) + b"garbage!" * 99 + packed(C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A) + packed(A)[200:] + packed(C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A) + packed(A)[:900] + packed(C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A, b"", C), ["Page a", "Page c"]),
        (packed(A, b"no record", C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A, LONG, C), ["Page a", "WarcTruncated", "Page c"]),
        (packed(A, SHORT, C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A, record(length="-5"), C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A, record(length="٣"), C), ["Page a", "WarcBroken", "Page c"]),
        (packed(A, record(length="9" * 5000), C), ["Page a", "WarcBroken", "Page c"]),
        (A + b"WARC/1.0\r\nWARC-Ty", ["Page a", "WarcTruncated"]),
        (A + C[:-900], ["Page a", "WarcTruncated"]),
        (A + LONG + C + D, ["Page a", "WarcBroken", "Page c", "Page d"]),
        (A + SHORT + C, ["Page a", "WarcBroken", "Page c"]),
        (A + b"garbage\r\n\r\n" + C, ["WarcBroken", "Page c"]),
        (b"garbage" * 99, ["WarcBroken"]),
        (b"\n" * 5000 + A, ["Page a"]),
        (b"\n" * 5000, []),
        (b"", ["UnitEmpty"]),
        (gzip.compress(A + SHORT + C), ["Page a", "WarcBroken", "Page c"]),
        (gzip.compress(A + C)[:-900], ["Page a", "WarcTruncated"]),
        (broken(packed(A)) + gzip.compress(C + D), ["WarcBroken", "WarcBroken", "WarcBroken"]),
        (zstandard.compress(A) + zstandard.compress(C)[:-50], ["Page a", "WarcTruncated"]),
        (packed(record("http://x.example/\0b")), ["Page \0b"]),
        (packed(record(http="HTTX/1.1 200 OK\r\n\r\n")), ["HttpBroken"]),
        (packed(record(http="")), ["HttpBroken"]),
    ],
)
def test_damage_costs_one_capture(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    assert told(captures(tmp_path, data)) == expected


def test_a_failure_names_its_place(tmp_path: Path) -> None:
    start, end = len(packed(A)), len(packed(A)) + len(broken(packed(A)))
    found = captures(tmp_path, packed(A) + broken(packed(A)) + packed(C))[1]
    assert isinstance(found, Refused) and found.failure.place == f"{tmp_path}/x.warc.gz@{start}-{end}"
    found = captures(tmp_path, A + LONG + C)[1]
    assert isinstance(found, Refused) and found.url == "http://x.example/b"
    assert found.failure.place.endswith(f"@{len(A)}-{len(A + LONG) - 1}")
    assert "999999 bytes of content, found" in found.failure.message


HUGE = "X-A: " + "a" * 2_000_000 + "\r\n"


@pytest.mark.parametrize("pack", [packed, lambda *records: b"".join(records)])
def test_a_giant_header_is_refused(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    assert told(captures(tmp_path, pack(A, record(extra=HUGE), C))) == ["Page a", "WarcHeaderTooLarge", "Page c"]
    http = f"HTTP/1.1 200 OK\r\n{HUGE}\r\n"
    assert told(captures(tmp_path, pack(A, record(http=http), C))) == ["Page a", "HttpBroken", "Page c"]


def test_the_largest_page_stays_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    rules = WebReadRules(max_page_bytes=60, max_picture_bytes=len(PNG))
    fits, over = HTML.ljust(60, b"x"), HTML.ljust(61, b"x")
    pictures = [record(body=body, media="image/png") for body in (PNG, PNG + b"x")]
    data = packed(record(body=fits), record(body=over), *pictures)
    assert told(captures(tmp_path, data, rules)) == ["Page ", "PageTooLarge", "Resource ", "PictureTooLarge"]


def test_what_is_too_large_to_hold_is_known_by_its_beginning(tmp_path: Path) -> None:
    rules = WebReadRules(max_page_bytes=1000, max_picture_bytes=1000)
    zeros = b"\0" * 600_000
    data = [record("http://x.example/v", body + zeros, media=media) for body, media in KINDS]
    expected = ["PageTooLarge", "PictureTooLarge", "video/mp4", "Page a"]
    small = record("http://x.example/a", HTML)
    assert told(captures(tmp_path, packed(*data, small), rules)) == expected
    assert told(captures(tmp_path, b"".join([*data, small]), rules)) == expected


KINDS = [(HTML, "text/html"), (PNG, "image/png"), (b"\0\0\0\x18ftyp", "video/mp4")]


def test_a_page_of_50_megabytes_is_refused_by_default(tmp_path: Path) -> None:
    assert told(captures(tmp_path, record(body=HTML + b"<p>x" * 13_000_000) + C)) == ["PageTooLarge", "Page c"]


ZEROS = gzip.compress(b"\0" * 200_000_000, 9)
BOMB = gzip.compress(record("http://x.example/b", b"\0" * 200_000_000), 9)


def test_a_bomb_is_met_before_it_is_in_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    assert told(captures(tmp_path, packed(A) + BOMB + packed(C))) == ["Page a", "WarcTooLarge", "Page c"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120 << 20


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", ZEROS),
        ("gzip, gzip", gzip.compress(ZEROS, 9)),
        ("br", brotli.compress(b"\0" * 200_000_000, quality=1)),
        ("zstd", zstandard.compress(b"\0" * 200_000_000)),
    ],
)
def test_a_coded_bomb_is_refused(tmp_path: Path, encoding: str, body: bytes) -> None:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {encoding}\r\n\r\n"
    assert told(captures(tmp_path, packed(record(body=body, http=http), C))) == ["PageTooLarge", "Page c"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_coded_body_that_breaks_off_is_broken(tmp_path: Path, encoding: str) -> None:
    noise = random.Random(1).randbytes(900)
    coded = {"gzip": gzip.compress(noise), "br": brotli.compress(noise), "zstd": zstandard.compress(noise)}[encoding]
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {encoding}\r\n\r\n"
    found = captures(tmp_path, packed(record(body=coded[:-200], http=http), C))
    assert told(found) == ["PageBroken", "Page c"]


def test_false_beginnings_are_given_up_after_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed(A) + warc_members.GZIP * 1_000 + packed(C)
    assert told(captures(tmp_path, data)) == ["Page a", "WarcBroken", "Page c"]
    monkeypatch.setattr(warc_members, "MAX_TRIES", 900)
    assert told(captures(tmp_path, data)) == ["Page a", "WarcBroken"]


def test_lengths_that_lie_cost_no_copy_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    take = warc_members.PlainMember.take
    monkeypatch.setattr(warc_members.PlainMember, "take", lambda *asked: taken.append(asked[1]) or take(*asked))
    lies = record(length="3000000") * 200 + b"x" * 4_000_000
    assert told(captures(tmp_path, lies)) == ["WarcBroken"] * 200
    assert sum(taken) < len(record()) * 200


def test_a_changed_file_is_an_error_of_the_span(tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(packed(A, C))
    with SpanReader(str(tmp_path)) as spans:
        for start, end in ((3, 90), (0, 9), (0, 10**6)):
            with pytest.raises(OSError, match="expected"):
                spans.read(Span(f"{tmp_path}/x.warc.gz", start, end, "warc"))


def test_a_stream_over_its_limit_is_not_unpacked(tmp_path: Path) -> None:
    (found, _) = captures(tmp_path, gzip.compress(A + C))
    assert isinstance(found, Page) and found.span.container == "warc.gz"
    limits = WebReadRules(max_unpacked_bytes=100)
    with SpanReader(str(tmp_path), web=limits) as spans, pytest.raises(OSError, match="at most 100 unpacked bytes"):
        spans.read(found.span)


MIXED = packed(A, LONG, C) + gzip.compress(D + record(body=PNG)) + zstandard.compress(A)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(MIXED) - 1), st.integers(0, 255)), max_size=6), st.integers(0, 400))
def test_no_bytes_make_reading_fail_and_spans_lie_inside(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(MIXED)
    for place, value in changes:
        data[place] = value
    data = data[: len(data) - cut]
    for item in read_records(bytes(data), RULES):
        assert 0 <= item.start <= item.end
        if isinstance(item, WarcRecord) and item.container == "warc":
            assert next(iter(read_records(bytes(data[item.start : item.end]), RULES)))[:3] == item[:3]


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"5\r\n", b"0\r\n", b"ab", b"\r\n", b"\n", b"x;"])).map(b"".join)
)
def test_chunks_never_fail_and_never_grow(body: bytes) -> None:
    assert len(join_chunks(body)) <= len(body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html; charset=utf-8", ("text/html", "utf-8")),
        ('TEXT/HTML;x=y; Charset="GBK" ; z', ("text/html", "GBK")),
        ("text/html;charset=", ("text/html", "")),
        ("", ("", "")),
        ("text/html\0; charset=a\nb", ("text/html\0", "a\nb")),
        ("; charset*=utf-8''x", ("", "")),
    ],
)
def test_content_types(value: str, expected: tuple[str, str]) -> None:
    assert content_type(value) == expected


def test_a_picture_that_cannot_be_measured_is_still_a_picture(tmp_path: Path) -> None:
    (found,) = captures(tmp_path, packed(record(body=PNG[:12], media="image/png")))
    assert isinstance(found, Resource) and (found.width, found.height) == (0, 0)
