"""Fetches Flink and Beam's job server: python -m tests.flink.distribution FOLDER.

Flink is the distribution inside the PyPI packages; the job server is built by Maven from pom.xml. The ready-made jars
(beam-runners-flink-{1.19,1.20,2.0,2.1,2.2}-job-server, 2.61 to 2.77) were not to be had where this was written; of
the thin ones only beam-runners-flink-1.19 was, up to 2.70, which runs jobs of the Python SDK 2.77 on Java 17.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FLINK = "1.19.3"
FLINK_MINOR = "1.19"
JOB_SERVER = "2.70.0"
POM = Path(__file__).with_name("pom.xml")
FETCH_SECONDS = 900


@dataclass(frozen=True)
class Distribution:
    home: Path
    """What Flink's scripts call FLINK_HOME."""
    job_server: Path
    """A jar for `--flink_job_server_jar`."""


def fetch(folder: Path) -> Distribution:
    """What `folder` holds, fetched where it is missing. Raises CalledProcessError with the tool's own words."""
    found = Distribution(folder / "flink" / "pyflink", folder / f"flink-job-server-{JOB_SERVER}.jar")
    if not (found.home / "bin" / "jobmanager.sh").exists():
        _fetch_flink(folder)
    if not found.job_server.exists():
        _build_job_server(folder / "maven", found.job_server)
    return found


def _fetch_flink(folder: Path) -> None:
    packages = [f"apache-flink=={FLINK}", f"apache-flink-libraries=={FLINK}"]
    unfinished = folder / "flink.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    # Without dependencies: apache-flink would bring an old Beam of its own.
    _call([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={unfinished}", *packages])
    unfinished.rename(folder / "flink")


def _build_job_server(folder: Path, jar: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(POM, folder / "pom.xml")
    _call(["mvn", "--batch-mode", "--quiet", "package", f"--file={folder / 'pom.xml'}"])
    (folder / "target" / jar.name).replace(jar)
    shutil.rmtree(folder)


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=FETCH_SECONDS)


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1])))
