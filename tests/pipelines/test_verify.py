"""Verify as a command: a whole run passes, files and manifest are held against each other, problems are told."""

import shutil
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.errors import NotFinished
from pipelines.verify import verify
from tests.pipelines.damage import edit_manifest, manifest_of, problems
from tests.pipelines.small_run import Remote
from transforms.shards import ShardInfo, wids_index
from transforms.storage import REMOTE


def test_a_whole_run_passes(finished, capsys):
    assert verify(finished) == 0
    told = capsys.readouterr().out
    assert "wrong" not in told and told.count(" ok ") == 13


def test_a_remote_run_passes(finished, monkeypatch):
    monkeypatch.setitem(REMOTE, "mem", Remote)
    assert problems(f"mem://{finished}") == {}


def test_a_run_with_scores_passes(scored):
    assert problems(Path(scored)) == {}


def test_no_manifest_is_no_run(tmp_path):
    with pytest.raises(NotFinished):
        verify(str(tmp_path))


def test_a_manifest_that_is_none(damaged, capsys):
    (damaged / "manifest.json").write_text('{"format": "webdataset"}')
    assert verify(str(damaged)) == 1
    assert "manifest: manifest.json: expected a manifest, found" in capsys.readouterr().out


def test_clean_removes_what_a_killed_run_left_and_nothing_else(damaged, capsys):
    leftovers = ["ledger/000009.parquet", "shards/000009.tar", "work/scan/.tmp-00000.arrow.1f"]
    before = sorted(damaged.rglob("*"))
    for name in leftovers:
        (damaged / name).write_bytes(b"x")
    assert main(["verify", str(damaged)]) == 1
    capsys.readouterr()
    assert main(["verify", "--clean", str(damaged)]) == 0
    assert sorted(capsys.readouterr().err.splitlines()) == [f"removed {damaged}/{name}" for name in leftovers]
    assert sorted(damaged.rglob("*")) == before


@pytest.mark.parametrize("name", ["shards/000009.tar", "shards/notes.txt", "ledger/000002.parquet.bak"])
def test_a_file_that_no_manifest_lists(damaged, name):
    (damaged / name).write_bytes(b"x")
    assert problems(damaged)["files"] == [f"{name}: no file that the manifest does not list | a file"]


@pytest.mark.parametrize("name", ["shards/.tmp-000001.tar.0", "work/scan/.tmp-a.arrow.1", ".tmp-manifest.json.2"])
def test_an_unfinished_file(damaged, name):
    (damaged / name).write_bytes(b"x")
    assert problems(damaged)["files"] == [f"{name}: no unfinished file | one that a writer left"]


def test_without_its_work_folder_a_run_is_whole(damaged):
    shutil.rmtree(damaged / "work")
    assert problems(damaged) == {}


def test_a_manifest_whose_counts_were_edited(damaged):
    edit_manifest(damaged, lambda values: values["counts"].update(kept=16))
    told = problems(damaged)
    assert told["manifest adds up"][0] == "counts: 20 rows read | 21 rows read"
    assert "ledger, kept: 16 rows | 15 rows" in told["ledger adds up to the manifest"]


def test_a_manifest_whose_config_was_edited(damaged):
    edit_manifest(damaged, lambda values: values["config"]["image"].update(min_short_side=100, min_pixel_count=1))
    assert list(problems(damaged)) == ["fates follow from measures"]


def test_a_config_that_this_version_does_not_know(damaged):
    edit_manifest(damaged, lambda values: values["config"].update(newer={}))
    assert "newer" in problems(damaged)["ledger readable"][0]


def test_an_index_that_does_not_agree(damaged):
    shards = manifest_of(damaged)["shards"]
    (damaged / "index.json").write_bytes(wids_index([ShardInfo(**shard) for shard in shards[1:]], "x"))
    assert "index.json: 3 shards | 2 shards" in problems(damaged)["views"]


@pytest.mark.parametrize("name", ["report.html", "README.md", "croissant.json", "index.json"])
def test_a_view_that_is_gone(damaged, name):
    (damaged / name).unlink()
    assert problems(damaged) == {"views": [f"{name}: a file | none"]}
