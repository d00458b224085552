"""A whole run with pool and output on s3://: the bytes of a local run, what it asks of the store, what reads it after.

The store is a real S3 API behind a proxy that counts, and that fails on purpose where a test says so.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from pipelines.cli import main
from tests.pipelines.whole_runs import QUICK, arguments, run_apart, run_here, shards_of
from tests.stores.faulty_proxy import FaultyProxy, Served
from tests.stores.s3 import S3Server, environment, s3_server
from tests.world.raw_shards import write_world
from tests.world.samples import World
from transforms.storage import storage_for

pytestmark = [pytest.mark.beam, pytest.mark.slow]

UNITS, ROWS = 3, 60
OPTIONS = (*QUICK, "--set", "output.samples_per_shard=50", "--set", "output.max_failure_rate=0.5")
POOL, OUTPUT = "s3://pool/raw/*.tar", "s3://pool/out"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, World(0, UNITS * ROWS, ROWS))
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(proxy.endpoint).items():
            patch.setenv(name, value)
        yield proxy


@pytest.fixture(scope="module")
def pool(server: S3Server, proxy: FaultyProxy, world: Path) -> list[str]:
    """The local tars; the same lie in the store, beside a folder that nobody should look into."""
    server.make_bucket("pool")
    tars = sorted((world / "raw").glob("*.tar"))
    for tar in tars:
        storage_for("s3://pool").write(f"s3://pool/raw/{tar.name}", tar.read_bytes())
    storage_for("s3://pool").write("s3://pool/other/x.tar", b"not asked for")
    return [str(tar) for tar in tars]


@pytest.fixture(scope="module")
def local(pool: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    output = tmp_path_factory.mktemp("local") / "out"
    assert run_here(pool, output, *OPTIONS) == 0
    return shards_of(output)


@pytest.fixture(scope="module")
def asked(pool: list[str], proxy: FaultyProxy) -> list[Served]:
    """What a run with pool and output in the store asked of it."""
    proxy.take_log()
    assert run_here([POOL], OUTPUT, *OPTIONS) == 0
    return proxy.take_log()


def remote_shards(output: str) -> list[dict]:
    with storage_for(output).open(f"{output}/manifest.json") as file:
        return json.loads(file.read())["shards"]


def gets(asked: list[Served], key: str) -> list[Served]:
    return [one for one in asked if one.method == "GET" and re.search(key, one.key) and "list-type" not in one.query]


def test_the_shards_are_those_of_a_local_run(asked: list[Served], local: list[dict]) -> None:
    assert remote_shards(OUTPUT) == local


def test_each_input_is_fetched_once_and_read_once_for_the_shards(asked: list[Served], local: list[dict]) -> None:
    fetched = [one for one in gets(asked, r"raw/.*\.tar$") if not one.range]
    assert Counter(one.key for one in fetched) == {f"pool/raw/{unit:05}.tar": 1 for unit in range(UNITS)}
    # Gaps of a pool this small are all cheaper than a request: one stream for each segment of a shard's plan.
    written = max(index for index, one in enumerate(asked) if re.search(r"shards/\d+\.tar$", one.key))
    ranged = [one for one in gets(asked[:written], r"raw/.*\.tar$") if one.range]
    assert len(ranged) <= UNITS + len(local)
    assert sum(one.body for one in ranged) <= sum(one.body for one in fetched)


def test_thumbnails_come_with_their_neighbours(asked: list[Served]) -> None:
    """One stream for the rules' samples and one for the duplicates, of each file at most."""
    written = max(index for index, one in enumerate(asked) if re.search(r"shards/\d+\.tar$", one.key))
    assert 0 < len(gets(asked[written:], r"raw/.*\.tar$")) <= 2 * UNITS
    with storage_for(OUTPUT).open(f"{OUTPUT}/report.html") as file:
        assert file.read().count(b"data:image/webp") > 10 * UNITS


def test_a_unit_costs_few_requests(asked: list[Served]) -> None:
    """Sidecars and ledger of a unit: the numbers are in ARCHITECTURE.md."""
    assert len(gets(asked, "work/scan/")) <= 10 * UNITS
    assert len(gets(asked, "work/kept/")) <= 6 * UNITS
    assert len(gets(asked, "ledger/")) <= 2 * UNITS
    puts = Counter(one.key.split("/")[2] for one in asked if one.method == "PUT" and one.key.count("/") > 2)
    assert puts["ledger"] == UNITS


def test_nothing_is_listed_but_what_is_needed(asked: list[Served]) -> None:
    listed = {one.query.partition("prefix=")[2].replace("%2F", "/") for one in asked if "list-type" in one.query}
    assert all(prefix.startswith(("raw/", "out/")) for prefix in listed), listed
    assert all("delimiter" in one.query for one in asked if "list-type" in one.query)


def test_the_commands_on_a_finished_run(
    asked: list[Served], proxy: FaultyProxy, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = json.loads((world / "truth.jsonl").read_text().splitlines()[0])["key"]
    proxy.take_log()
    assert main(["verify", OUTPUT]) == 0
    listed = [one.query for one in proxy.take_log() if "list-type" in one.query]
    assert sum("ledger" in query for query in listed) == 2  # for what no manifest lists, and for the rows
    assert main(["why", OUTPUT, key]) == 0
    assert main(["what-if", OUTPUT, "--set", "image.min_short_side=300"]) == 0
    assert main(["report", OUTPUT]) == 0
    assert "s3://pool/raw/00000.tar" in capsys.readouterr().out


def test_a_second_run_finds_it_finished(asked: list[Served], proxy: FaultyProxy) -> None:
    proxy.take_log()
    assert run_here([POOL], OUTPUT, *OPTIONS) == 0
    assert [one for one in proxy.take_log() if one.method in ("PUT", "POST", "DELETE")] == []


def test_faults_that_pass_change_no_byte(pool: list[str], proxy: FaultyProxy, local: list[dict]) -> None:
    proxy.set_faults("503,every=7", "cut:3000,method=GET,every=11", "lose,method=PUT,every=5")
    try:
        assert run_here([POOL], "s3://pool/faulty", *OPTIONS) == 0
    finally:
        proxy.set_faults()
    assert remote_shards("s3://pool/faulty") == local


def test_a_store_that_stays_away_stops_the_run_and_the_same_command_resumes(
    pool: list[str], proxy: FaultyProxy, local: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEAMSIFT_STORE_PATIENCE", "1")
    command = arguments([POOL], "s3://pool/stopped", *OPTIONS)
    proxy.set_faults("503,method=GET,key=pool/raw/00002.tar")
    try:
        ended = run_apart(command)
    finally:
        proxy.set_faults()
    assert ended.returncode not in (0, 1), ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert "StoreUnavailable: s3://pool/raw/00002.tar: the store did not answer" in last
    assert last.endswith("the same command resumes")
    assert not storage_for(OUTPUT).exists("s3://pool/stopped/manifest.json")
    assert main(command) == 0
    assert remote_shards("s3://pool/stopped") == local


def test_concepts_of_a_vocabulary_in_the_store(pool: list[str], proxy: FaultyProxy, tmp_path: Path, capsys) -> None:
    entries = b"entry\na\nthe\nred\nwith\n"
    (tmp_path / "v.tsv").write_bytes(entries)
    storage_for("s3://pool").write("s3://pool/v.tsv", entries)
    sets = (*OPTIONS, "--set", "concepts.enabled=true", "--set", "concepts.target=20", "--set")
    assert run_here(pool[:1], tmp_path / "out", *sets, f"concepts.vocabulary={tmp_path}/v.tsv") == 0
    assert (
        run_here(["s3://pool/raw/00000.tar"], "s3://pool/balanced", *sets, "concepts.vocabulary=s3://pool/v.tsv") == 0
    )
    assert remote_shards("s3://pool/balanced") == shards_of(tmp_path / "out")
    assert main(["what-if", "s3://pool/balanced", "--set", "concepts.target=10"]) == 0
    assert main(["verify", "s3://pool/balanced"]) == 0
    missing = ("--set", "concepts.enabled=true", "--set", "concepts.vocabulary=s3://pool/none.tsv")
    assert run_here(pool[:1], tmp_path / "other", *OPTIONS, *missing) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("VocabularyError: s3://pool/none.tsv: expected a vocabulary file, found none to read")


def test_what_a_finished_run_in_the_store_keeps_is_known(asked: list[Served], pool: list[str], tmp_path: Path) -> None:
    assert run_here(pool, tmp_path / "new", *OPTIONS, "--against", OUTPUT) == 0
    with storage_for(OUTPUT).open(f"{OUTPUT}/manifest.json") as file:
        old = json.load(file)["counts"]
    counts = json.loads((tmp_path / "new" / "manifest.json").read_bytes())["counts"]
    assert counts["kept"] == 0 and counts["dropped"]["image_known"] >= old["kept"] > 0
