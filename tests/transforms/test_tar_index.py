"""Names, offsets and sizes of a tar's members are those of tarfile."""

import io
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.pools import tar_bytes
from tests.transforms.tar_blocks import FORMATS, header, link, pax_member, problems, sealed
from transforms.tar_index import TarIndex, TarMember, format_pax, index_headers, parse_header, parse_number, parse_pax


def oracle(data: bytes) -> list[TarMember]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [TarMember(m.name, m.offset_data, m.size) for m in tar if m.isreg()]


names = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=140)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(names, st.binary(max_size=1100)), max_size=6), st.sampled_from(FORMATS[1:]))
def test_random_tars_are_read_as_tarfile_reads_them(members: list[tuple[str, bytes]], format: int) -> None:
    data = tar_bytes(members, format=format)
    index = index_headers(data)
    assert index.members == oracle(data)
    assert index.problems == []
    assert [data[m.start : m.start + m.size] for m in index.members] == [body for _, body in members]


@pytest.mark.parametrize("format", FORMATS)
def test_long_and_unicode_names(format: int) -> None:
    members = {"a" * 90 + "/" + "b" * 80 + ".jpg": b"1", "d/" * 40 + "x.txt": b"22", "猫/写真.jpg": b"333"}
    data = tar_bytes(members, format=format)
    assert index_headers(data) == TarIndex(oracle(data), [])
    assert [member.name for member in index_headers(data).members] == list(members)


def test_a_name_of_exactly_100_bytes() -> None:
    data = tar_bytes({"n" * 100: b"x"})
    assert index_headers(data).members == oracle(data) == [TarMember("n" * 100, 512, 1)]


@pytest.mark.parametrize("format", ["v7", "oldgnu", "gnu", "ustar", "pax"])
@pytest.mark.skipif(shutil.which("tar") is None, reason="needs the tar program")
def test_tars_of_the_tar_program(tmp_path: Path, format: str) -> None:
    (tmp_path / "pool" / ("deep" * 12)).mkdir(parents=True)
    for name in ("a.jpg", "b.txt", f"{'deep' * 12}/c.json"):
        (tmp_path / "pool" / name).write_bytes(random.Random(name).randbytes(700))
    subprocess.run(
        ["tar", "-C", str(tmp_path), f"--format={format}", "-cf", str(tmp_path / "x.tar"), "pool"], check=True
    )
    data = (tmp_path / "x.tar").read_bytes()
    assert index_headers(data) == TarIndex(oracle(data), [])
    assert len(oracle(data)) == 3


def test_directories_are_ignored() -> None:
    assert index_headers(tar_bytes({}, others=[link("folder", tarfile.DIRTYPE)])) == TarIndex([], [])


def test_a_v7_directory_is_ignored() -> None:
    assert index_headers(bytes(header(b"folder/", kind=b"\0"))) == TarIndex([], [])


def test_an_unknown_kind_is_a_regular_file_as_posix_asks() -> None:
    data = bytes(header(b"a.jpg", kind=b"Z"))
    assert index_headers(data) == TarIndex([TarMember("a.jpg", 512, 0)], [])


def test_cut_padding_loses_nothing() -> None:
    data = tar_bytes({"a.jpg": b"1"})
    assert index_headers(data[:513]) == TarIndex([TarMember("a.jpg", 512, 1)], [])


def test_no_end_mark_is_accepted() -> None:
    data = tar_bytes({"a.jpg": b"1"})
    assert index_headers(data[:1024]) == TarIndex([TarMember("a.jpg", 512, 1)], [])
    assert index_headers(data[:1034]) == TarIndex([TarMember("a.jpg", 512, 1)], [])


def test_a_signed_checksum_is_accepted() -> None:
    block = header("é".encode())
    signed = sum(byte - 256 * (byte > 127) for byte in block[:148] + block[156:]) + 256
    block[148:156] = b"%06o\0 " % signed
    assert index_headers(bytes(block)).members == oracle(bytes(block)) == [TarMember("é", 512, 0)]


def test_a_checksum_beyond_adlers_modulus() -> None:
    block = header(b"\xff" * 100)
    block[157:257], block[345:500] = b"\xff" * 100, b"\xff" * 155
    block = sealed(block)
    assert sum(block) > 65521
    assert parse_header(bytes(block)).name == b"\xff" * 100


def test_the_prefix_belongs_to_ustar_only() -> None:
    block = header(b"a.txt", magic=b"ustar\00000")
    block[345:350] = b"deep/"
    assert parse_header(bytes(sealed(block))).name == b"deep//a.txt"
    block[257:265] = b"ustar  \0"  # GNU keeps the access time there
    assert parse_header(bytes(sealed(block))).name == b"a.txt"


@pytest.mark.parametrize(
    ("field", "number"),
    [
        (b"00000000017\0", 15),
        (b"       17 \0\0", 15),
        (b"\0" * 12, 0),
        (b"17\0junk\0\0\0\0\0", 15),
        (b"\x80" + bytes(10) + b"\x11", 17),
        (b"\xff" * 12, -1),
    ],
)
def test_numbers(field: bytes, number: int) -> None:
    assert parse_number(field) == number == tarfile.nti(field)


@pytest.mark.parametrize("field", [b"89\0", b"0x1\0", b"-1\0", b"1_0\0", b"1 2\0", b"\xfe\0"])
def test_what_is_no_number(field: bytes) -> None:
    with pytest.raises(ValueError, match="expected an octal number"):
        parse_number(field)


def test_a_size_in_base_256() -> None:
    data = bytes(header(size=b"\x80" + (600).to_bytes(11, "big"))) + b"x" * 1024
    assert index_headers(data).members == oracle(data) == [TarMember("a.txt", 512, 600)]


def test_pax_path_and_size() -> None:
    data = pax_member({b"path": "猫.jpg".encode(), b"size": b"600"}, bytes(header()) + b"x" * 1024)
    assert index_headers(data).members == oracle(data) == [TarMember("猫.jpg", 1536, 600)]


def test_a_global_pax_header_holds_until_the_member_says_otherwise() -> None:
    data = pax_member({b"path": b"all.jpg"}, bytes(header()), kind=b"g")
    data += pax_member({b"path": b"own.jpg"}, bytes(header())) + bytes(header())
    assert [member.name for member in index_headers(data).members] == ["all.jpg", "own.jpg", "all.jpg"]


def test_an_empty_pax_value_restores_the_header() -> None:
    data = pax_member({b"path": b"all.jpg"}, pax_member({b"path": b""}, bytes(header())), kind=b"g")
    assert [member.name for member in index_headers(data).members] == ["a.txt"]


@pytest.mark.parametrize(
    "records", [b"99 path=x\n", b"path=x\n", b"0 \n", b"8 nokey\n", b"5 =x\n", b"9 path=xy", b"x" * 30, b"7 a=bcd\n"]
)
def test_a_broken_pax_record(records: bytes) -> None:
    with pytest.raises(ValueError, match="expected a PAX record"):
        parse_pax(records)


@given(st.dictionaries(st.binary(min_size=1, max_size=9).filter(lambda k: b"=" not in k), st.binary(max_size=120)))
def test_pax_records_there_and_back(records: dict[bytes, bytes]) -> None:
    assert parse_pax(format_pax(records)) == records


def test_a_name_that_is_not_utf8_becomes_escapes() -> None:
    assert index_headers(bytes(header(b"\xff.jpg"))).members[0].name == "\\xff.jpg"


def test_a_long_link_name_belongs_to_the_link() -> None:
    info = link("l" * 120, tarfile.SYMTYPE)
    info.linkname = "t" * 120
    index = index_headers(tar_bytes({}, format=tarfile.GNU_FORMAT, others=[info]))
    assert [(problem.name, problem.error) for problem in index.problems] == [("l" * 120, "TarLink")]


def test_sparse_members_are_problems_and_reading_goes_on() -> None:
    block = header(b"hole.bin", kind=b"S", size=b"%011o\0" % 10)
    block[482] = 1
    maps = bytearray(512)
    maps[504] = 1
    data = bytes(sealed(block)) + bytes(maps) + bytes(512) + b"x" * 512 + bytes(header())
    index = index_headers(data)
    assert problems(index) == [(0, "hole.bin", "TarBroken")]
    assert index.members == [TarMember("a.txt", len(data), 0)]


def test_a_sparse_member_of_pax_is_a_problem() -> None:
    records = {b"GNU.sparse.major": b"1", b"GNU.sparse.name": b"hole.bin"}
    index = index_headers(pax_member(records, bytes(header())) + bytes(header(b"b.txt")))
    assert problems(index) == [(1024, "hole.bin", "TarBroken")]
    assert [member.name for member in index.members] == ["b.txt"]
