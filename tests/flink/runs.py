"""Runs on a cluster, as processes of a test's own: how long they may take and what they must leave."""

from pathlib import Path

from tests.pipelines.whole_runs import run_apart, run_here, shards_of, unfinished

SECONDS = 240


def made(pool: list[str], output: Path, *recipe: str) -> list[dict]:
    assert run_here(pool, output, *recipe) == 0
    return shards_of(output)


def run_to_its_end(line: list[str], output: Path) -> list[dict]:
    ended = run_apart(line, seconds=SECONDS)
    assert ended.returncode == 0, ended.stderr
    assert unfinished(output) == []
    return shards_of(output)
