"""A run that the world stops halfway: a full disk, an interrupt, an input that vanishes; and what resumes."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from tests.pipelines.small_run import write_pool
from tests.pipelines.whole_runs import QUICK, ROOT, arguments, run_here, unfinished
from tests.small_disk import small_disk
from transforms.reading import list_units

pytestmark = pytest.mark.beam

RULES = (*QUICK, "--set", "output.max_failure_rate=0.5")


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    return [str(write_pool(tmp_path_factory.mktemp("pool")) / "*.tar")]


@pytest.mark.parametrize("size", ["8k", "64k", "300k"])
def test_a_full_disk_and_then_a_larger_one(pool, tmp_path, capsys, size):
    """Full at the first file, among the sidecars, among the shards."""
    disk = tmp_path / "disk"
    with small_disk(disk, size):
        assert run_here(pool, disk / "out", *RULES) == 2
        assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
        assert not (disk / "out" / "manifest.json").exists()
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert run_here(pool, disk / "out", *RULES) == 0
        assert unfinished(disk / "out") == []


def test_a_disk_too_small_to_unpack_on_is_no_bad_input(pool, tmp_path, capsys):
    """A copy of the tars as one tar.gz each; they unpack in the staging folder of the output."""
    for tar in sorted(Path(pool[0]).parent.glob("*.tar")):
        (tmp_path / f"{tar.name}.gz").write_bytes(gzip.compress(tar.read_bytes()))
    zipped, disk = [str(tmp_path / "*.tar.gz")], tmp_path / "disk"
    with small_disk(disk, "100k"):
        assert run_here(zipped, disk / "out", *RULES) == 2
        assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert run_here(zipped, disk / "out", *RULES) == 0


def test_an_interrupt_and_the_same_command_again(pool, tmp_path):
    command = arguments(pool, tmp_path / "out", *RULES)
    slow = "import time, transforms.beam.scan as s; m = s.ScanUnit._measure\n"
    slow += "s.ScanUnit._measure = lambda self, batch: (time.sleep(20), m(self, batch))[1]\n"
    start = f"{slow}import sys; from pipelines.cli import main; sys.exit(main({command!r}))"
    process = subprocess.Popen([sys.executable, "-c", start], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for _ in range(400):
        if list((tmp_path / "out").glob("work/scan/.tmp-*")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, lines = process.communicate(timeout=40)
    assert process.returncode == 130, lines
    assert lines.splitlines()[-1] == "interrupted; the same command resumes"
    assert run_here(pool, tmp_path / "out", *RULES) == 0
    assert unfinished(tmp_path / "out") == []


def test_a_file_that_vanishes_between_listing_and_reading(pool, tmp_path, monkeypatch):
    """One failed row that names it; the rest of the pool goes out."""
    folder = write_pool(tmp_path / "pool")

    def listed_and_gone(inputs, rules):
        units = list_units(inputs, rules)
        (folder / "a.tar").unlink(missing_ok=True)
        return units

    monkeypatch.setattr("pipelines.makings.list_units", listed_and_gone)
    assert run_here([f"{folder}/*.tar"], tmp_path / "out", *RULES) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"]["failed"] == {"UnitUnreadable": 1}
    assert [entry["rows"] for entry in manifest["inputs"]] == [1, 8]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_file_that_may_not_be_read(pool, tmp_path):
    folder = write_pool(tmp_path / "pool")
    (folder / "a.tar").chmod(0)
    assert run_here([f"{folder}/*.tar"], tmp_path / "out", *RULES) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"]["failed"] == {"UnitUnreadable": 1}
