"""The caption pipeline on a standalone Flink: the bytes of a local run, whatever the parallelism and whoever dies.

With the model, which each new worker loads. Apart from test_flink_machines.py so that the two files run side by side.
"""

import subprocess

import pytest

from tests.faults.mortal_workers import give_order
from tests.faults.small_units import BALANCED, DEATHS, TOLD, nothing_done_again
from tests.flink.runs import SECONDS, made, run_to_its_end
from tests.pipelines.whole_runs import FOLDERS, run_apart, standing

pytestmark = [pytest.mark.beam, pytest.mark.slow]


@pytest.fixture(scope="module")
def scored(pool, tmp_path_factory) -> list[dict]:
    """Shards of an undisturbed run of one worker in this process."""
    return made(pool, tmp_path_factory.mktemp("scored"), *BALANCED)


def test_the_standalone_cluster(command, cluster, scored, tmp_path):
    assert run_to_its_end(command(tmp_path, f"localhost:{cluster.rest}", 2, BALANCED), tmp_path) == scored


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


def told(ended: subprocess.CompletedProcess) -> str:
    """The last line of a command that stopped as it should."""
    assert ended.returncode == 2, ended.stderr
    return ended.stderr.strip().splitlines()[-1]
