"""Suspicious pictures in a whole run with two worker processes: same rows as with one, and no child is left behind."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.pipelines.small_run import jpeg
from tests.pipelines.whole_runs import QUICK, arguments, run_apart
from tests.transforms.drawn import photo, save
from tests.transforms.pools import write_tar

pytestmark = [pytest.mark.slow, pytest.mark.beam]


def tag_bomb() -> bytes:
    """A TIFF directory of 20,000 tags that each name the same half megabyte."""
    entries = [(256, 3, 1, 4), (257, 3, 1, 4), *((1000 + i, 1, 500_000, 8) for i in range(20_000))]
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<IH", 8, len(entries)) + body).ljust(700_000, b"\0")


def write_pool(folder: Path) -> list[str]:
    folder.mkdir()
    pictures = {"a.tiff": save(photo(240, 300), "TIFF"), "b.gif": save(photo(240, 310), "GIF"), "c.jpg": jpeg(1)}
    pictures |= {"d.tiff": tag_bomb(), "e.bmp": save(Image.fromarray(photo(240, 320)), "BMP")}
    paths = []
    for number in range(2):
        texts = {f"{name[0]}.txt": f"Caption of tar {number}: {name}".encode() for name in pictures}
        paths.append(write_tar(folder, {**pictures, **texts}, f"{number}.tar"))
    return paths


def fates(output: Path) -> list[tuple[str, str, str | None]]:
    table = pq.read_table(output / "ledger", columns=["key", "fate", "error", "pixels"]).to_pylist()
    return [(row["key"], row["fate"], row["error"]) for row in table]


def children(mark: bytes) -> set[int]:
    """Processes that decode for somebody and have `mark` in their environment."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            decodes = b"transforms.decoding_child" in (folder / "cmdline").read_bytes()
            if decodes and mark in (folder / "environ").read_bytes():
                found.add(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_two_workers_decide_as_one_and_leave_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAMSIFT_TEST", str(tmp_path))
    inputs, found = write_pool(tmp_path / "pool"), []
    for workers in ("1", "2"):
        options = [*QUICK, "--set", "duplicates.enabled=false", "--set", "boilerplate.enabled=false"]
        options += [
            "--set",
            "read.decode_bytes=536870912",
            "--set",
            "output.max_failure_rate=0.5",
            "--workers",
            workers,
        ]
        options += [f"--direct_num_workers={workers}"]
        done = run_apart(arguments(inputs, tmp_path / workers, *options))
        assert done.returncode == 0, done.stderr
        found.append(fates(tmp_path / workers))
    assert found[0] == found[1]
    assert [(fate, error) for _, fate, error in found[0]].count(("failed", "PictureMemory")) == 2
    assert [fate for _, fate, _ in found[0]].count("kept") == 8
    assert children(str(tmp_path).encode()) == set()
