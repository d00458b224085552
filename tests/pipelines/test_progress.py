"""The line of progress: what it says of sidecars that stand, and that it works the same after a resume."""

import io
import time

import pytest

from pipelines import progress
from pipelines.progress import Progress
from transforms.sidecars import create_sidecar
from transforms.storage import LocalStorage


def leave(output, stage: str, name: str, rows: int, **totals) -> None:
    with create_sidecar(LocalStorage(), f"{output}/work/{stage}/{name}.arrow", "made by a test") as sidecar:
        for _ in range(rows):
            sidecar.append(b"row")
        sidecar.totals = totals


@pytest.fixture
def watched(tmp_path) -> Progress:
    """A run of two shards whose clock was started long before any sidecar."""
    watched = Progress(str(tmp_path), {"scan": 2, "clip": 2, "kept": 2}, io.StringIO())
    watched._started = time.time() - 100
    return watched


def test_before_the_first_sidecar(watched):
    assert watched.line() == "scan 0/2 shards · 0 samples"


def test_a_stage_tells_rows_rate_and_time_left(watched, tmp_path):
    leave(tmp_path, "scan", "a", 1500)
    assert watched.line() == "scan 1/2 shards · 1,500 samples · 15/s · 1:40 left"


def test_the_next_stage_follows_when_one_is_whole(watched, tmp_path):
    for name in "ab":
        leave(tmp_path, "scan", name, 10)
    leave(tmp_path, "clip", "a", 3)
    leave(tmp_path, "kept", "a", 2, tally={"read": 10, "kept": 2})
    assert watched.line().startswith("clip 1/2 shards · 3 samples · 3/s · 0:01 left")
    assert watched.line().endswith(" · kept so far 2")


def test_shards_come_last(watched, tmp_path):
    for stage in ("scan", "clip", "kept"):
        for name in "ab":
            leave(tmp_path, stage, name, 1000, tally={"read": 1000, "kept": 900})
    assert watched.line() == "writing shards · kept 1,800"


def test_a_sidecar_of_an_earlier_run_counts_but_makes_no_rate(tmp_path):
    leave(tmp_path, "scan", "a", 7)
    watched = Progress(str(tmp_path), {"scan": 2}, io.StringIO())
    watched._started = time.time() + 10
    assert watched.line() == "scan 1/2 shards · 7 samples"


def test_a_thread_writes_while_the_block_runs_and_not_after(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.01)
    stream = io.StringIO()
    with Progress(str(tmp_path), {"scan": 1}, stream):
        time.sleep(0.2)
    written = stream.getvalue()
    time.sleep(0.05)
    assert written == stream.getvalue() == "scan 0/1 shards · 0 samples\n"


def test_a_terminal_gets_one_line_that_is_wiped_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.01)
    stream = io.StringIO()
    stream.isatty = lambda: True
    with Progress(str(tmp_path), {"scan": 1}, stream):
        time.sleep(0.2)
    assert stream.getvalue().startswith("\r\x1b[Kscan 0/1 shards") and stream.getvalue().endswith("\r\x1b[K")
    assert "\n" not in stream.getvalue()
