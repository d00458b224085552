"""What can be checked of the workers' image and of Beam's `--setup_file` without a container engine.

The image itself has not been built here; its RUN lines have been run in an empty environment (README says when).
"""

import re
import shutil
import tarfile
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("classifiers", "configs", "pipelines", "recaption", "train", "transforms")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, each on one line, without comments."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, " ".join(rest.split()))
        for name, _, rest in (line.partition(" ") for line in joined.splitlines())
        if name
    ]


def values(instruction: str) -> list[str]:
    return [value for name, value in instructions() if name == instruction]


def copied() -> list[str]:
    """What comes from the build context."""
    return [source for value in values("COPY") if "--from" not in value for source in value.split()[:-1]]


def test_every_source_exists_and_travels_to_the_builder():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert set(copied()) == allowed


def test_every_package_is_in_it():
    assert {name.split(".")[0] for name in find_packages(str(ROOT)) if not name.startswith("tests")} <= set(copied())


def test_its_beam_and_python_are_the_tested_ones():
    beam = re.search(r"^apache-beam==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert beam, "constraints.txt names no apache-beam"
    assert f"apache/beam_python3.11_sdk:{beam[1]} AS beam" in values("FROM")
    assert values("FROM")[-1].startswith("python:3.11-")
    assert 'python_requires=">=3.11"' in (ROOT / "setup.py").read_text()


def test_it_installs_extras_that_exist_in_the_tested_versions():
    (extras,) = (value.removeprefix("EXTRAS=") for value in values("ARG") if value.startswith("EXTRAS="))
    assert [name for name in extras.split(",") if f'"{name}": ' not in (ROOT / "setup.py").read_text()] == []
    first, second = values("RUN")
    assert '--constraint constraints.txt ".[$EXTRAS]"' in first
    assert "--no-deps" in second and "pip check" in second


def test_a_worker_starts_with_beams_entry_point():
    assert values("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert "--from=beam /opt/apache/beam /opt/apache/beam" in values("COPY")


@pytest.mark.slow
def test_setup_file_packs_every_module_and_data_file(tmp_path):
    pytest.importorskip("apache_beam")
    from apache_beam.runners.portability.stager import Stager

    project = copy_project(tmp_path / "project")
    packed = Stager._build_setup_package(str(project / "setup.py"), str(tmp_path))
    with tarfile.open(packed) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    wanted = {name for name in wanted if ".egg-info" not in name}
    assert {"README.md", "configs/pipelines/caption.yaml", "pipelines/report.css"} <= wanted
    assert wanted <= names


def copy_project(folder: Path) -> Path:
    """What `--setup_file` reads; a copy, because setuptools leaves its notes beside setup.py."""
    for name in SHIPPED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder
