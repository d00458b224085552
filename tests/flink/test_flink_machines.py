"""Flink beyond one machine: web pages, the embedded cluster, and machines that die, without the model."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.faults.mortal_workers import give_order
from tests.faults.small_units import DEATHS, UNSCORED, nothing_done_again
from tests.flink.cluster import ROOT, flink_options, standalone
from tests.flink.runs import SECONDS, made, run_to_its_end
from tests.pipelines.web_pool import FEW, web_arguments, write_web_pool
from tests.pipelines.whole_runs import FOLDERS, run_killed, shards_of, standing
from tests.waiting import wait_until

pytestmark = [pytest.mark.beam, pytest.mark.slow]


@pytest.fixture(scope="module")
def local(pool, tmp_path_factory) -> list[dict]:
    """Shards of an undisturbed run of one worker in this process."""
    return made(pool, tmp_path_factory.mktemp("local"), *UNSCORED)


def test_the_embedded_cluster(command, local, tmp_path):
    assert run_to_its_end(command(tmp_path, "[local]", 2), tmp_path) == local


@pytest.mark.parametrize("parallelism", [1, 4])
def test_the_standalone_cluster(command, cluster, local, parallelism, tmp_path):
    """Of two it is test_flink.py's, with the model."""
    assert run_to_its_end(command(tmp_path, f"localhost:{cluster.rest}", parallelism), tmp_path) == local


def test_web_pages(distribution, cluster, workers, tmp_path):
    archives = write_web_pool(tmp_path / "archives")
    assert main(web_arguments(archives, tmp_path / "local", *FEW)) == 0
    options = flink_options(distribution, f"localhost:{cluster.rest}", workers, 2)
    line = web_arguments(archives[::-1], tmp_path / "set", *FEW, *options)
    assert run_to_its_end(line, tmp_path / "set") == shards_of(tmp_path / "local")


def test_flink_tries_again_where_it_is_told_to(command, distribution, local, order, tmp_path):
    again = {"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.delay": "500 ms"}
    give_order(order, *DEATHS[0])
    with standalone(distribution, tmp_path / "cluster", 1, **again) as cluster:
        line = command(tmp_path / "set", f"localhost:{cluster.rest}", 2)
        assert run_to_its_end(line, tmp_path / "set") == local
    assert not order.exists()


def test_the_submitting_machine_dies_before_the_manifest(command, cluster, distribution, local, tmp_path):
    line = command(tmp_path, f"localhost:{cluster.rest}", 2)
    run_killed("pipelines.run:make_manifest", 1, line, SECONDS)
    job_server = f"{distribution.job_server}.*localhost:{cluster.rest}"
    subprocess.run(["pkill", "-f", job_server], check=True)  # the machine would have taken it along
    before = nothing_done_again({}, tmp_path)
    assert sum(name.startswith("shards/") for name in before) == 2 * len(local)
    assert run_to_its_end(line, tmp_path) == local
    assert before.items() <= standing(tmp_path, *FOLDERS).items()


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


def wait_for_scans(output: Path, count: int) -> None:
    wait_until(lambda: len(list(output.glob("work/scan/*.arrow"))) >= count, f"{count} scans")
