"""A worker of the in-process runner dies in Scan, in Visit, in WriteShards and between two bundles; tests/flink does it
to Flink's."""

import pytest

from tests.faults.mortal_workers import environment, give_order
from tests.faults.small_units import DEATHS, SCORED, TOLD, nothing_done_again, write_units
from tests.pipelines.whole_runs import FOLDERS, arguments, run_apart, run_here, shards_of, standing, unfinished

pytestmark = [pytest.mark.beam, pytest.mark.slow]

UNANSWERED = ("apache_beam.runners.worker.bundle_processor:BundleProcessor.monitoring_infos", 5)
"""After a bundle's last element and before its answer, where Beam's own runner would wait for ever."""


def test_a_worker_dies_and_the_same_command_resumes(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pool, output = write_units(tmp_path / "world"), tmp_path / "out"
    assert run_here(pool, tmp_path / "whole", *SCORED) == 0
    line, before = arguments(pool, output, *SCORED, "--direct_num_workers=2"), {}
    for name, value in environment(tmp_path / "order").items():
        monkeypatch.setenv(name, value)
    for target, call in (*DEATHS, UNANSWERED):
        give_order(tmp_path / "order", target, call)
        ended = run_apart(line)
        assert not (tmp_path / "order").exists(), f"no worker died in {target}"
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.strip().splitlines()[-1] == TOLD
        before = nothing_done_again(before, output)
    assert run_apart(line).returncode == 0
    assert before.items() <= standing(output, *FOLDERS).items()
    assert shards_of(output) == shards_of(tmp_path / "whole")
    assert run_apart(["verify", "--clean", str(output)]).returncode == 0
    assert unfinished(output) == []
