"""`data:` URIs to bytes, within their limit, and back from the page they stand in."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.archives import PNG, captures, packed, record
from transforms.data_uris import data_uri_recipe, decode_data_uri
from transforms.materialise import SpanReader, materialise
from transforms.records import Span
from transforms.warc_reader import Page

URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("uri", "data"),
    [
        (URI, PNG),
        ("DATA:image/png ; BASE64 ,aGk", b"hi"),
        ("data:;base64,aG k\n=", b"hi"),
        ("data:;base64,aGk%3D", b"hi"),
        ("data:,a%20b%2", b"a b%2"),
        ("data:image/svg+xml;utf8,<svg/>#x", b"<svg/>"),
        ("data:,", b""),
    ],
)
def test_decoded(uri: str, data: bytes) -> None:
    assert decode_data_uri(uri, 1000) == data


@pytest.mark.parametrize("uri", ["http://e.com/,", "data:x", "data:;base64,a", "data:;base64,a*==", "data:,12345"])
def test_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        decode_data_uri(uri, 4)


@given(st.binary(max_size=60))
def test_what_is_encoded_comes_back(data: bytes) -> None:
    assert decode_data_uri("data:x/y;base64," + base64.b64encode(data).decode(), 60) == data


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="{}">',
        "<img src='{}' >",
        "<img src={} >",
        "<p style='background:url({})'>",
        '<img src="&#100;ata:,{}">',
    ],
)
def test_found_in_its_page_again(tmp_path: Path, tag: str) -> None:
    html = "<!doctype html><img src='data:,x'>" + tag.format(URI)
    (page,) = captures(tmp_path, packed(record(body=html.encode())))
    assert isinstance(page, Page)
    with SpanReader(str(tmp_path)) as spans:
        recipe = data_uri_recipe(URI, page.span)
        assert materialise(recipe, spans) == PNG
        with pytest.raises(OSError, match="that hashes to"):
            materialise(data_uri_recipe("data:,gone", page.span), spans)


def test_the_pictures_of_a_page_read_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uris = [f"data:,{number}" for number in range(500)]
    (page,) = captures(tmp_path, packed(record(body="".join(f"<img src='{uri}'>" for uri in uris).encode())))
    assert isinstance(page, Page)
    read = SpanReader.read
    asked: list[Span] = []
    monkeypatch.setattr(SpanReader, "read", lambda self, span: asked.append(span) or read(self, span))
    with SpanReader(str(tmp_path)) as spans:
        found = [materialise(data_uri_recipe(uri, page.span), spans) for uri in uris]
    assert (found, asked) == ([str(number).encode() for number in range(500)], [page.span])


def test_found_in_utf_16(tmp_path: Path) -> None:
    (page,) = captures(tmp_path, packed(record(body=f'<img src="{URI}">'.encode("utf-16"))))
    assert isinstance(page, Page)
    with SpanReader(str(tmp_path)) as spans:
        assert materialise(data_uri_recipe(URI, page.span), spans) == PNG
