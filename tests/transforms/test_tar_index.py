"""Names, offsets and sizes are those of tarfile; what is no member is a problem at its offset; no bytes raise."""

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
from transforms.tar_index import (
    MAX_EXTENSION,
    TarIndex,
    TarMember,
    format_pax,
    index_headers,
    parse_header,
    parse_number,
    parse_pax,
)

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def oracle(data: bytes) -> list[TarMember]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [TarMember(m.name, m.offset_data, m.size) for m in tar if m.isreg()]


def header(
    name: bytes = b"a.txt", *, kind: bytes = b"0", size: bytes = b"00000000000\0", magic: bytes = b""
) -> bytearray:
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136], block[156:157], block[257 : 257 + len(magic)] = size, kind, magic
    return sealed(block)


def sealed(block: bytearray) -> bytearray:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


def problems(index: TarIndex) -> list[tuple[int, str, str]]:
    return [(problem.offset, problem.name, problem.error) for problem in index.problems]


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "a.jpg"
    return info


def pax_member(records: dict[bytes, bytes], block: bytes, *, kind: bytes = b"x") -> bytes:
    payload = format_pax(records)
    return bytes(header(b"pax", kind=kind, size=b"%011o\0" % len(payload))) + payload.ljust(512, b"\0") + block


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


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_a_link_is_one_problem_and_reading_goes_on(kind: bytes) -> None:
    data = tar_bytes({"a.jpg": b"1"}, others=[link("b.jpg", kind)])[:1536] + tar_bytes({"c.jpg": b"2"})
    index = index_headers(data)
    assert problems(index) == [(1024, "b.jpg", "TarLink")]
    assert [member.name for member in index.members] == ["a.jpg", "c.jpg"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_is_one_problem(kind: bytes) -> None:
    index = index_headers(tar_bytes({}, others=[link("dev", kind)]))
    assert problems(index) == [(0, "dev", "TarDevice")]


def test_directories_are_ignored() -> None:
    assert index_headers(tar_bytes({}, others=[link("folder", tarfile.DIRTYPE)])) == TarIndex([], [])


def test_a_v7_directory_is_ignored() -> None:
    assert index_headers(bytes(header(b"folder/", kind=b"\0"))) == TarIndex([], [])


def test_an_unknown_kind_is_a_regular_file_as_posix_asks() -> None:
    data = bytes(header(b"a.jpg", kind=b"Z"))
    assert index_headers(data) == TarIndex([TarMember("a.jpg", 512, 0)], [])


def test_cut_in_a_members_data() -> None:
    data = tar_bytes({"a.jpg": b"1" * 600, "a.txt": b"2" * 600})
    index = index_headers(data[: 1536 + 512 + 100])
    assert index.members == [TarMember("a.jpg", 512, 600)]
    assert index.problems[0][:3] == (1536, "a.txt", "TarTruncated")
    assert index.problems[0].message == "expected 600 bytes of a member, found 100 before the end"


def test_cut_in_a_header() -> None:
    data = tar_bytes({"a.jpg": b"1", "a.txt": b"2"})
    assert problems(index_headers(data[: 1024 + 200])) == [(1024, "", "TarTruncated")]


def test_cut_padding_loses_nothing() -> None:
    data = tar_bytes({"a.jpg": b"1"})
    assert index_headers(data[:513]) == TarIndex([TarMember("a.jpg", 512, 1)], [])


def test_no_end_mark_is_accepted() -> None:
    data = tar_bytes({"a.jpg": b"1"})
    assert index_headers(data[:1024]) == TarIndex([TarMember("a.jpg", 512, 1)], [])
    assert index_headers(data[:1034]) == TarIndex([TarMember("a.jpg", 512, 1)], [])


def test_garbage_instead_of_a_header_stops_there() -> None:
    data = tar_bytes({"a.jpg": b"1"})[:1024] + b"\xfe" * 512 + tar_bytes({"b.jpg": b"1"})
    index = index_headers(data)
    assert problems(index) == [(1024, "", "TarBroken")]
    assert len(index.members) == 1


def test_a_wrong_checksum_is_garbage() -> None:
    block = header()
    block[0] ^= 1
    assert problems(index_headers(bytes(block))) == [(0, "`.txt", "TarBroken")]


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


def test_a_negative_size_is_broken() -> None:
    assert problems(index_headers(bytes(header(size=b"\xff" * 12)))) == [(0, "a.txt", "TarBroken")]


def test_a_forged_size_is_truncated_and_takes_no_memory() -> None:
    data = bytes(header(size=b"\x80" + (1 << 80).to_bytes(11, "big")))
    assert problems(index_headers(data)) == [(0, "a.txt", "TarTruncated")]


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


@pytest.mark.parametrize("size", [b"-1", b"x", b"1.5"])
def test_a_broken_pax_size(size: bytes) -> None:
    assert problems(index_headers(pax_member({b"size": size}, bytes(header())))) == [(1024, "a.txt", "TarBroken")]


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


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_an_extended_header_without_end(kind: bytes) -> None:
    size = b"%011o\0" % 2000
    data = bytes(header(kind=kind, size=size)) + (format_pax({b"comment": b"c" * 1980}) + b"\0" * 2000)[:2000]
    assert [problem.error for problem in index_headers(data).problems] == ["TarTruncated"]


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_an_extended_header_of_a_forged_size(kind: bytes) -> None:
    index = index_headers(bytes(header(kind=kind, size=b"%011o\0" % (MAX_EXTENSION + 1))) + bytes(2 << 20))
    assert problems(index) == [(0, "a.txt", "TarBroken")]


def test_an_extended_header_before_the_end_mark() -> None:
    data = pax_member({b"path": b"x"}, b"")
    assert problems(index_headers(data)) == problems(index_headers(data + bytes(1024))) == [(1024, "", "TarBroken")]


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


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=1500))
def test_any_bytes_end_in_an_index(data: bytes) -> None:
    index = index_headers(data)
    assert all(0 <= member.start <= member.start + member.size <= len(data) for member in index.members)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3583), st.integers(1, 255), st.integers(0, 7), st.sampled_from(FORMATS))
def test_a_damaged_tar_ends_in_an_index(place: int, change: int, extra: int, format: int) -> None:
    data = bytearray(tar_bytes({"a" * 120 + ".jpg" if format else "a.jpg": b"1" * 600, "b.txt": b"2"}, format=format))
    data[place] = (data[place] + change) % 256
    for start in range(0, 3584, 512):  # half of the damaged headers get a fitting checksum again
        if extra % 2:
            data[start : start + 512] = (
                sealed(data[start : start + 512]) if any(data[start : start + 512]) else bytes(512)
            )
    index = index_headers(bytes(data))
    assert all(0 <= member.start <= member.start + member.size <= len(data) for member in index.members)
