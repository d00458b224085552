"""One cluster for all tests; what is fetched stays in BEAMSIFT_FLINK (`make flink-test` sets it)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.mortal_workers import environment
from tests.faults.small_units import UNSCORED, write_units
from tests.faults.worker_pool import worker_pool
from tests.flink.cluster import Cluster, flink_options, standalone
from tests.flink.distribution import Distribution, fetch
from tests.pipelines.whole_runs import arguments


@pytest.fixture(scope="session", autouse=True)
def short_lived_java() -> Iterator[None]:
    """Each run starts a job server: compiled well, its code costs more than it saves in seconds of life."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        yield


@pytest.fixture(scope="session")
def distribution() -> Distribution:
    if "BEAMSIFT_FLINK" not in os.environ:
        pytest.skip("BEAMSIFT_FLINK names no folder for Flink; `make flink-test` does")
    return fetch(Path(os.environ["BEAMSIFT_FLINK"]).resolve())


@pytest.fixture(scope="session")
def pool(tmp_path_factory) -> list[str]:
    return write_units(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def cluster(distribution, tmp_path_factory) -> Cluster:
    with standalone(distribution, tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="session")
def order(tmp_path_factory) -> Path:
    """The file that tells one worker to die (tests/faults/mortal_workers.py)."""
    return tmp_path_factory.mktemp("order") / "order"


@pytest.fixture(scope="session")
def workers(order, tmp_path_factory) -> str:
    with (
        open(tmp_path_factory.mktemp("workers") / "log", "wb") as log,
        worker_pool(log, **environment(order)) as address,
    ):
        yield address


@pytest.fixture
def command(pool, distribution, workers):
    """The command line of a run with an output and a parallelism, on a cluster."""

    def build(output: Path, master: str, parallelism: int, recipe: tuple[str, ...] = UNSCORED) -> list[str]:
        return arguments(pool, output, *recipe, *flink_options(distribution, master, workers, parallelism))

    return build
