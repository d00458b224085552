"""Verifying shards: every damage is told with its place, what was expected and what was found."""

import hashlib
import io
import tarfile

import pytest

from tests.pipelines.damage import (
    CONTENTS,
    PLACES,
    SHARD,
    agree,
    edit_manifest,
    forge,
    forge_index,
    problems,
    read_samples,
)

INDEX = "shards/000001.idx"


def test_a_flipped_byte_in_a_picture(damaged):
    data = bytearray((damaged / SHARD).read_bytes())
    data[1000] ^= 1
    (damaged / SHARD).write_bytes(data)
    told = problems(damaged)
    assert set(told) == {"shard sizes and sha256", CONTENTS}
    assert told["shard sizes and sha256"][0].startswith(f"{SHARD}: sha256 ")
    assert "the pictures and the caption of its ledger row | other bytes" in told[CONTENTS][0]


def test_a_missing_shard(damaged):
    (damaged / SHARD).unlink()
    told = problems(damaged)
    assert told["files"] == [f"{SHARD}: a file | none"]
    assert SHARD in told["shard sizes and sha256"][0]


def test_a_shard_cut_short(damaged):
    data = (damaged / SHARD).read_bytes()
    (damaged / SHARD).write_bytes(data[: len(data) // 2])
    told = problems(damaged)
    assert told["shard sizes and sha256"][0] == f"{SHARD}: {len(data)} bytes | {len(data) // 2} bytes"
    assert any("5 samples" in line for line in told["shard format"])


def test_an_empty_shard(damaged):
    (damaged / SHARD).write_bytes(b"")
    assert "an empty file" in problems(damaged)["shard sizes and sha256"][0]


def test_two_samples_swapped(damaged):
    samples = read_samples(damaged / SHARD)
    samples[0], samples[1] = samples[1], samples[0]
    forge(damaged, samples)
    told = problems(damaged)
    assert list(told) == [PLACES]
    keys = [members[0][0].partition(".")[0] for members in samples]
    assert told[PLACES] == [
        f"{SHARD}#{keys[0]}: key {keys[1]!r} as sample 0 of the shard | key {keys[0]!r}",
        f"{SHARD}#{keys[1]}: key {keys[0]!r} as sample 1 of the shard | key {keys[1]!r}",
    ]


def test_two_captions_swapped(damaged):
    samples = read_samples(damaged / SHARD)
    (one, other) = (dict(members) for members in samples[:2])
    names = [next(name for name in members if name.endswith(".txt")) for members in (one, other)]
    one[names[0]], other[names[1]] = other[names[1]], one[names[0]]
    forge(damaged, [list(one.items()), list(other.items()), *samples[2:]])
    assert len(problems(damaged)[CONTENTS]) == 2


def test_a_key_twice_in_the_set(damaged):
    other = read_samples(damaged / "shards/000000.tar")[3]
    forge(damaged, [*read_samples(damaged / SHARD)[:4], other])
    told = problems(damaged)
    assert told["shard keys unique"] == [
        f"{SHARD} sample 4: a key that no other sample has | the key of shards/000000.tar sample 3"
    ]


def test_a_key_twice_in_a_shard(damaged):
    samples = read_samples(damaged / SHARD)
    forge(damaged, [*samples[:4], samples[0]])
    told = problems(damaged)
    assert "one run of members a key | members in two places" in told["shard format"][0]
    assert told["shard keys unique"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda members: members[:-1], "jpg, txt"),
        (lambda members: members[1:], "txt, json"),
        (lambda members: [members[1], members[0], members[2]], "txt, jpg, json"),
        (lambda members: [(name.replace(".", ".0."), data) for name, data in members], "0.jpg, 0.txt, 0.json"),
        (lambda members: [*members, (members[0][0].replace(".jpg", ".cls"), b"1")], "jpg, txt, json, cls"),
    ],
)
def test_members_that_are_not_a_sample(damaged, change, found):
    samples = read_samples(damaged / SHARD)
    forge(damaged, [change(samples[0]), *samples[1:]])
    assert any(line.endswith(f"| {found}") for line in problems(damaged)["shard format"])


def test_json_that_names_another_key(damaged):
    samples = read_samples(damaged / SHARD)
    key = samples[0][0][0].partition(".")[0]
    samples[0][2] = (f"{key}.json", b'{"key":"another"}')
    forge(damaged, samples)
    place = f"{SHARD}#{key}"
    assert problems(damaged) == {"shard format": [f"{place}: key {key!r} in its JSON | key 'another' in its JSON"]}


def test_headers_with_other_metadata(damaged):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (member for members in read_samples(damaged / SHARD) for member in members):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1
            tar.addfile(info, io.BytesIO(data))
    (damaged / SHARD).write_bytes(file.getvalue())
    agree(damaged, SHARD, len(file.getvalue()), hashlib.sha256(file.getvalue()).hexdigest())
    told = problems(damaged)
    assert list(told) == ["shard format"]
    assert "a USTAR header with fixed metadata" in told["shard format"][0]


def test_bytes_behind_the_end(damaged):
    data = (damaged / SHARD).read_bytes()
    data = data[:-1] + b"x"
    (damaged / SHARD).write_bytes(data)
    agree(damaged, SHARD, len(data), hashlib.sha256(data).hexdigest())
    assert "zeros to the end | other bytes" in problems(damaged)["shard format"][0]


def test_a_lost_member_index(damaged):
    (damaged / INDEX).unlink()
    told = problems(damaged)
    assert set(told) == {"files", "member indexes"}
    assert told["files"] == [f"{INDEX}: a file | none"]


def test_a_cut_member_index(damaged):
    (damaged / INDEX).write_bytes((damaged / INDEX).read_bytes()[:-1])
    (line,) = problems(damaged)["member indexes"]
    assert line.startswith(f"{INDEX}: sha256 ")


def test_a_member_index_of_another_shard(damaged):
    forge_index(damaged, (damaged / "shards/000000.idx").read_bytes())
    assert problems(damaged) == {"member indexes": [f"{INDEX}: the places of the shard's members | others"]}


def test_a_set_from_before_member_indexes(damaged):
    edit_manifest(damaged, lambda values: [shard.pop("index") for shard in values["shards"]])
    for path in (damaged / "shards").glob("*.idx"):
        path.unlink()
    assert problems(damaged) == {}
