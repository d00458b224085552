"""Cut, forged and damaged tars: a fault is one problem of the index and one failed row, what is sound is read."""

import gzip
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.pools import errors, failure_of, read_all, tar_bytes
from tests.transforms.tar_blocks import FORMATS, header, link, pax_member, problems, sealed
from transforms import tar_reader
from transforms.loaded import Loaded
from transforms.records import decode_sample, encode_sample
from transforms.tar_index import MAX_EXTENSION, TarMember, format_pax, index_headers


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


def test_cut_in_a_members_data() -> None:
    data = tar_bytes({"a.jpg": b"1" * 600, "a.txt": b"2" * 600})
    index = index_headers(data[: 1536 + 512 + 100])
    assert index.members == [TarMember("a.jpg", 512, 600)]
    assert index.problems[0][:3] == (1536, "a.txt", "TarTruncated")
    assert index.problems[0].message == "expected 600 bytes of a member, found 100 before the end"


def test_cut_in_a_header() -> None:
    data = tar_bytes({"a.jpg": b"1", "a.txt": b"2"})
    assert problems(index_headers(data[: 1024 + 200])) == [(1024, "", "TarTruncated")]


def test_garbage_instead_of_a_header_stops_there() -> None:
    data = tar_bytes({"a.jpg": b"1"})[:1024] + b"\xfe" * 512 + tar_bytes({"b.jpg": b"1"})
    index = index_headers(data)
    assert problems(index) == [(1024, "", "TarBroken")]
    assert len(index.members) == 1


def test_a_wrong_checksum_is_garbage() -> None:
    block = header()
    block[0] ^= 1
    assert problems(index_headers(bytes(block))) == [(0, "`.txt", "TarBroken")]


def test_a_negative_size_is_broken() -> None:
    assert problems(index_headers(bytes(header(size=b"\xff" * 12)))) == [(0, "a.txt", "TarBroken")]


def test_a_forged_size_is_truncated_and_takes_no_memory() -> None:
    data = bytes(header(size=b"\x80" + (1 << 80).to_bytes(11, "big")))
    assert problems(index_headers(data)) == [(0, "a.txt", "TarTruncated")]


@pytest.mark.parametrize("size", [b"-1", b"x", b"1.5"])
def test_a_broken_pax_size(size: bytes) -> None:
    assert problems(index_headers(pax_member({b"size": size}, bytes(header())))) == [(1024, "a.txt", "TarBroken")]


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


def keys(rows: list[Loaded]) -> list[str]:
    return [row.sample.source_key for row in rows]


def test_tar_problems_take_positions_in_their_place(tmp_path: Path) -> None:
    info = tarfile.TarInfo("d/b.jpg")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    data = tar_bytes({"a.jpg": b"1"}, others=[info])[:1536] + tar_bytes({"c.jpg": b"2", "e.jpg": b"3" * 600})[:2000]
    (tmp_path / "x.tar").write_bytes(data)
    rows = read_all(tmp_path / "x.tar")
    assert errors(rows) == ["", "TarLink", "", "TarTruncated"]
    assert keys(rows) == ["a", "d/b", "c", "e"]
    assert [row.sample.position for row in rows] == [0, 1, 2, 3]
    assert failure_of(rows[1]).place == f"{tmp_path}/x.tar#d/b.jpg"
    assert failure_of(rows[1]).message == "expected a regular file, found a symbolic link"


def test_a_device_in_a_tar(tmp_path: Path) -> None:
    info = tarfile.TarInfo("fifo.jpg")
    info.type = tarfile.FIFOTYPE
    (tmp_path / "x.tar").write_bytes(tar_bytes({}, others=[info]))
    assert errors(read_all(tmp_path / "x.tar")) == ["TarDevice"]


def test_garbage_is_one_failed_row(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"\xfe" * 2000)
    (row,) = read_all(tmp_path / "x.tar")
    assert failure_of(row).error == "TarBroken"
    assert failure_of(row).place == f"{tmp_path}/x.tar@0-512"
    assert row.sample.key == "_"


def test_a_cut_gzip_keeps_what_lies_before_the_cut(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(40_000)
    data = gzip.compress(tar_bytes({"a.jpg": b"1", "b.jpg": noise}))
    (tmp_path / "x.tgz").write_bytes(data[:20_000])
    rows = read_all(tmp_path / "x.tgz")
    assert errors(rows) == ["", "TarTruncated"]
    assert keys(rows) == ["a", "b"]


def test_a_gzip_cut_behind_the_last_member(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(tar_bytes({"a.jpg": b"1"}))[:-8])
    rows = read_all(tmp_path / "x.tgz")
    assert errors(rows) == ["", "TarTruncated"]
    assert "expected the end of a gzip file" in failure_of(rows[1]).message


@pytest.mark.parametrize("place", [-6, 30])
def test_a_damaged_gzip_is_one_failed_row(tmp_path: Path, place: int) -> None:
    data = bytearray(gzip.compress(tar_bytes({"a.jpg": random.Random(1).randbytes(2000)})))
    data[place] ^= 0xFF
    (tmp_path / "x.tgz").write_bytes(data)
    assert errors(read_all(tmp_path / "x.tgz")) == ["TarBroken"]


def test_a_gzip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_reader, "ALWAYS_ALLOWED", 1 << 20)
    (tmp_path / "x.tgz").write_bytes(gzip.compress(bytes(8 << 20)))
    (row,) = read_all(tmp_path / "x.tgz")
    assert failure_of(row).error == "TarBroken"
    assert "100 times the file" in failure_of(row).message


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=1200), st.booleans())
def test_any_file_ends_in_documented_rows(tmp_path_factory: pytest.TempPathFactory, data: bytes, zipped: bool) -> None:
    path = tmp_path_factory.mktemp("any") / "x.tar"
    path.write_bytes(gzip.compress(data) if zipped else data)
    allowed = {"UnitEmpty", "TarBroken", "TarTruncated", "TarLink", "TarDevice", "PictureMissing", ""}
    rows = read_all(path)
    assert {*errors(rows)} <= allowed
    assert all(decode_sample(encode_sample(row.sample)) == row.sample for row in rows)
