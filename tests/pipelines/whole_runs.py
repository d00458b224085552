"""Whole runs through the command line: how tests start them, and what they read from an output."""

import json
import os
import signal
import subprocess
from pathlib import Path

from pipelines.cli import main
from tests.pipelines.forked_commands import run_forked

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--set", "relevance.enabled=false")
"""Without the model: torch alone takes seconds to load in each new process."""
FOLDERS = (
    "work/web_index",
    "work/scan",
    "work/look",
    "work/clip",
    "work/concept_matches",
    "work/concepts",
    "work/concept_limit",
    "work/kept",
    "work/shards",
    "ledger",
    "shards",
)
"""Where the steps of all pipelines leave what is done."""


def arguments(inputs: list[str], output: Path | str, *more: str) -> list[str]:
    return ["run", "caption", "--input", *inputs, "--output", str(output), *more]


def run_here(inputs: list[str], output: Path | str, *more: str) -> int:
    """The command in this process; gives its exit code."""
    return main(arguments(inputs, output, *more))


def run_apart(command: list[str], module: str = "pipelines.cli", seconds: float = 120) -> subprocess.CompletedProcess:
    """The command in a process of its own, in the project's folder as workers need it."""
    return run_forked(module, command, ROOT, seconds)


def run_killed(target: str, call: int, command: list[str], seconds: float = 120) -> None:
    """The command, killed at the `call`-th call of `target` (see killed_run.py)."""
    ended = run_apart([target, str(call), *command], "tests.pipelines.killed_run", seconds)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def run_killed_at_each(kills: list[tuple[str, int, dict[str, int]]], command: list[str], output: Path) -> dict:
    """The same command, killed at one place after the other: (target, call, finished files that it leaves by folder).
    Gives what stands after the last."""
    before: dict[str, tuple[int, int]] = {}
    for target, call, left in kills:
        run_killed(target, call, command)
        assert not (output / "manifest.json").exists()
        after = standing(output, *FOLDERS)
        assert before.items() <= after.items(), f"{target}: finished work was done again"
        assert {folder: sum(name.startswith(f"{folder}/") for name in after) for folder in left} == left, target
        before = after
    return before


def shards_of(output: Path | str) -> list[dict]:
    """The manifest's shards: name, samples, bytes, sha256."""
    return json.loads(Path(output, "manifest.json").read_text())["shards"]


def standing(output: Path | str, *folders: str) -> dict[str, tuple[int, int]]:
    """Every finished file under the folders by inode and time of change: equal where nobody wrote it again."""
    found = {}
    for folder in folders:
        for path in sorted(Path(output, folder).rglob("*")):
            if path.is_file() and not path.name.startswith(".tmp-"):
                stat = os.stat(path)
                found[str(path.relative_to(output))] = (stat.st_ino, stat.st_mtime_ns)
    return found


def unfinished(output: Path | str) -> list[str]:
    return sorted(str(path.relative_to(output)) for path in Path(output).rglob(".tmp-*"))
