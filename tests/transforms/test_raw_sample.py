"""Keys are safe, captions are as read, JSON is an object, and each limit has its failure."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.caption import ReadRules
from transforms.raw_sample import (
    RawSample,
    add_meta_fields,
    add_picture,
    captions_of,
    clean_key,
    load_sample,
    parse_caption,
    parse_meta,
    place_of,
)
from transforms.records import Failure, Span, Unit, decode_sample, encode_sample

RULES = ReadRules(max_caption_bytes=20, max_json_bytes=64, max_picture_bytes=4)
UNIT = Unit(0, "pool.tar", "tar")


def error_of(value: object) -> tuple[str, str]:
    assert isinstance(value, Failure)
    return value.error, value.message


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("000001", "000001"),
        ("dir/a.b~2", "dir_a_b_2"),
        ("../x", "___x"),
        ("/x", "_x"),
        ("", "_"),
        ("猫", "_"),
        ("x" * 80, "x" * 80),
        ("x" * 121, "x" * 100 + "_77cab67c9d6aff0a"),
    ],
)
def test_keys(source: str, key: str) -> None:
    if len(source) > 80:
        assert re.fullmatch(r"x{60}_[0-9a-f]{16}", clean_key(source))
    else:
        assert clean_key(source) == key


@given(st.text())
def test_every_key_is_safe(source: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", clean_key(source))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a cat\n", "a cat"),
        (b"a cat\r\n", "a cat"),
        (b"a\n\n", "a\n"),
        (b"  a\nb ", "  a\nb "),
        (b"\xef\xbb\xbfa", "\ufeffa"),
        (b"", ""),
        ("a\n", "a"),
        (memoryview(b"\xe7\x8c\xab"), "猫"),
    ],
)
def test_captions_are_as_read_less_one_line_break(data: bytes, text: str) -> None:
    assert parse_caption(data, "p", RULES) == text


def test_caption_not_utf8() -> None:
    assert error_of(parse_caption(b"ab\xff", "p", RULES)) == (
        "CaptionNotUtf8",
        "expected UTF-8, found invalid start byte at byte 2",
    )


@pytest.mark.parametrize("caption", [b"x" * 21, "猫" * 7])
def test_caption_too_large_counts_bytes(caption: bytes | str) -> None:
    assert error_of(parse_caption(caption, "p", RULES)) == (
        "CaptionTooLarge",
        "expected a caption of at most 20 bytes, found 21",
    )


def test_meta_keeps_its_text() -> None:
    assert parse_meta(b'{"b": 1,  "a": [2]}', "p", RULES) == ('{"b": 1,  "a": [2]}', {"b": 1, "a": [2]})


def test_meta_loses_a_byte_order_mark() -> None:
    assert parse_meta(b"\xef\xbb\xbf{}", "p", RULES) == ("{}", {})


@pytest.mark.parametrize("data", [b"[1]", b"{", b"", b"nonsense", b'{"a": NaN}', b'{"a": "\xff"}', b"null", b"[" * 64])
def test_json_broken(data: bytes) -> None:
    assert error_of(parse_meta(data, "p", RULES))[0] == "JsonBroken"


def test_json_nested_beyond_the_stack_is_broken() -> None:
    data = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    assert error_of(parse_meta(data, "p", ReadRules()))[0] == "JsonBroken"


def test_json_too_large() -> None:
    assert error_of(parse_meta(b" " * 65, "p", RULES))[0] == "JsonTooLarge"


@pytest.mark.parametrize("data", [rb'{"a":"\ud800"}', rb'{"a":"x\udc00y"}', rb'{"\ud83d":1}', rb'{"a":"\ud83dx"}'])
def test_a_lone_surrogate_in_json(data: bytes) -> None:
    error, message = error_of(parse_meta(data, "p", RULES))
    assert error == "CaptionSurrogate"
    assert "lone surrogate U+D" in message


def test_a_surrogate_pair_is_a_character() -> None:
    assert parse_meta(rb'{"a":"\ud83d\ude00"}', "p", RULES) == (r'{"a":"\ud83d\ude00"}', {"a": "😀"})


@given(st.binary(max_size=60))
def test_meta_of_any_bytes_is_a_record_or_a_failure(data: bytes) -> None:
    parsed = parse_meta(data, "p", RULES)
    if isinstance(parsed, Failure):
        assert parsed.error in ("JsonBroken", "CaptionSurrogate")
    else:
        parsed[0].encode()


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"text": "b", "caption": "a"}, ["a"]),
        ({"caption": None, "text": "b"}, ["b"]),
        ({"captions": ["a", "b"]}, ["a", "b"]),
        ({"captions": []}, []),
        ({}, []),
    ],
)
def test_the_first_caption_column_counts(fields: dict[str, object], values: list[str]) -> None:
    assert captions_of(fields, "p", RULES) == values


@pytest.mark.parametrize(("value", "found"), [(5, "int"), (["a", None], "NoneType"), ([["a"]], "list")])
def test_a_caption_that_is_no_text(value: object, found: str) -> None:
    error, message = error_of(captions_of({"caption": value}, "p", RULES))
    assert (error, message) == ("JsonBroken", f"expected 'caption' to be text or a list of texts, found {found} in it")


def test_columns_become_sorted_json() -> None:
    raw = RawSample(UNIT, 0, "k")
    add_meta_fields(raw, {"b": float("nan"), "a": "猫"}, "p", RULES)
    assert raw.meta == '{"a":"猫","b":null}'


def test_columns_over_the_limit_fail() -> None:
    raw = RawSample(UNIT, 0, "k")
    add_meta_fields(raw, {"a": "x" * 99}, "p", RULES)
    assert [failure.error for failure in raw.failures] == ["JsonTooLarge"]


def test_a_picture_over_the_limit_stays_as_a_reference() -> None:
    raw = RawSample(UNIT, 0, "k")
    add_picture(raw, Span("pool.tar", 512, 517, "tar", "k.jpg"), b"12345", RULES)
    row = load_sample(raw)
    message = "expected a picture of at most 4 bytes, found 5"
    assert row.sample.failure == Failure("PictureTooLarge", message, "pool.tar#k.jpg")
    assert row.data == [None]
    assert decode_sample(encode_sample(row.sample)) == row.sample


def test_places() -> None:
    assert place_of(Span("u", 1, 2, "tar.gz", "m")) == "u#m"
    assert place_of(Span("u", 1, 2, "parquet", "m")) == "u@1-2"
    assert place_of(Span("u", 0, 2, "file", "m")) == "u"
