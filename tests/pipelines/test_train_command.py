"""`beamsift train …` as its own process: what it is told reaches the training, and what becomes of that comes back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / "configs" / "train" / "pretrain_tiny.yaml")


@contextmanager
def beamsift(*arguments: str) -> Iterator[subprocess.Popen]:
    """In a session of its own, ended with all that it left."""
    command = [sys.executable, "-m", "pipelines.cli", "train", *arguments]
    started = subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                               start_new_session=True)  # fmt: skip
    try:
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def test_help_is_the_trainings():
    with beamsift("pretrain", "--help") as train:
        told, _ = train.communicate(timeout=60)
    assert train.returncode == 0 and told.startswith("usage: python -m train pretrain") and "--processes" in told


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_is_wrong_is_said_and_ends_with_2(processes, tmp_path):
    """torchrun's own code would be 1, below a trace of itself."""
    with beamsift("sft", "--config", CONFIG, "--output", str(tmp_path / "out"), "--processes", processes) as train:
        _, told = train.communicate(timeout=60)
    assert train.returncode == 2
    assert "ConfigError: " in told and "expected a config of stage sft, found one of pretrain" in told
    assert "Traceback" not in told and not (tmp_path / "out").exists()


def reached(pipe: Path) -> int:
    """The writer's end of a pipe, once somebody reads it."""
    until = time.monotonic() + 60
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody does
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_training_and_nobody_is_left(sent, tmp_path):
    """Which reads its config here, a pipe that nobody fills. A parent that died of SIGTERM alone would leave the
    training behind it, and one that waits for Ctrl-C a quarter of a second would kill it as it saves."""
    os.mkfifo(tmp_path / "config.yaml")
    with beamsift("pretrain", "--config", str(tmp_path / "config.yaml"), "--output", str(tmp_path / "out")) as train:
        held = reached(tmp_path / "config.yaml")
        train.send_signal(sent)
        _, told = train.communicate(timeout=60)
        with pytest.raises(BrokenPipeError):
            os.write(held, b"-")
        os.close(held)
    if sent == signal.SIGINT:
        assert train.returncode == 130
        assert told == "interrupted; the same command goes on from the last checkpoint\n"
    else:
        assert train.returncode == -signal.SIGTERM  # before its first step it has nothing to save
