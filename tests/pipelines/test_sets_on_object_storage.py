"""`convert` and `lint` with s3:// on both sides: the set of a local disk, and findings that name the objects."""

import json

import pytest

pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from pipelines.cli import main
from pipelines.lint import lint
from tests.pipelines.test_convert import convert, write_set
from tests.stores.s3 import environment, s3_server
from transforms.storage import storage_for

pytestmark = pytest.mark.slow


def test_a_set_in_a_bucket(tmp_path, monkeypatch):
    with s3_server() as server:
        for name, value in environment(server.endpoint).items():
            monkeypatch.setenv(name, value)
        server.make_bucket("sets")
        store = storage_for("s3://sets")
        ours = write_set(tmp_path / "ours")
        for file in ("shards/000000.tar", "manifest.json"):
            store.write(f"s3://sets/ours/{file}", (ours / file).read_bytes())
        for source in ("s3://sets/ours", "s3://sets/ours/shards/*.tar"):
            target = f"s3://sets/mint{len(source)}"
            assert convert(source, "--from", "beamsift", "--to", "mint", "--output", target) == 0
            assert convert(source, "--from", "beamsift", "--to", "mint", "--output", target) == 2
            assert lint([target]).counts == {}
        assert convert(ours, "--from", "beamsift", "--to", "mint", "--output", tmp_path / "mint") == 0
        with store.open(f"{target}/shards/000000.tar") as file:
            assert file.read() == (tmp_path / "mint" / "shards" / "000000.tar").read_bytes()
        for step, source, schema in (("mmc4", "s3://sets/ours", "beamsift"), ("back", "s3://sets/mmc4", "mmc4")):
            to = "mmc4" if step == "mmc4" else "beamsift"
            assert convert(source, "--from", schema, "--to", to, "--output", f"s3://sets/{step}") == 0
        counts = json.loads(store.open("s3://sets/back/manifest.json").read())["counts"]
        assert counts["pictures"] == {"reference": 1, "with_bytes": 4}
        store.write(f"{target}/shards/000001.tar", (tmp_path / "mint" / "shards" / "000000.tar").read_bytes())
        found = lint([target])
        assert found.counts == {"shard_unlisted": 2, "key_in_two_shards": 4}
        assert all(finding.place.startswith("s3://sets/") for finding in found.findings)
        assert main(["lint", "s3://sets/none/*.tar"]) == 2
        assert json.loads(store.open(f"{target}/manifest.json").read())["counts"]["written"] == 4
