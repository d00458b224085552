"""Reading pools, spans and sidecars in a real S3 API: exact bytes, the requests they cost, and faults that go up."""

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from tests.stores.faulty_proxy import FaultyProxy, Served
from tests.stores.s3 import S3Server, environment, s3_server
from tests.transforms.archives import PNG, captures, packed, record
from tests.transforms.pools import captions, data_of, tar_bytes
from transforms import store_clients
from transforms.loaded import Loaded
from transforms.materialise import SpanReader, materialise
from transforms.ranges import Costs
from transforms.reading import list_units, read_input
from transforms.records import Span, pictures
from transforms.sidecars import ROWS_PER_BATCH, create_sidecar, read_records, read_totals
from transforms.storage import StoreUnavailable, storage_for
from transforms.warc_reader import Resource

POOL = "s3://pool"
BODIES = [random.Random(i).randbytes(40_000) for i in range(40)]
TAR = tar_bytes({f"{i:02}.{end}": data for i, b in enumerate(BODIES) for end, data in (("jpg", b), ("txt", b"a cat"))})
STORAGE = storage_for(POOL)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        server.make_bucket("pool")
        yield server


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment(proxy.endpoint), store_clients.PATIENCE: "1"}.items():
            patch.setenv(name, value)
        STORAGE.write(f"{POOL}/a.tar", TAR)
        STORAGE.write(f"{POOL}/b.tar", TAR)
        yield proxy


@pytest.fixture
def store(proxy: FaultyProxy) -> Iterator[FaultyProxy]:
    proxy.set_faults()
    proxy.take_log()
    yield proxy
    proxy.set_faults()


def read_pool(pattern: str, staging: Path) -> list[Loaded]:
    rules = ReadRules()
    return [row for unit in list_units([f"{POOL}/{pattern}"], rules) for row in read_input(unit, rules, str(staging))]


def gets(log: list[Served], name: str) -> list[Served]:
    return [one for one in log if one.method == "GET" and one.key == f"pool/{name}"]


@pytest.fixture(scope="module")
def spans(proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> list[Span]:
    rows = read_pool("[ab].tar", tmp_path_factory.mktemp("staging"))
    return [source for row in rows if isinstance(source := pictures(row.sample)[0].source, Span)]


def test_a_scan_is_one_request_a_file(store: FaultyProxy, tmp_path: Path) -> None:
    rows = read_pool("a.tar", tmp_path)
    assert [data_of(row)[0] for row in rows] == BODIES
    assert [(one.method, one.range) for one in store.take_log()] == [("HEAD", ""), ("GET", "")]
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 79), unique=True, max_size=40), st.booleans())
def test_kept_spans_cost_a_tenth_more_than_their_bytes_and_a_request_a_run(
    store: FaultyProxy, spans: list[Span], chosen: list[int], in_order: bool
) -> None:
    wanted = [spans[i] for i in (sorted(chosen) if in_order else chosen)]
    store.take_log()
    with SpanReader("staging", costs=Costs(request=0)) as reader:
        reader.expect(wanted)
        found = [reader.read(span) for span in wanted]
    log = store.take_log()
    assert found == [BODIES[i % 40] for i in (sorted(chosen) if in_order else chosen)]
    assert sum(one.body for one in log) <= 1.1 * sum(span.end - span.start for span in wanted)
    assert len(log) <= len(wanted)
    if in_order:  # a run ends only where a picture was left out, and at the end of a file
        breaks = sum(b.uri != a.uri or b.start - a.end > 40_000 for a, b in zip(wanted, wanted[1:], strict=False))
        assert len(log) == breaks + bool(wanted)


@pytest.mark.parametrize("pack", [packed, lambda *records: b"".join(records)])
def test_pictures_of_a_web_archive_are_one_ranged_request(
    store: FaultyProxy, tmp_path: Path, pack: Callable[..., bytes]
) -> None:
    pictures_of = [PNG + body for body in BODIES[:6]]
    found = captures(tmp_path, pack(*(record(body=data, media="image/png") for data in pictures_of)))
    STORAGE.write(f"{POOL}/x.warc.gz", (tmp_path / "x.warc.gz").read_bytes())
    wanted = [replace(one.span, uri=f"{POOL}/x.warc.gz") for one in found if isinstance(one, Resource)]
    store.take_log()
    with SpanReader(str(tmp_path / "staging")) as reader:
        assert reader.read(wanted[5]) == pictures_of[5]
        assert [one.body for one in gets(store.take_log(), "x.warc.gz")] == [wanted[5].end - wanted[5].start]
    with SpanReader(str(tmp_path / "staging")) as reader:
        reader.expect(wanted)
        assert [reader.read(span) for span in wanted] == pictures_of
    assert len(gets(store.take_log(), "x.warc.gz")) == 1


@pytest.mark.parametrize("step", [1, 2, 5])
def test_where_gaps_cost_less_than_a_request_the_file_is_one_stream(
    store: FaultyProxy, spans: list[Span], step: int
) -> None:
    wanted = spans[::step]
    with SpanReader("staging") as reader:
        reader.expect(wanted)
        assert [reader.read(span) for span in wanted] == [(BODIES * 2)[i] for i in range(0, 80, step)]
    assert [one.key for one in store.take_log()] == ["pool/a.tar", "pool/b.tar"]


def test_what_was_not_expected_is_read_all_the_same(store: FaultyProxy, spans: list[Span]) -> None:
    order = [7, 3, 3, 50, 9, 7, 79]
    with SpanReader("staging") as reader:
        reader.expect(spans[i] for i in (3, 7, 9, 3))
        assert [reader.read(spans[i]) for i in order] == [BODIES[i % 40] for i in order]
        assert [reader.read(spans[i]) for i in order] == [BODIES[i % 40] for i in order]


def test_a_stream_that_breaks_off_is_resumed_and_one_that_cannot_be_goes_up(
    store: FaultyProxy, spans: list[Span]
) -> None:
    store.set_faults("cut:300000,first=1")
    with SpanReader("staging") as reader:
        reader.expect(spans)
        assert [reader.read(span) for span in spans] == BODIES * 2
        store.set_faults("cut:300000")
        reader.expect(spans)
        with pytest.raises(StoreUnavailable, match="s3://pool/a.tar: the store did not answer"):
            [reader.read(span) for span in spans]
        store.set_faults()
        assert reader.read(spans[0]) == BODIES[0]


def test_a_tar_gz_is_fetched_once(store: FaultyProxy, tmp_path: Path) -> None:
    STORAGE.write(f"{POOL}/c.tar.gz", gzip.compress(TAR, 1))
    sources = [pictures(row.sample)[0].source for row in read_pool("c.tar.gz", tmp_path)]
    store.take_log()
    with SpanReader(str(tmp_path)) as reader:
        reader.expect(sources)
        assert [materialise(source, reader) for source in sources[::-1]] == BODIES[::-1]
    assert [one.range for one in store.take_log()] == [""]


def test_a_parquet_row_group_costs_its_own_bytes(store: FaultyProxy, tmp_path: Path) -> None:
    table = pa.table({"image": BODIES, "caption": ["a cat"] * 40})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=10, compression="none")
    STORAGE.write(f"{POOL}/d.parquet", (tmp_path / "x.parquet").read_bytes())
    store.take_log()
    rows = read_pool("d.parquet", tmp_path / "staging")
    log = gets(store.take_log(), "d.parquet")
    assert [data_of(row)[0] for row in rows] == BODIES
    assert sum(one.body for one in log) < 1.3 * (tmp_path / "x.parquet").stat().st_size
    assert list((tmp_path / "staging").iterdir()) == []
    with SpanReader(str(tmp_path / "staging")) as reader:
        sources = [pictures(row.sample)[0].source for row in rows]
        assert [materialise(source, reader) for source in sources] == BODIES
        assert list((tmp_path / "staging").iterdir()) == []
    assert len(gets(store.take_log(), "d.parquet")) == 2 * 4  # each time the footer and a column chunk


def test_a_chunk_of_an_index_is_read_alone(store: FaultyProxy, tmp_path: Path) -> None:
    rules = ReadRules(rows_per_chunk=10)
    lines = [b'{"image": "pics/%02d.jpg", "caption": "a dog"}\n' % i for i in range(40)]
    STORAGE.write(f"{POOL}/e.jsonl", b"".join(lines))
    for i, body in enumerate(BODIES):
        STORAGE.write(f"{POOL}/pics/{i:02}.jpg", body)
    units = list_units([f"{POOL}/e.jsonl"], rules)
    store.take_log()
    rows = [row for unit in units for row in read_input(unit, rules, str(tmp_path))]
    assert [(captions(row), data_of(row)[0]) for row in rows] == [(["a dog"], body) for body in BODIES]
    assert sum(one.body for one in gets(store.take_log(), "e.jsonl")) == sum(map(len, lines))


@pytest.mark.parametrize("name", ["a.tar", "c.tar.gz", "d.parquet", "e.jsonl"])
def test_a_store_that_cannot_be_reached_is_no_bad_input(store: FaultyProxy, tmp_path: Path, name: str) -> None:
    if not STORAGE.exists(f"{POOL}/{name}"):
        pytest.skip("an earlier test writes it")
    rules = ReadRules()
    units = list_units([f"{POOL}/{name}"], rules)
    for fault in (f"503,key=pool/{name}", f"cut:100,key=pool/{name}"):
        store.set_faults(fault)
        with pytest.raises(StoreUnavailable, match=f"{POOL}/{name}"):
            list(read_input(units[0], rules, str(tmp_path)))
        assert list(tmp_path.iterdir()) == []
    store.set_faults(f"503,key=pool/{name}")
    with pytest.raises(StoreUnavailable, match=f"{POOL}/{name}"):
        list_units([f"{POOL}/{name}"], rules)


def test_an_input_that_went_away_or_is_forbidden_is_one_row(store: FaultyProxy, tmp_path: Path) -> None:
    (unit,) = list_units([f"{POOL}/a.tar"], ReadRules())
    for fault, found in (("404", "FileNotFoundError"), ("403", "PermissionError")):
        store.set_faults(f"{fault},method=GET")
        (row,) = read_input(unit, ReadRules(), str(tmp_path))
        assert row.sample.failure is not None
        assert row.sample.failure.error == "UnitUnreadable"
        assert f"{found}: {POOL}/a.tar" in row.sample.failure.message


def test_a_pool_that_cannot_be_listed_is_the_users_to_mend(store: FaultyProxy) -> None:
    with pytest.raises(ConfigError, match="input 's3://nobucket/.*expected the bucket, found none"):
        list_units(["s3://nobucket/*.tar"], ReadRules())
    store.set_faults("403")
    with pytest.raises(ConfigError, match="expected leave to do this"):
        list_units([f"{POOL}/*.tar"], ReadRules())


def test_a_copy_is_removed_after_an_error_of_its_consumer(store: FaultyProxy, tmp_path: Path) -> None:
    (unit,) = list_units([f"{POOL}/a.tar"], ReadRules())
    rows = read_input(unit, ReadRules(), str(tmp_path))
    next(rows)
    assert len(list(tmp_path.iterdir())) == 1
    rows.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


ROWS = [random.Random(i).randbytes(300) for i in range(9 * ROWS_PER_BATCH + 5)]


def test_what_a_sidecar_costs(store: FaultyProxy) -> None:
    uri = f"{POOL}/work/a.arrow"
    with create_sidecar(STORAGE, uri, "me") as sidecar:
        for row in ROWS:
            sidecar.append(row)
    assert [one.method for one in store.take_log()] == ["PUT"]
    assert read_totals(STORAGE, uri, "me") == {"rows": len(ROWS)}
    assert read_totals(STORAGE, uri, "other") is None
    assert read_totals(STORAGE, f"{POOL}/work/none.arrow", "me") is None
    assert [one.method for one in store.take_log()] == ["GET", "GET", "GET"]
    assert list(read_records(STORAGE, uri)) == ROWS
    assert len(store.take_log()) == 1
    assert list(read_records(STORAGE, uri, 700, 900)) == ROWS[700:1600]
    log = store.take_log()
    assert len(log) <= 3
    assert sum(one.body for one in log) < 900_000
    store.set_faults("503")
    with pytest.raises(StoreUnavailable):
        read_totals(STORAGE, uri, "me")
    with pytest.raises(StoreUnavailable):
        list(read_records(STORAGE, uri))


def test_a_sidecar_longer_than_what_is_fetched_at_once(store: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"{POOL}/work/long.arrow"
    with create_sidecar(STORAGE, uri, "me") as sidecar:
        for row in ROWS:
            sidecar.append(row)
    monkeypatch.setattr("transforms.ranged_file.MOST_BYTES", 400_000)
    store.take_log()
    assert list(read_records(STORAGE, uri)) == ROWS
    log = store.take_log()
    assert len(log) == 5  # three of 400 kB, the end, what is left
    assert sum(one.body for one in log) < 1_500_000
