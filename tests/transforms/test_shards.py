"""The shard format: bytes as tarfile would write them, readable by webdataset and wids, and the manifest."""

import hashlib
import io
import json
import tarfile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.raw_sample import clean_key
from transforms.records import Drop, Picture, Sample, Span, Text
from transforms.shards import (
    FORMAT,
    MAX_NAME,
    Manifest,
    ShardInfo,
    ShardWriter,
    format_manifest,
    parse_manifest,
    sample_json,
    sample_members,
    tar_header,
    wids_index,
)

SPAN = Span("/machine/pool/a.tar", 512, 900, "tar", "1.jpg")
NAMES = st.text("abz019_-~.", min_size=1, max_size=MAX_NAME)
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=1100)), unique_by=lambda member: member[0])


def picture(format: str = "jpeg") -> Picture:
    return Picture(SPAN, format, 4, 3, b"s" * 32, b"p" * 16, {"short_side": 3})


def row(*pieces: Picture | Text, key: str = "k", meta: str = "") -> Sample:
    return Sample(key, "/machine/pool/a.tar", 0, 0, pieces, "./k", meta, {"copies": 1})


def write(samples: list[list[tuple[str, bytes]]], name: str = "shards/000000.tar") -> tuple[bytes, ShardInfo]:
    file = io.BytesIO()
    writer = ShardWriter(file, name)
    for members in samples:
        writer.add(members)
    info = writer.finish()
    return file.getvalue(), info


def tarfile_bytes(members: list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            tar.addfile(tar_info(name, len(data)), io.BytesIO(data))
    return file.getvalue()


def tar_info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info


@given(NAMES, st.integers(0, 8**11 - 1))
def test_a_header_is_the_one_of_tarfile(name, size):
    assert tar_header(name, size) == tar_info(name, size).tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("", 1), ("n" * 101, 1), ("ü.jpg", 1), ("a.jpg", 8**11)])
def test_what_fits_no_header_is_an_error(name, size):
    with pytest.raises(ValueError):
        tar_header(name, size)


@pytest.mark.parametrize("suffix", ["json", "jpg", "99.webp"])
def test_the_longest_key_of_a_reader_fits_with_a_number_and_a_suffix(suffix):
    assert tar_header(f"{clean_key('x' * 500)}~9999999.{suffix}", 1)


@given(FILES)
def test_a_shard_is_the_archive_tarfile_writes(members):
    data, _ = write([[member] for member in members])
    assert data == tarfile_bytes(members)


@given(FILES)
def test_a_shard_says_what_it_is(members):
    data, info = write([members], "shards/000007.tar")
    assert info == ShardInfo("shards/000007.tar", 1, len(data), hashlib.sha256(data).hexdigest())


def test_an_archive_that_fills_its_last_record_is_ended_too():
    for blocks in range(16, 20):
        members = [("a", b"x" * (512 * blocks))]
        assert write([members])[0] == tarfile_bytes(members)


def test_the_members_of_a_pair():
    members = sample_members(row(picture("png"), Text("a bus")), [b"PNG", None], b"{}", "a bus")
    assert members == [("k.png", b"PNG"), ("k.txt", b"a bus"), ("k.json", b"{}")]


def test_several_pictures_are_numbered_in_the_order_of_the_pieces():
    sample = row(picture("webp"), Text("then"), picture("jpeg"))
    members = sample_members(sample, [b"1", None, b"2"], b"{}", "then")
    assert [name for name, _ in members] == ["k.0.webp", "k.1.jpg", "k.txt", "k.json"]


def test_data_for_a_text_or_for_too_few_pieces_is_an_error():
    with pytest.raises(TypeError, match="expected a Picture"):
        sample_members(row(Text("a")), [b"1"], b"{}", "a")
    with pytest.raises(ValueError):
        sample_members(row(picture(), Text("a")), [b"1"], b"{}", "a")


def test_the_json_keeps_the_pools_fields_and_adds_ours():
    sample = row(
        picture(), Text("ein Bus ü", measures={"words": 3}), meta='{"url": "http://x", "key": "theirs", "n": 1.50}'
    )
    assert json.loads(sample_json(sample)) == {
        "url": "http://x",
        "n": 1.5,
        "key": "k",
        "beamsift": {
            "source": "a.tar",
            "source_key": "./k",
            "pieces": [
                {
                    "picture": {"format": "jpeg", "width": 4, "height": 3, "sha256": "73" * 32},
                    "measures": {"short_side": 3},
                },
                {"text": "ein Bus ü", "role": "caption", "measures": {"words": 3}},
            ],
            "measures": {"copies": 1},
        },
    }


def test_the_json_says_why_a_caption_was_not_chosen():
    dropped = Text("bus", drop=Drop("caption_too_short", 3, 6))
    piece = json.loads(sample_json(row(dropped)))["beamsift"]["pieces"][0]
    assert piece["drop"] == {"rule": "caption_too_short", "value": 3, "limit": 6, "detail": ""}


def test_the_json_names_no_path_of_the_machine():
    assert b"/machine" not in sample_json(row(picture(), Text("a")))


MANIFEST = Manifest(
    FORMAT,
    "caption",
    [ShardInfo("shards/000000.tar", 2, 10240, "ab" * 32)],
    {"read": 3, "kept": 2, "dropped": {"image_too_small": 1}, "failed": {}},
    "f" * 32,
    {"seed": 0},
    [{"uri": "a.tar", "part": 0, "rows": 3, "kept": 2}],
    {"python": "3.11"},
    {"scan": {"wall_seconds": 0.5, "cpu_seconds": 0.25}},
    {"words": {"kind": "int64", "unit": "words", "meaning": "Words"}},
)


def test_a_manifest_is_invertible():
    assert parse_manifest(format_manifest(MANIFEST)) == MANIFEST


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[]", format_manifest(MANIFEST)[:-9]])
def test_what_is_no_manifest_is_an_error(data):
    with pytest.raises(ValueError, match=f"expected a {FORMAT} manifest"):
        parse_manifest(data)


def test_a_manifest_of_another_format_is_an_error():
    other = format_manifest(msgspec.structs.replace(MANIFEST, format="beamsift-9"))
    with pytest.raises(ValueError, match="expected format 'beamsift-1', found 'beamsift-9'"):
        parse_manifest(other)


KEYS = ["0000", "weird-_~2", "n" * 92]


@pytest.fixture
def set_on_disk(tmp_path):
    """Two shards and their index as a run leaves them."""
    infos = []
    for number, keys in enumerate((KEYS[:2], KEYS[2:])):
        rows = [row(picture(), Text("ein Bus ü"), key=key) for key in keys]
        samples = [sample_members(r, [b"\xff\xd8" + r.key.encode(), None], sample_json(r), "ein Bus ü") for r in rows]
        data, info = write(samples, f"shards/{number:06d}.tar")
        (tmp_path / "shards").mkdir(exist_ok=True)
        (tmp_path / info.name).write_bytes(data)
        infos.append(info)
    (tmp_path / "index.json").write_bytes(wids_index(infos, "out"))
    return tmp_path


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to the collector
def test_webdataset_gives_the_bytes_back(set_on_disk):
    webdataset = pytest.importorskip("webdataset")
    found = list(webdataset.WebDataset(f"{set_on_disk}/shards/{{000000..000001}}.tar", shardshuffle=False))
    assert [sample["__key__"] for sample in found] == KEYS
    assert [sample["jpg"] for sample in found] == [b"\xff\xd8" + key.encode() for key in KEYS]
    assert {sample["txt"].decode() for sample in found} == {"ein Bus ü"}
    assert [json.loads(sample["json"])["key"] for sample in found] == KEYS


def test_wids_opens_the_index_and_gives_the_bytes_back(set_on_disk, monkeypatch):
    wids = pytest.importorskip("wids")
    monkeypatch.chdir(set_on_disk)
    found = wids.ShardListDataset("index.json", transformations=[])
    assert len(found) == 3
    assert [found[i]["__key__"] for i in range(3)] == KEYS
    assert [found[i][".jpg"].read() for i in range(3)] == [b"\xff\xd8" + key.encode() for key in KEYS]
