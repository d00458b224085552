"""Samples of WebDataset tars: what belongs together, what fails a row, and that spans are exact."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webdataset.tariterators import base_plus_ext

from configs.schema.caption import ReadRules
from tests.transforms.pools import captions, data_of, errors, failure_of, read_all, tar_bytes, write_tar
from transforms.loaded import Loaded
from transforms.records import Failure, Span, Unit, pictures
from transforms.tar_reader import index_tar, open_tar, read_tar, split_name

REAL = Path("../shared/data/caption_pairs/00000.tar")


def rows_of(
    tmp_path: Path, members: dict[str, bytes] | list[tuple[str, bytes]], rules: ReadRules | None = None
) -> list[Loaded]:
    return read_all(write_tar(tmp_path, members), rules)


def keys(rows: list[Loaded]) -> list[str]:
    return [row.sample.source_key for row in rows]


def test_a_sample_with_its_span_caption_and_json(tmp_path: Path) -> None:
    path = write_tar(tmp_path, {"d/0.jpg": b"JPEG", "d/0.txt": b"a cat\n", "d/0.json": b'{"url": "x"}'})
    (row,) = read_all(path)
    sample = row.sample
    assert (sample.key, sample.source_key, sample.source, sample.position) == ("d_0", "d/0", path, 0)
    assert pictures(sample)[0].source == Span(path, 512, 516, "tar", "d/0.jpg")
    assert (captions(row), sample.meta, sample.failure) == (["a cat"], '{"url": "x"}', None)
    assert data_of(row) == [b"JPEG", None]
    assert row.pixels == [None, None]
    assert Path(path).read_bytes()[512:516] == b"JPEG"


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "webp", "gif", "bmp", "tif", "TIFF"])
def test_picture_extensions_in_any_case(tmp_path: Path, suffix: str) -> None:
    (row,) = rows_of(tmp_path, {f"a.{suffix}": b"x", "a.TXT": b"t"})
    assert (data_of(row), captions(row)) == ([b"x", None], ["t"])


def test_members_apart_are_joined_and_positions_follow_the_first(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [("b.jpg", b"1"), ("a.jpg", b"2"), ("b.txt", b"bee"), ("a.txt", b"ay")])
    assert keys(rows) == ["b", "a"]
    assert [captions(row) for row in rows] == [["bee"], ["ay"]]
    assert [row.sample.position for row in rows] == [0, 1]


def test_a_repeated_key_and_extension_begin_a_new_sample(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [("a.jpg", b"1"), ("a.txt", b"one"), ("a.JPG", b"2"), ("a.txt", b"two")])
    assert keys(rows) == ["a", "a"]
    assert [(data_of(row)[0], captions(row)) for row in rows] == [(b"1", ["one"]), (b"2", ["two"])]


def test_several_pictures_in_the_natural_order_of_their_names(tmp_path: Path) -> None:
    names = ["a.10.jpg", "a.2.jpg", "a.jpg", "a.left.png", "a.02.jpg", "a.²." + "9" * 80 + ".jpg"]
    (row,) = rows_of(tmp_path, [(name, name.encode()) for name in names])
    found = [data.decode() for data in data_of(row) if data]
    assert found == ["a.02.jpg", "a.2.jpg", "a.10.jpg", "a.jpg", "a.left.png", names[5]]


def test_every_line_of_a_txt_is_one_caption_and_txt_comes_first(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.caption": b"other", "a.txt": b"one\ntwo\n", "a.jpg": b"1"})
    assert captions(row) == ["one\ntwo", "other"]


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        (b'{"caption": "c", "text": "t"}', ["c"]),
        (b'{"text": "t"}', ["t"]),
        (b'{"captions": ["c", "d"]}', ["c", "d"]),
        (b'{"caption": null}', []),
    ],
)
def test_json_captions_count_where_no_text_file_is(tmp_path: Path, json: bytes, expected: list[str]) -> None:
    (row,) = rows_of(tmp_path, {"a.jpg": b"1", "a.json": json})
    assert (captions(row), row.sample.fate) == (expected, "kept")


def test_json_captions_do_not_count_beside_a_text_file(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.jpg": b"1", "a.json": b'{"caption": 5}', "a.txt": b""})
    assert (captions(row), row.sample.fate) == ([""], "kept")


def test_a_json_caption_that_is_no_text(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.jpg": b"1", "a.json": b'{"caption": 5}'})
    assert failure_of(row).error == "JsonBroken"


def test_other_members_and_names_without_a_key_are_no_rows(tmp_path: Path) -> None:
    names = ["a.cls", "b.npy", "noextension", ".hidden.jpg", "d/._0.jpg", "c.seg.txt", "c.pyd"]
    assert rows_of(tmp_path, dict.fromkeys(names, b"x")) == []


def test_a_caption_without_picture(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.txt": b"a cat"})
    place = f"{tmp_path}/pool.tar#a"
    assert row.sample.failure == Failure("PictureMissing", "expected a picture, found none", place)
    assert captions(row) == ["a cat"]


def test_a_picture_without_caption_is_no_failure(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.jpg": b"x"})
    assert (captions(row), row.sample.fate) == ([], "kept")


def test_an_empty_picture_is_handed_on(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.jpg": b"", "a.txt": b"t"})
    assert (data_of(row), row.sample.fate) == ([b"", None], "kept")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"a.jpg": b"x" * 9}, "PictureTooLarge"),
        ({"a.jpg": b"x", "a.txt": b"\xff"}, "CaptionNotUtf8"),
        ({"a.jpg": b"x", "a.txt": b"t" * 31}, "CaptionTooLarge"),
        ({"a.jpg": b"x", "a.json": b"{"}, "JsonBroken"),
        ({"a.jpg": b"x", "a.json": b"[]"}, "JsonBroken"),
        ({"a.jpg": b"x", "a.json": b" " * 41}, "JsonTooLarge"),
        ({"a.jpg": b"x", "a.json": rb'{"a": "\udc80"}'}, "CaptionSurrogate"),
        ({"a.jpg": b"x" * 9, "a.txt": b"\xff", "a.json": b"{"}, "PictureTooLarge"),
        ({"a.txt": b"\xff"}, "PictureMissing"),
    ],
)
def test_what_cannot_be_taken_fails_its_row(tmp_path: Path, members: dict[str, bytes], error: str) -> None:
    rules = ReadRules(max_picture_bytes=8, max_caption_bytes=30, max_json_bytes=40)
    rows = rows_of(tmp_path, {**members, "b.jpg": b"x", "b.txt": b"fine"}, rules)
    assert errors(rows) == [error, ""]
    assert captions(rows[0]) == []


def test_a_picture_too_large_is_not_handed_on(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, {"a.jpg": b"x" * 9, "a.txt": b"t"}, ReadRules(max_picture_bytes=8))
    assert data_of(row) == [None, None]
    assert failure_of(row).message == "expected a picture of at most 8 bytes, found 9"


def test_a_file_of_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"")
    assert errors(read_all(tmp_path / "x.tar")) == ["UnitEmpty"]
    assert index_tar(str(tmp_path / "x.tar")) == ([], [])


def test_an_empty_tar_has_no_rows(tmp_path: Path) -> None:
    assert rows_of(tmp_path, {}) == []


def test_a_gzip_has_spans_in_the_decompressed_stream(tmp_path: Path) -> None:
    data = tar_bytes({"a.jpg": b"1", "a.txt": b"ay", "b.jpg": b"22"})
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(data))
    rows = read_all(tmp_path / "x.tar.gz")
    assert pictures(rows[1].sample)[0].source == Span(f"{tmp_path}/x.tar.gz", 2560, 2562, "tar.gz", "b.jpg")
    assert data_of(rows[1]) == [b"22"]
    assert list((tmp_path / "staging").iterdir()) == []


def test_gzip_is_told_by_its_bytes_and_not_by_the_name(tmp_path: Path) -> None:
    data = tar_bytes({"a.jpg": b"1"})
    (tmp_path / "zipped.tar").write_bytes(gzip.compress(data))
    (tmp_path / "plain.tgz").write_bytes(data)
    assert open_tar(str(tmp_path / "zipped.tar")).container == "tar.gz"
    assert open_tar(str(tmp_path / "plain.tgz")).container == "tar"


def test_a_gzip_of_several_parts(tmp_path: Path) -> None:
    data = tar_bytes({"a.jpg": b"1", "b.jpg": b"2"})
    (tmp_path / "x.tgz").write_bytes(gzip.compress(data[:1000]) + gzip.compress(data[1000:]))
    assert errors(read_all(tmp_path / "x.tgz")) == ["", ""]


def test_a_gzip_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(b""))
    assert errors(read_all(tmp_path / "x.tgz")) == ["UnitEmpty"]


def test_slices_outlive_the_iteration(tmp_path: Path) -> None:
    path = write_tar(tmp_path, {"a.jpg": b"1", "b.jpg": b"2"})
    rows = list(read_tar(path, Unit(0, "s3://pool/x.tar", "tar"), ReadRules()))
    Path(path).unlink()
    assert [bytes(row.data[0] or b"") for row in rows] == [b"1", b"2"]
    assert rows[0].sample.source == "s3://pool/x.tar"


def test_names_are_cut_as_webdataset_cuts_them() -> None:
    for name in ("a.jpg", "d.e/a.b.jpg", "./a.jpg", "/d/a.jpg", "猫.seg.PNG"):
        assert split_name(name) == (base_plus_ext(name)[0], base_plus_ext(name)[1].lower())
    assert split_name("a") == ("a", "")


stems = st.sampled_from(["a", "b", "d/a", "ü"])


suffixes = st.sampled_from(["jpg", "0.png", "txt", "json", "cls", "caption"])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(stems, suffixes, st.binary(max_size=30)), max_size=12))
def test_random_pools(tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, str, bytes]]) -> None:
    path = tmp_path_factory.mktemp("pool") / "x.tar"
    path.write_bytes(tar_bytes([(f"{stem}.{suffix}", data) for stem, suffix, data in members]))
    rows = read_all(path)
    assert [row.sample.position for row in rows] == list(range(len(rows)))
    found = sum(len(pictures(row.sample)) for row in rows)
    assert found == sum(suffix in ("jpg", "0.png") for _, suffix, _ in members)
    for row in rows:
        for picture, data in zip(pictures(row.sample), row.data, strict=False):
            assert isinstance(picture.source, Span)
            assert path.read_bytes()[picture.source.start : picture.source.end] == data


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data")
def test_a_real_pool_reads_as_tarfile_reads_it() -> None:
    with tarfile.open(REAL) as tar:
        expected = [(m.name, m.offset_data, m.size) for m in tar]
    assert index_tar(str(REAL)) == (expected, [])
    rows = list(read_tar(str(REAL), Unit(0, str(REAL), "tar"), ReadRules()))
    assert 3 * len(rows) == len(expected)
    assert {row.sample.fate for row in rows} == {"kept"}
    with tarfile.open(REAL) as tar:
        assert io.BytesIO(bytes(rows[-1].data[0] or b"")).read() == tar.extractfile(expected[-3][0]).read()  # type: ignore[union-attr]
