"""Member indexes: what was grouped comes back, the places hold the members, and other bytes are refused."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.member_index import MemberIndex, bounds, format_index, group_samples, index_name, samples_of
from transforms.shard_reader import Extent
from transforms.shards import ShardWriter
from transforms.tar_index import index_headers

SUFFIXES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
MEMBERS = st.lists(st.tuples(SUFFIXES, st.integers(0, 1 << 36), st.integers(0, 1 << 36)), min_size=1)
SAMPLES = st.lists(st.tuples(st.text(st.characters(codec="utf-8")), MEMBERS), max_size=6)


def in_order(samples: list[tuple[str, list[tuple[str, int, int]]]]) -> list[tuple[str, list[Extent]]]:
    """Of (suffix, bytes before it, size)."""
    place, found = 0, []
    for key, members in samples:
        extents = []
        for suffix, before, size in members:
            extents.append(Extent(suffix, place + before, size))
            place += before + size
        found.append((key, extents))
    return found


def two_samples() -> tuple[bytes, bytes]:
    """A shard and its index."""
    file = io.BytesIO()
    writer = ShardWriter(file, "x.tar")
    writer.add([("a.jpg", b"J" * 600), ("a.txt", b"a cat")])
    writer.add([("b~2.0.png", b"P"), ("b~2.1.png", b""), ("b~2.json", b"{}")])
    info = writer.finish()
    return file.getvalue(), format_index(group_samples(writer.members), info.bytes)


@given(SAMPLES)
def test_what_was_formatted_comes_back(members):
    samples = in_order(members)
    index = MemberIndex(format_index(samples, 1 << 41), "x.idx")
    assert list(samples_of(index)) == samples
    assert (len(index), index.shard_bytes) == (len(samples), 1 << 41)


def test_the_places_hold_the_members():
    shard, data = two_samples()
    found = [
        (key, {suffix: shard[start : start + size] for suffix, start, size in extents})
        for key, extents in samples_of(MemberIndex(data, "x.idx"))
    ]
    assert found == [
        ("a", {"jpg": b"J" * 600, "txt": b"a cat"}),
        ("b~2", {"0.png": b"P", "1.png": b"", "json": b"{}"}),
    ]


def test_the_writers_places_are_those_of_a_walk_over_the_tar():
    shard, data = two_samples()
    assert format_index(group_samples(index_headers(shard).members), len(shard)) == data


def test_one_read_holds_a_sample():
    index = MemberIndex(two_samples()[1], "x.idx")
    assert bounds(index[0][1]) == (512, 2053)
    with pytest.raises(IndexError):
        index[2]


@pytest.mark.parametrize(
    ("names", "samples"),
    [
        (["a.jpg", "a.txt", "b.jpg"], [("a", ["jpg", "txt"]), ("b", ["jpg"])]),
        (["x.y/a.b.JPG", "x.y/a.txt"], [("x.y/a", ["b.jpg", "txt"])]),
        (["a.jpg", "a.jpg"], [("a", ["jpg"]), ("a", ["jpg"])]),
        (["a.jpg", "b.jpg", "a.txt"], [("a", ["jpg"]), ("b", ["jpg"]), ("a", ["txt"])]),
        (["README", "._a.jpg", "x/.hidden", "a.jpg"], [("a", ["jpg"])]),
        ([], []),
    ],
)
def test_samples_are_grouped_as_webdataset_does(names, samples):
    found = group_samples((name, 0, 0) for name in names)
    assert [(key, [one.suffix for one in extents]) for key, extents in found] == samples


@pytest.mark.parametrize("cut", [0, 7, 31, 40, 60, -1])
def test_a_cut_index_is_refused(cut):
    with pytest.raises(ValueError, match=r"^x\.idx: expected "):
        MemberIndex(two_samples()[1][:cut], "x.idx")


@given(st.integers(8, 200), st.binary(min_size=1, max_size=8))
def test_damage_is_refused_or_stays_inside(place, patch):
    shard, data = two_samples()
    forged = (data[:place] + patch + data[place + len(patch) :])[: len(data)]
    try:
        index = MemberIndex(forged, "x.idx")
        read = [extent for _, extents in samples_of(index) for extent in extents]
    except ValueError:
        return
    assert all(start + size <= index.shard_bytes for _, start, size in read)


def test_a_size_that_wraps_around_is_refused():
    data = bytearray(two_samples()[1])
    struct.pack_into("<Q", data, 32 + 3 * 8 + 8, 2**64 - 100)
    with pytest.raises(ValueError, match="expected members in order inside"):
        MemberIndex(bytes(data), "x.idx")


def test_a_suffix_too_long_is_refused():
    with pytest.raises(ValueError, match="expected values that fit"):
        format_index([("a", [Extent("s" * 70_000, 0, 1)])], 512)


def test_the_index_lies_beside_its_shard():
    assert [index_name(name) for name in ("shards/000001.tar", "s3://b/x.y/z.tar")] == [
        "shards/000001.idx",
        "s3://b/x.y/z.idx",
    ]
