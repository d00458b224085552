"""One shard's faults, each by the smallest tar that has it, and what is no fault."""

import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.pools import tar_bytes
from tests.transforms.tar_blocks import FORMATS, header, link, pax_member
from transforms.set_keys import Place, SetKeys
from transforms.set_lint import lint_shard

JPEG, PNG = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"


def faults(members, **kwargs):
    data = members if isinstance(members, bytes) else tar_bytes(members)
    return [finding.fault for finding in lint_shard(data, "s.tar", **kwargs).findings]


def pair(key, **others):
    return [(f"{key}.jpg", JPEG), (f"{key}.txt", b"a bus"), *((f"{key}.{name}", data) for name, data in others.items())]


CLEAN = {
    "pairs": [*pair("a"), *pair("b", json=b"{}")],
    "several pictures, webdataset 289 and 20": [("a.0.jpg", JPEG), ("a.1.png", PNG), ("a.json", b"[]")],
    "named parts": [("a.left.png", PNG), ("a.right.png", PNG), ("a.json", b"{}")],
    "several pictures alone": [("a.0.jpg", JPEG), ("a.1.jpg", JPEG)],
    "a text for each picture": [("a.0.jpg", JPEG), ("a.0.txt", b"x"), ("a.json", b"{}")],
    "folders with dots": [("v1.0/a.jpg", JPEG), ("v1.0/a.txt", b""[:0] + b"x"), ("v1.0/b.jpg", JPEG)],
    "one sample in a folder": [("f/a.jpg", JPEG)],
    "upper case": [("a.JPG", JPEG), ("a.TIF", b"II*\x00")],
    "other types": [("a.npy", b"\x93NUMPY"), ("a.cls", b"3")],
    "its own names": [("__meta__", b"x"), *pair("a")],
    "pictures elsewhere": [("a.json", b'{"images": ["https://x/y.jpg", null], "image": 3, "image_info": [3]}')],
}


@pytest.mark.parametrize("members", CLEAN.values(), ids=CLEAN)
def test_a_sound_shard_is_clean(members):
    assert faults(members) == []


FAULTS = {
    "members_apart": [*pair("a"), *pair("b"), ("a.json", b"{}")],  # webdataset 407
    "key_repeated": [*pair("a"), *pair("b"), *pair("a")],
    "member_repeated": [("a.jpg", JPEG), ("a.JPG", JPEG)],
    "key_dotted": [("v1.5.jpg", JPEG), ("v1.5.txt", b"x")],  # webdataset 237
    "folder_as_sample": [("000/image.jpg", JPEG), ("000/meta.json", b"{}"), ("001/image.jpg", JPEG)],  # webdataset 319
    "name_unsafe": [("../a.jpg", JPEG), ("../a.txt", b"x")],
    "name_without_key": [("README", b"x"), *pair("a")],
    "member_empty": [("a.jpg", b""), ("a.txt", b"x")],
    "extension_wrong": [("a.jpg", PNG), ("b.png", b"<html>")],
    "text_not_utf8": [("a.jpg", JPEG), ("a.txt", b"caf\xe9")],
    "json_broken": [("a.jpg", JPEG), ("a.json", b"{'a': 1}")],
    "json_not_strict": [("a.jpg", JPEG), ("a.json", b'{"score": NaN}')],
    "picture_missing": [("a.0.jpg", JPEG), ("a.json", b'{"images": ["0.jpg", "a.1.jpg"]}')],
    "picture_unnamed": [("a.jpg", JPEG), ("a.json", b'{"beamsift": {"pieces": [{"text": "x"}]}}')],
    "name_not_ustar": [("ü.jpg", JPEG), ("ü.txt", b"x")],
    "shard_empty": [],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_no_other(fault):
    assert set(faults(FAULTS[fault])) == {fault}


def test_a_shard_without_a_byte():
    assert faults(b"") == ["shard_empty"]


def test_pictures_that_our_pieces_expect():
    pieces = (
        b'{"beamsift": {"pieces": [{"picture": {}}, {"picture": {}, "drop": {}}, {"picture": {}, "reference": true}]}}'
    )
    assert faults([("a.jpg", JPEG), ("a.json", pieces)]) == []
    assert faults([("a.json", pieces)]) == ["picture_missing"]


def test_names_that_only_unpacking_fears():
    assert faults([("/abs.jpg", JPEG)]) == ["name_unsafe"]
    assert faults([("a\\b.jpg", JPEG)]) == ["name_unsafe"]
    assert faults([("a\x07.jpg", JPEG)]) == ["name_unsafe"]
    assert faults([(".hidden.jpg", JPEG), *pair("a")]) == ["name_without_key"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_long_name_needs_an_extended_header_where_ustar_cannot_split_it(format):
    long, split = f"{'k' * 150}.jpg", f"{'d' * 100}/{'k' * 80}.jpg"
    if format != tarfile.USTAR_FORMAT:
        assert faults(tar_bytes({long: JPEG}, format=format)) == ["name_not_ustar"]
    assert faults(tar_bytes({split: JPEG}, format=format)) == (
        [] if format == tarfile.USTAR_FORMAT else faults(tar_bytes({split: JPEG}, format=format))
    )


def test_hostile_tars_are_findings_and_no_exception():
    whole = tar_bytes(pair("a"))
    assert faults(whole[:514]) == ["tar_truncated"]
    assert faults(whole[:1024]) == faults(whole[:700]) == ["tar_without_end"]
    assert faults(whole + tar_bytes(pair("b"))) == ["tar_goes_on"]
    assert faults(whole[:516] + bytes(508) + b"x" * 2000) == ["tar_broken"]
    assert faults(tar_bytes(pair("a"), others=[link("b.jpg", tarfile.SYMTYPE)])) == ["tar_link"]
    assert faults(tar_bytes(pair("a"), others=[link("b.jpg", tarfile.CHRTYPE)])) == ["tar_device"]
    forged = bytes(header(b"a.jpg", size=b"77777777777\0"))
    assert faults(forged + bytes(1024)) == ["tar_truncated"]
    assert "name_unsafe" in faults(pax_member({b"path": b"\xff\xfe.jpg"}, bytes(header())) + bytes(1024))
    assert faults(b"PK\x03\x04" + bytes(2000)) == ["tar_broken"]


def test_headers_alone_see_names_and_no_bytes():
    assert faults([("a.jpg", PNG), ("a.json", b"{")], contents=False) == []
    assert faults(FAULTS["members_apart"], contents=False) == ["members_apart"]


def test_a_finding_says_where_and_what():
    found = lint_shard(tar_bytes(FAULTS["extension_wrong"]), "s.tar").findings
    assert (
        found[0].place == "s.tar#a.jpg" and found[0].message == "the name says jpeg, the first bytes are those of png"
    )
    assert "no known picture" in found[1].message


@pytest.mark.parametrize("held", [100, 2])
def test_keys_of_a_set_that_come_again(tmp_path, held):
    keys = SetKeys(str(tmp_path), held=held, buckets=3)
    for shard, names in enumerate([["a", "b"], [], ["c", "a"], ["a", "\udc80"], ["d"]]):
        keys.add(shard, names)
    assert sorted(keys.repeated()) == [(Place(0, 0), Place(2, 1)), (Place(2, 1), Place(3, 0))]
    assert any(tmp_path.iterdir()) == (held == 2)


CHANGES = st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(CHANGES, st.integers(0, 4096))
def test_no_bytes_make_lint_raise(changes, cut):
    data = bytearray(
        tar_bytes([*pair("a", json=b'{"images": ["a.jpg"]}'), ("k" * 150 + ".txt", b"x")], format=tarfile.PAX_FORMAT)
    )
    for place, value in changes:
        data[place] = value
    found = lint_shard(bytes(data[:cut]), "s.tar")
    assert all(finding.fault and finding.place.startswith("s.tar") and finding.message for finding in found.findings)
