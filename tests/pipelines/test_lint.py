"""`beamsift lint` on whole sets: indexes, keys over shards, exit codes, what is printed; our own are clean."""

import gzip
import json

import pytest

from pipelines.cli import main
from pipelines.lint import lint
from tests.transforms.pools import tar_bytes, write_tar

JPEG = b"\xff\xd8\xff\xe0"


def make_set(folder, *keys):
    for number, key in enumerate(keys):
        write_tar(folder, {f"{key}.jpg": JPEG, f"{key}.txt": b"x"}, f"{number}.tar")
    return folder


def counts(*paths):
    return dict(lint([str(path) for path in paths]).counts)


def test_a_clean_set(tmp_path, capsys):
    assert main(["lint", str(make_set(tmp_path, "a", "b"))]) == 0
    assert "2 shards, 2 samples" in capsys.readouterr().out


def test_a_key_in_two_shards_is_found_over_all_paths(tmp_path, capsys):  # webdataset 327
    make_set(tmp_path, "a", "b", "a")
    assert main(["lint", *(str(tmp_path / f"{n}.tar") for n in range(3))]) == 1
    out = capsys.readouterr().out
    assert f"key_in_two_shards  {tmp_path}/2.tar#a" in out and f"{tmp_path}/0.tar has a sample of this key" in out


def test_counts_against_a_wids_index_and_a_manifest(tmp_path):
    size = len((make_set(tmp_path, "a", "b") / "0.tar").read_bytes())
    rows = [{"url": "0.tar", "nsamples": 2, "filesize": size}, {"url": "9.tar", "nsamples": 1}]
    (tmp_path / "index.json").write_text(json.dumps({"shardlist": rows}))
    assert counts(tmp_path) == {"count_wrong": 1, "shard_missing": 1, "shard_unlisted": 1}
    assert counts(tmp_path / "index.json") == {"count_wrong": 1, "shard_missing": 1}
    (tmp_path / "index.json").unlink()
    rows = [{"name": "0.tar", "samples": 1, "bytes": 7}, {"name": "1.tar", "samples": 1}]
    (tmp_path / "manifest.json").write_text(json.dumps({"shards": rows}))
    assert counts(tmp_path) == {"size_wrong": 1}


@pytest.mark.parametrize("text", ["{", "[]", '{"shardlist": [3]}', "{}"])
def test_a_broken_index_is_a_finding(tmp_path, text):
    make_set(tmp_path, "a")
    (tmp_path / "index.json").write_text(text)
    assert counts(tmp_path) == {"index_broken": 1}


def test_gzip_and_files_that_are_no_tar(tmp_path):
    packed = gzip.compress(tar_bytes({"a.jpg": JPEG, "a.txt": b"x"}))
    (tmp_path / "a.tar.gz").write_bytes(packed)
    assert counts(tmp_path) == {}
    (tmp_path / "a.tar.gz").write_bytes(packed[:-20])
    assert "tar_truncated" in counts(tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8bnonsense")
    assert set(counts(tmp_path)) == {"shard_empty", "tar_broken"}


def test_json_lists_findings_with_class_place_and_sentence(tmp_path, capsys):
    write_tar(tmp_path, {"a.jpg": b"", "b.jpg": JPEG}, "s.tar")
    assert main(["lint", str(tmp_path / "s.tar"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"member_empty": 1} and found["samples"] == 2
    assert found["findings"] == [
        {"fault": "member_empty", "place": f"{tmp_path}/s.tar#a.jpg", "message": "the member has no bytes"}
    ]


def test_many_findings_are_counted_and_few_shown(tmp_path, capsys):
    write_tar(tmp_path, {f"{n:03d}.jpg": b"" for n in range(20)}, "s.tar")
    assert main(["lint", str(tmp_path / "s.tar")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7 and "15 more" in lines[5]


def test_a_path_that_names_nothing_is_a_wrong_command(tmp_path, capsys):
    assert main(["lint", str(tmp_path / "none*.tar")]) == 2
    assert main(["lint", str(tmp_path)]) == 2
    assert main(["lint", "http://x/a.tar"]) == 2
    assert "expected" in capsys.readouterr().err


def test_hostile_names_cannot_act_on_the_terminal(tmp_path, capsys):
    write_tar(tmp_path, {"a\x1b[2J.jpg": JPEG}, "s.tar")
    assert main(["lint", str(tmp_path)]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_a_set_that_beamsift_wrote_is_clean(finished):
    assert counts(finished) == {}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to the collector
@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([("a.jpg", JPEG), ("b.jpg", JPEG), ("a.txt", b"x")], "members_apart"),  # 407
        ([("v1.5.jpg", JPEG), ("v1.5.txt", b"x"), ("v1.6.jpg", JPEG), ("v1.6.txt", b"y")], "key_dotted"),  # 237
        ([("0/i.jpg", JPEG), ("0/m.json", b"{}"), ("1/i.jpg", JPEG), ("1/m.json", b"{}")], "folder_as_sample"),  # 319
    ],
)
def test_what_lint_finds_is_what_webdataset_loses(tmp_path, members, fault):
    webdataset = pytest.importorskip("webdataset")
    write_tar(tmp_path, members, "s.tar")
    found = list(webdataset.WebDataset(str(tmp_path / "s.tar"), shardshuffle=False))
    assert not any({"jpg", "txt"} <= set(sample) or {"jpg", "json"} <= set(sample) for sample in found)
    assert set(counts(tmp_path)) == {fault}
