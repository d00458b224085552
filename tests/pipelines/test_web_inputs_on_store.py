"""Saved pages and foreign sets on s3://: the bytes of a run on the same files here.

Left out on purpose: archives and output in a store (tests/pipelines/test_object_storage_run.py, the same storage).
"""

from pathlib import Path

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from pipelines.cli import main
from tests.pipelines.web_pool import jpeg, text
from tests.pipelines.web_sets import fates, rows_under, write_beside, write_held, write_saved, write_tar
from tests.pipelines.whole_runs import shards_of
from tests.stores.s3 import environment, s3_server
from transforms.storage import storage_for

pytestmark = [pytest.mark.beam, pytest.mark.slow]


def test_sets_and_saved_pages_of_a_store_give_the_bytes_of_local_ones(tmp_path: Path, monkeypatch) -> None:
    root = tmp_path / "pool"
    inputs = [
        write_saved(root / "saved"),
        write_held(root / "sets/a.parquet", [[jpeg(1)], [jpeg(2)]], [text(1), text(2)]),
    ]
    inputs += [write_tar(root / "sets/b.tar", [3, 4]), write_beside(root / "sets/c.jsonl", 5)]
    (root / "saved/shared/large.jpg").unlink()
    run = ["run", "interleaved_web", "--set", "output.max_failure_rate=0.2", "--output"]
    assert main([*run, str(tmp_path / "here"), "--input", *inputs]) == 0
    with s3_server() as server:
        for name, value in environment(server.endpoint).items():
            monkeypatch.setenv(name, value)
        server.make_bucket("pool")
        for path in root.rglob("*"):
            if path.is_file():
                uri = f"s3://pool/{path.relative_to(root)}"
                storage_for(uri).write(uri, path.read_bytes())
        stored = [one.replace(str(root), "s3://pool") for one in inputs]
        assert main([*run, str(tmp_path / "there"), "--input", *stored]) == 0
    assert shards_of(tmp_path / "there") == shards_of(tmp_path / "here")
    assert [fates(row) for row in rows_under(tmp_path / "there", "s3://pool/sets")] == [["kept"]] * 4 + [["kept"] * 2]
