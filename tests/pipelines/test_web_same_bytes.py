"""One recipe gives one set of web documents: whatever workers, order, retries, kills, deaths and storage (laws 4, 6).

tests/flink has the run on Flink; what a stage does on its own is tests/transforms/beam/.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from pipelines.cli import main
from tests.faults.mortal_workers import environment, give_order
from tests.faults.small_units import TOLD
from tests.pipelines.web_pool import FEW, web_arguments, write_web_pool
from tests.pipelines.whole_runs import FOLDERS, run_apart, run_killed_at_each, shards_of, standing, unfinished
from tests.stores import s3
from transforms.storage import storage_for

pytestmark = [pytest.mark.beam, pytest.mark.slow]


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    return write_web_pool(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def whole(pool, tmp_path_factory) -> list[dict]:
    """Shards of an undisturbed run of one worker."""
    output = tmp_path_factory.mktemp("web")
    assert main(web_arguments(pool, output, *FEW)) == 0
    assert unfinished(output) == []
    return shards_of(output)


def test_the_run_compared_has_several_shards(whole):
    assert len({shard["sha256"] for shard in whole}) == 3


def test_every_bundle_twice(pool, whole, tmp_path):
    assert main(web_arguments(pool, tmp_path, *FEW, "--direct_runner_bundle_repeat=2")) == 0
    assert shards_of(tmp_path) == whole


def test_two_workers_in_another_order_of_whom_one_dies(pool, whole, tmp_path, monkeypatch):
    for name, value in environment(tmp_path / "order").items():
        monkeypatch.setenv(name, value)
    give_order(tmp_path / "order", "transforms.beam.look:create_sidecar", 1)
    line = web_arguments(pool[::-1], tmp_path / "out", *FEW, "--direct_num_workers=2")
    ended = run_apart(line)
    assert (ended.returncode, ended.stderr.strip().splitlines()[-1]) == (2, TOLD)
    assert not (tmp_path / "order").exists() and not (tmp_path / "out/manifest.json").exists()
    before = standing(tmp_path / "out", *FOLDERS)
    assert {Path(name).parent.as_posix() for name in before} >= {"work/scan", "work/web_index"}
    ended = run_apart(line)
    assert ended.returncode == 0, ended.stderr
    assert before.items() <= standing(tmp_path / "out", *FOLDERS).items()
    assert shards_of(tmp_path / "out") == whole


KILLS = [
    ("transforms.beam.scan_archives:row_of", 16, {"work/scan": 2, "work/web_index": 2}),
    ("transforms.beam.look:look_at", 4, {"work/scan": 3, "work/web_index": 3, "work/look": 0}),
    ("transforms.beam.write_ledger:ledger_table", 2, {"work/look": 3, "work/kept": 2, "ledger": 2}),
    ("transforms.shards:ShardWriter.add", 4, {"work/kept": 3, "ledger": 3, "work/shards": 1, "shards": 2}),
    ("pipelines.run:make_manifest", 1, {"work/shards": 3, "shards": 6}),
]
"""Where the same command is killed one time after the other, and the finished files that each time leaves."""


def test_killed_in_every_stage_and_resumed_by_the_same_command(pool, whole, tmp_path):
    command = web_arguments(pool, tmp_path, *FEW)
    before = run_killed_at_each(KILLS, command, tmp_path)
    assert main(command) == 0
    assert shards_of(tmp_path) == whole
    assert before == standing(tmp_path, *FOLDERS)


def test_archives_and_output_in_a_bucket(pool, whole, monkeypatch, capsys):
    pytest.importorskip("obstore")
    pytest.importorskip("moto.server")
    with s3.s3_server() as server:
        for name, value in s3.environment(server.endpoint).items():
            monkeypatch.setenv(name, value)
        server.make_bucket("web")
        for path in pool:
            storage_for("s3://web").write(f"s3://web/raw/{Path(path).name}", Path(path).read_bytes())
        output = "s3://web/out"
        assert main(web_arguments(["s3://web/raw/*.warc.gz"], output, *FEW)) == 0
        assert json.loads(read(f"{output}/manifest.json"))["shards"] == whole
        assert main(["verify", output]) == 0
        assert main(["what-if", output, "--set", "picture.min_side=300"]) == 0
        assert main(["why", output, "http://site.example/moved.html"]) == 0
        assert "s3://web/raw/b.warc.gz" in "".join(capsys.readouterr().out.split())
        page = read(f"{output}/report.html")
        assert page.count(b"data:image/webp") > 5
        storage_for(output).delete(f"{output}/report.html")
        assert main(["report", output]) == 0
        assert read(f"{output}/report.html").count(b"data:image/webp") == page.count(b"data:image/webp")


def read(uri: str) -> bytes:
    with storage_for(uri).open(uri) as file:
        return file.read()
