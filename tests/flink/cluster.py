"""A standalone Flink cluster and a pool of Python workers on the loopback, as processes that a test owns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.flink.distribution import FLINK_MINOR, Distribution
from tests.waiting import free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 20
SLOTS = 2
"""Of each task manager: two of them serve a parallelism of 1, 2 and 4."""


@dataclass
class Cluster:
    """`folder` takes configuration, logs and Flink's temporary files. Every process ends with `stop`."""

    distribution: Distribution
    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    rest: int = 0
    task_managers: list[subprocess.Popen] = field(default_factory=list)

    def start(self, task_managers: int) -> None:
        self.rest = free_port()
        conf = self.folder / "conf"
        conf.mkdir(parents=True)
        for name in ("log4j-console.properties", "log4j.properties"):
            (conf / name).write_text((self.distribution.home / "conf" / name).read_text())
        (conf / "config.yaml").write_text(yaml.safe_dump(self._configuration()))
        self._master = self._spawn("jobmanager", "start-foreground")
        for _ in range(task_managers):
            self.add_task_manager()
        self.wait_for(task_managers)

    def add_task_manager(self) -> None:
        self.task_managers.append(self._spawn("taskmanager", "start-foreground"))

    def kill_task_manager(self) -> None:
        manager = self.task_managers.pop()
        os.killpg(manager.pid, signal.SIGKILL)
        manager.wait(END_SECONDS)

    def wait_for(self, task_managers: int) -> None:
        wait_until(lambda: self.overview().get("taskmanagers") == task_managers, f"{task_managers} task managers")

    def overview(self) -> dict:
        """What the cluster's web page says of it; empty while it does not answer."""
        with suppress(OSError), urllib.request.urlopen(f"http://localhost:{self.rest}/overview", timeout=5) as page:
            return json.load(page)
        return {}

    def stop(self) -> None:
        for process in (*self.task_managers, self._master):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in (*self.task_managers, self._master):
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _configuration(self) -> dict[str, object]:
        shipped = yaml.safe_load((self.distribution.home / "conf" / "config.yaml").read_text())
        return {
            "env.java.opts.all": shipped["env"]["java"]["opts"]["all"],  # Java 17 needs them
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": free_port(),
            "jobmanager.memory.process.size": "1024m",
            "rest.address": "localhost",
            "rest.bind-address": "localhost",
            "rest.port": self.rest,
            "taskmanager.host": "localhost",
            "taskmanager.memory.process.size": "1728m",
            # A shuffle reserves 512 buffers of 32 KiB whatever its size, and several are open at a time.
            "taskmanager.memory.network.min": "256m",
            "taskmanager.memory.network.max": "256m",
            "taskmanager.numberOfTaskSlots": SLOTS,
            # A killed task manager is noticed by the second heartbeat that finds nobody; Flink's own interval is 10 s.
            # The time-out stays at Flink's 50 s: on a busy machine a task manager that lives may be silent for 10 s.
            "heartbeat.interval": 2000,
            "io.tmp.dirs": str(self.folder / "tmp"),
            **self.settings,
        }

    def _spawn(self, script: str, verb: str) -> subprocess.Popen:
        (self.folder / "tmp").mkdir(exist_ok=True)
        environment = os.environ | {
            "FLINK_CONF_DIR": str(self.folder / "conf"),
            "FLINK_LOG_DIR": str(self.folder),
            "FLINK_PID_DIR": str(self.folder),
        }
        with open(self.folder / f"{script}.out", "ab") as log:
            command = [str(self.distribution.home / "bin" / f"{script}.sh"), verb]
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


@contextmanager
def standalone(
    distribution: Distribution, folder: Path, task_managers: int = 2, **settings: object
) -> Iterator[Cluster]:
    cluster = Cluster(distribution, folder, settings)
    try:
        cluster.start(task_managers)
        yield cluster
    finally:
        cluster.stop()


def flink_options(distribution: Distribution, master: str, pool: str, parallelism: int) -> list[str]:
    """What a user adds to `beamsift run caption …`; `master` is host:port, or [local] for the embedded cluster."""
    return [
        "--runner=FlinkRunner",
        f"--flink_master={master}",
        f"--flink_version={FLINK_MINOR}",
        f"--flink_job_server_jar={distribution.job_server}",
        f"--parallelism={parallelism}",
        "--environment_type=EXTERNAL",
        f"--environment_config={pool}",
    ]
