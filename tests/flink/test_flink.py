"""Both pipelines on a real Flink: the bytes of a local run, whatever the parallelism and whoever dies."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.faults.mortal_workers import give_order
from tests.faults.small_units import BALANCED, DEATHS, FOLDERS, TOLD, UNSCORED, nothing_done_again
from tests.flink.cluster import ROOT, flink_options, standalone
from tests.pipelines.web_pool import FEW, web_arguments, write_web_pool
from tests.pipelines.whole_runs import arguments, run_apart, run_here, run_killed, shards_of, standing, unfinished
from tests.waiting import wait_until

pytestmark = [pytest.mark.beam, pytest.mark.slow]

SECONDS = 240
SCORED = pytest.mark.xdist_group("scored")
QUICK = pytest.mark.xdist_group("unscored")
"""Each group has a process, a cluster and workers of its own; either takes half of the time."""


@pytest.fixture(scope="module")
def scored(pool, tmp_path_factory) -> list[dict]:
    """Shards of an undisturbed run of one worker in this process."""
    return made(pool, tmp_path_factory.mktemp("scored"), *BALANCED)


@pytest.fixture(scope="module")
def local(pool, tmp_path_factory) -> list[dict]:
    """The same without the model."""
    return made(pool, tmp_path_factory.mktemp("local"), *UNSCORED)


def made(pool: list[str], output: Path, *recipe: str) -> list[dict]:
    assert run_here(pool, output, *recipe) == 0
    return shards_of(output)


@pytest.fixture
def command(pool, distribution, workers):
    """The command line of a run with an output and a parallelism, on a cluster."""

    def build(output: Path, master: str, parallelism: int, recipe: tuple[str, ...] = UNSCORED) -> list[str]:
        return arguments(pool, output, *recipe, *flink_options(distribution, master, workers, parallelism))

    return build


def run_to_its_end(line: list[str], output: Path) -> list[dict]:
    ended = run_apart(line, seconds=SECONDS)
    assert ended.returncode == 0, ended.stderr
    assert unfinished(output) == []
    return shards_of(output)


@QUICK
def test_the_embedded_cluster(command, local, tmp_path):
    assert run_to_its_end(command(tmp_path, "[local]", 2), tmp_path) == local


@SCORED
@pytest.mark.parametrize("parallelism", [1, 2, 4])
def test_the_standalone_cluster(command, cluster, scored, parallelism, tmp_path):
    assert run_to_its_end(command(tmp_path, f"localhost:{cluster.rest}", parallelism, BALANCED), tmp_path) == scored


@QUICK
def test_web_pages(distribution, cluster, workers, tmp_path):
    archives = write_web_pool(tmp_path / "archives")
    assert main(web_arguments(archives, tmp_path / "local", *FEW)) == 0
    options = flink_options(distribution, f"localhost:{cluster.rest}", workers, 2)
    line = web_arguments(archives[::-1], tmp_path / "set", *FEW, *options)
    assert run_to_its_end(line, tmp_path / "set") == shards_of(tmp_path / "local")


@SCORED
def test_a_python_worker_dies_in_scan_in_visit_and_in_write_shards(command, cluster, scored, order, tmp_path):
    line, before = command(tmp_path, f"localhost:{cluster.rest}", 2, BALANCED), {}
    for target, call in DEATHS:
        give_order(order, target, call)
        ended = run_apart(line, seconds=SECONDS)
        assert not order.exists(), f"no worker died in {target}"
        assert told(ended) == TOLD
        before = nothing_done_again(before, tmp_path)
    assert run_to_its_end(line, tmp_path) == scored
    assert before.items() <= standing(tmp_path, *FOLDERS).items()


@QUICK
def test_flink_tries_again_where_it_is_told_to(command, distribution, local, order, tmp_path):
    again = {"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.delay": "500 ms"}
    give_order(order, *DEATHS[0])
    with standalone(distribution, tmp_path / "cluster", 1, **again) as cluster:
        line = command(tmp_path / "set", f"localhost:{cluster.rest}", 2)
        assert run_to_its_end(line, tmp_path / "set") == local
    assert not order.exists()


@QUICK
def test_the_submitting_machine_dies_before_the_manifest(command, cluster, distribution, local, tmp_path):
    line = command(tmp_path, f"localhost:{cluster.rest}", 2)
    run_killed("pipelines.run:make_manifest", 1, line)
    job_server = f"{distribution.job_server}.*localhost:{cluster.rest}"
    subprocess.run(["pkill", "-f", job_server], check=True)  # the machine would have taken it along
    before = nothing_done_again({}, tmp_path)
    assert sum(name.startswith("shards/") for name in before) == 2 * len(local)
    assert run_to_its_end(line, tmp_path) == local
    assert before.items() <= standing(tmp_path, *FOLDERS).items()


@QUICK
def test_a_task_manager_dies(command, cluster, local, tmp_path):
    line = command(tmp_path, f"localhost:{cluster.rest}", 4)
    program = [sys.executable, "-m", "pipelines.cli", *line]
    process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for_scans(tmp_path, 2)
    cluster.kill_task_manager()
    _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 2, stderr
    assert stderr.splitlines()[-1] == "Stopped: a task manager of Flink was lost; the same command resumes"
    before = nothing_done_again({}, tmp_path)
    cluster.add_task_manager()
    cluster.wait_for(2)
    assert run_to_its_end(line, tmp_path) == local
    assert before.items() <= standing(tmp_path, *FOLDERS).items()


def told(ended: subprocess.CompletedProcess) -> str:
    """The last line of a command that stopped as it should."""
    assert ended.returncode == 2, ended.stderr
    return ended.stderr.strip().splitlines()[-1]


def wait_for_scans(output: Path, count: int) -> None:
    wait_until(lambda: len(list(output.glob("work/scan/*.arrow"))) >= count, f"{count} scans")
