"""Character sets as real pages declare, lie about and omit them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.page_charset import declared_in, decode_page, lookup_label

CHINESE = "这是一个关于中文网页的测试文本，我们需要检测它的编码。"
TAIWAN = "繁體中文網頁的測試文字，我們需要偵測它的編碼方式。"
JAPANESE = "これは日本語のテキストです。文字コードを判定します。"
KOREAN = "한국어로 쓴 문장의 문자 인코딩을 확인하는 시험입니다."
RUSSIAN = "Привет, это русский текст для проверки кодировки страницы."
FRENCH = "Déjà vu – the “café” was à côté, naïve and très cher"


def page(text: str, codec: str, meta: str = "") -> bytes:
    head = f'<html><meta http-equiv="Content-Type" content="text/html; charset={meta}">' if meta else "<html>"
    return f"{head}<p>{text}</p>".encode(codec)


@pytest.mark.parametrize(
    ("text", "codec", "header", "meta", "name", "said_by"),
    [
        (CHINESE, "gbk", "", "", "gb18030", "detection"),
        (CHINESE, "gbk", "GB2312", "", "gbk", "header"),
        (CHINESE, "gb18030", "", "gb2312", "gbk", "meta"),
        (CHINESE, "gbk", "utf-8", "gbk", "gbk", "meta"),
        (CHINESE, "gbk", "utf-8", "utf-8", "gb18030", "detection"),
        (CHINESE, "utf-8", "gbk", "gbk", "utf-8", "bytes"),
        (TAIWAN, "big5", "", "", "big5", "detection"),
        (JAPANESE, "shift_jis", "", "", "shift_jis", "detection"),
        (JAPANESE, "cp932", "x-sjis", "", "shift_jis", "header"),
        (JAPANESE, "euc-jp", "", "", "euc-jp", "detection"),
        (JAPANESE, "iso2022_jp", "", "", "iso-2022-jp", "detection"),
        (KOREAN, "cp949", "", "", "euc-kr", "detection"),
        (KOREAN, "euc-kr", "ks_c_5601-1987", "", "euc-kr", "header"),
        (RUSSIAN, "koi8-r", "", "", "koi8-r", "detection"),
        (RUSSIAN, "cp1251", "utf-8", "", "windows-1251", "detection"),
        (FRENCH, "cp1252", "iso-8859-1", "", "windows-1252", "header"),
        (FRENCH, "cp1252", "", "latin1", "windows-1252", "meta"),
        (FRENCH, "cp1252", "utf8", "", "windows-1252", "detection"),
        (FRENCH, "utf-8", "iso-8859-1", "", "utf-8", "bytes"),
        (FRENCH, "utf-8", "", "", "utf-8", "bytes"),
        (FRENCH, "utf-8", "bogus", "utf-16", "utf-8", "meta"),
        (FRENCH, "utf-8-sig", "gbk", "gbk", "utf-8", "mark"),
        (FRENCH, "utf-16", "utf-8", "", "utf-16le", "mark"),
        (FRENCH, "utf-16-le", "utf-16", "", "utf-16le", "header"),
        (FRENCH, "utf-16-le", "", "", "utf-16le", "bytes"),
        (FRENCH, "utf-16-be", "utf-8", "", "utf-16be", "bytes"),
        ("plain", "ascii", "", "gbk", "utf-8", "bytes"),
        ("plain", "utf-16-le", "iso-2022-jp", "gbk", "utf-16le", "bytes"),
    ],
)
def test_what_decodes_a_page(text: str, codec: str, header: str, meta: str, name: str, said_by: str) -> None:
    found = decode_page(page(text, codec, meta), header)
    assert (found.charset, found.said_by, found.replaced) == (name, said_by, 0)
    assert text in found.text and "\ufeff" not in found.text


def test_a_few_wrong_bytes_change_nothing_but_their_count() -> None:
    found = decode_page(page(CHINESE, "utf-8") + b"\xe9\xff", "utf-8")
    assert (found.charset, found.said_by, found.replaced) == ("utf-8", "header", 2)


def test_what_nothing_fits_is_what_replaces_least() -> None:
    found = decode_page(b"<p>\xff\xff\xff\xff\x81\x8d", "utf-8")
    assert found.text.startswith("<p>") and found.replaced == found.text.count("\ufffd")


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("  LATIN1 ", "windows-1252"),
        ("gb2312", "gbk"),
        ("hz-gb-2312", ""),
        ("utf-7", ""),
        ("é", ""),
        ("\0", ""),
        ("", ""),
    ],
)
def test_labels(label: str, name: str) -> None:
    assert lookup_label(label) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<meta charset=gbk>", "gbk"),
        (b"<META content='text/html; CHARSET = \"Big5\"' >", "big5"),
        (b"<!-- <meta charset=gbk> --><meta charset='koi8-r'/>", "koi8-r"),
        (b'<?xml version="1.0" encoding="EUC-JP"?><html>', "euc-jp"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<meta name=charset content=gbk>", ""),
        (b" " * 4096 + b"<meta charset=gbk>", ""),
        (b"<meta " * 9999, ""),
        (b"<!--" * 9999, ""),
    ],
)
def test_what_a_page_declares(head: bytes, name: str) -> None:
    assert declared_in(head) == name


@given(st.binary(max_size=200) | st.text().map(str.encode), st.text(max_size=12) | st.sampled_from(["gbk", "utf-16"]))
def test_any_bytes_become_valid_text(body: bytes, label: str) -> None:
    found = decode_page(body, label)
    found.text.encode()
    assert found.replaced == found.text.count("\ufffd")
