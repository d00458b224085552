"""Shards read by sample number: what `ShardWriter` wrote comes back, and what is no shard is an OSError."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.records import Picture, Sample, Span, Text
from transforms.shard_reader import Extent, ShardReader
from transforms.shards import ShardWriter, sample_members

KEYS = st.text("abz019_-~", min_size=1, max_size=90)
SUFFIXES = st.sampled_from(["jpg", "0.png", "1.webp", "txt", "json"])
SAMPLES = st.dictionaries(KEYS, st.dictionaries(SUFFIXES, st.binary(max_size=1100), min_size=1), max_size=4)


def write_shard(path: Path, samples: dict[str, dict[str, bytes]]) -> str:
    with path.open("wb") as file:
        writer = ShardWriter(file, path.name)
        for key, members in samples.items():
            writer.add((f"{key}.{suffix}", data) for suffix, data in members.items())
        writer.finish()
    return str(path)


@given(SAMPLES)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, samples: dict[str, dict[str, bytes]]
) -> None:
    path = write_shard(tmp_path_factory.mktemp("shard") / "000000.tar", samples)
    with ShardReader(path) as shard:
        assert len(shard) == len(samples)
        assert shard.keys == list(samples)
        assert [shard[index] for index in range(len(shard))] == list(samples.values())


def test_extents_say_where_the_members_lie(tmp_path: Path) -> None:
    members = {"jpg": b"J" * 600, "txt": b"a cat", "json": b"{}"}
    path = write_shard(tmp_path / "x.tar", {"a": members, "b": {"jpg": b""}})
    with ShardReader(path) as shard:
        assert shard.extents(0) == [Extent("jpg", 512, 600), Extent("txt", 2048, 5), Extent("json", 3072, 2)]
        assert shard.extents(1) == [Extent("jpg", 4096, 0)]
        data = Path(path).read_bytes()
        assert [data[start : start + size] for _, start, size in shard.extents(0)] == list(members.values())


def test_several_pictures_keep_their_numbers(tmp_path: Path) -> None:
    span = Span("a.tar", 0, 1, "tar")
    sample = Sample("k", "a.tar", 0, 0, (Picture(span, "webp"), Text("then"), Picture(span, "jpeg")))
    with (tmp_path / "x.tar").open("wb") as file:
        writer = ShardWriter(file, "x.tar")
        writer.add(sample_members(sample, [b"1", None, b"2"], b"{}", "then"))
        writer.finish()
    with ShardReader(str(tmp_path / "x.tar")) as shard:
        assert shard.keys == ["k"]
        assert list(shard[0].items()) == [("0.webp", b"1"), ("1.jpg", b"2"), ("txt", b"then"), ("json", b"{}")]


def test_a_shard_without_samples(tmp_path: Path) -> None:
    with ShardReader(write_shard(tmp_path / "x.tar", {})) as shard:
        assert (len(shard), shard.keys) == (0, [])


def test_a_number_behind_the_last_sample(tmp_path: Path) -> None:
    with ShardReader(write_shard(tmp_path / "x.tar", {"a": {"jpg": b"1"}})) as shard, pytest.raises(IndexError):
        shard[1]


def test_the_file_is_closed_behind_the_reader(tmp_path: Path) -> None:
    with ShardReader(write_shard(tmp_path / "x.tar", {"a": {"jpg": b"1"}})) as shard:
        pass
    with pytest.raises(ValueError, match="closed"):
        shard[0]


def test_a_shard_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ShardReader(str(tmp_path / "none.tar"))


def test_what_is_no_tar_is_an_error_that_says_where(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"\xfe" * 2000)
    with pytest.raises(OSError, match=r"x\.tar@0: expected a member, found TarBroken: "):
        ShardReader(str(tmp_path / "x.tar"))


def test_a_file_of_zero_bytes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"")
    with pytest.raises(OSError):
        ShardReader(str(tmp_path / "x.tar"))


def test_a_cut_shard_is_an_error(tmp_path: Path) -> None:
    path = Path(write_shard(tmp_path / "x.tar", {"a": {"jpg": b"1" * 600}, "b": {"jpg": b"2" * 600}}))
    path.write_bytes(path.read_bytes()[:2100])
    with pytest.raises(OSError, match=r"x\.tar@1536: expected a member, found TarTruncated: "):
        ShardReader(str(path))
