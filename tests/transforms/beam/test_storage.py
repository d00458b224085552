"""BeamStorage: exact bytes, whole files only, errors as OSError.

It serves hdfs, for which there is no server to install; what is shown here is what it makes of Beam's FileSystems, on
the remote one of them that there is a server for. The product's own s3:// is tests/transforms/test_object_store.py.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")

from apache_beam.io.filesystems import FileSystems  # noqa: E402
from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402

from configs.schema.caption import ReadRules  # noqa: E402
from tests.stores.s3 import s3_server  # noqa: E402
from tests.transforms.pools import captions, data_of, tar_bytes  # noqa: E402
from transforms.beam import storage as beam_storage  # noqa: E402
from transforms.beam.storage import BeamStorage, register  # noqa: E402
from transforms.materialise import SpanReader, materialise  # noqa: E402
from transforms.reading import list_units, read_input  # noqa: E402
from transforms.records import pictures  # noqa: E402
from transforms.storage import storage_for  # noqa: E402

# botocore 1.44 and moto 5.2 each warn of something Python will change; neither is ours.
pytestmark = [pytest.mark.beam, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

STORAGE = BeamStorage()


def use_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own, filled as a run fills the real one."""
    remote: dict[str, object] = {}
    monkeypatch.setattr("transforms.storage.REMOTE", remote)
    monkeypatch.setattr(beam_storage, "REMOTE", remote)
    register()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as server:
        yield server.endpoint


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="pool")
    flags = {"endpoint_url": endpoint, "access_key_id": "test", "secret_access_key": "test", "region_name": "us-east-1"}
    monkeypatch.setattr(
        FileSystems, "_pipeline_options", PipelineOptions([f"--s3_{name}={value}" for name, value in flags.items()])
    )
    yield "s3://pool"
    for item in client.list_objects_v2(Bucket="pool").get("Contents", []):
        client.delete_object(Bucket="pool", Key=item["Key"])
    client.delete_bucket(Bucket="pool")


def test_write_read_list_delete(bucket: str) -> None:
    for name in ("b.bin", "a.bin", "deep/c.bin"):
        STORAGE.write(f"{bucket}/x/{name}", name.encode())
    assert STORAGE.read(f"{bucket}/x/a.bin", 1, 3) == b".b"
    assert [file.uri for file in STORAGE.list(f"{bucket}/x")] == [f"{bucket}/x/a.bin", f"{bucket}/x/b.bin"]
    assert [file.uri for file in STORAGE.match(f"{bucket}/**.bin")][-1] == f"{bucket}/x/deep/c.bin"
    assert STORAGE.match(f"{bucket}/none*") == []
    stat = STORAGE.stat(f"{bucket}/x/a.bin")
    assert (stat.uri, stat.size) == (f"{bucket}/x/a.bin", 5)
    assert stat.modified > 1_700_000_000
    STORAGE.delete(f"{bucket}/x/a.bin")
    STORAGE.delete(f"{bucket}/x/a.bin")
    assert not STORAGE.exists(f"{bucket}/x/a.bin")


def test_an_error_leaves_the_old_object(bucket: str) -> None:
    STORAGE.write(f"{bucket}/a", b"old")
    with pytest.raises(KeyError), STORAGE.create(f"{bucket}/a") as file:
        file.write(b"half")
        raise KeyError("stop")
    assert STORAGE.read(f"{bucket}/a", 0, 3) == b"old"


def test_an_upload_that_fails_leaves_nothing(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def write(self, data: object) -> int:
            raise RuntimeError("connection lost")

    monkeypatch.setattr(FileSystems, "create", lambda *a, **k: Failing())
    with pytest.raises(OSError, match="s3://pool/a: RuntimeError: connection lost"):
        STORAGE.write(f"{bucket}/a", b"data")
    assert not STORAGE.exists(f"{bucket}/a")


def test_more_than_one_part_and_one_buffer(bucket: str) -> None:
    data = os.urandom(12_000_000)
    STORAGE.write(f"{bucket}/large", data)
    with STORAGE.open(f"{bucket}/large") as file:
        assert file.read() == data
        assert file.seek(-5, io.SEEK_END) == 11_999_995
        assert file.read() == data[-5:]
        assert (file.seek(7_000_000), file.tell()) == (7_000_000, 7_000_000)
        assert file.read(10) == data[7_000_000:7_000_010]


def test_a_gzip_stays_as_it_is_stored(bucket: str) -> None:
    STORAGE.write(f"{bucket}/a.gz", b"\x1f\x8bnot inflated")
    assert STORAGE.read(f"{bucket}/a.gz", 0, 5) == b"\x1f\x8bnot"


def test_an_object_that_is_not_there_is_an_os_error(bucket: str) -> None:
    for ask in (STORAGE.open, STORAGE.stat):
        with pytest.raises(OSError, match="none"):
            ask(f"{bucket}/none")
    with pytest.raises(FileNotFoundError):
        STORAGE.open(f"{bucket}/none")
    STORAGE.write(f"{bucket}/a", b"123")
    with pytest.raises(OSError, match="expected 4 bytes, found 2"):
        STORAGE.read(f"{bucket}/a", 1, 5)
    with pytest.raises(OSError, match="s3://other/a"):
        STORAGE.write("s3://other/a", b"x")


def test_fetch_downloads(bucket: str, tmp_path: Path) -> None:
    STORAGE.write(f"{bucket}/a.tar", b"123")
    path = STORAGE.fetch(f"{bucket}/a.tar", str(tmp_path))
    assert path.startswith(str(tmp_path))
    assert Path(path).read_bytes() == b"123"


def test_a_stream_is_the_range(bucket: str) -> None:
    STORAGE.write(f"{bucket}/a", b"0123456789")
    assert b"".join(STORAGE.stream(f"{bucket}/a", 2, 7)) == b"23456"
    with pytest.raises(OSError, match="expected 10 bytes, found 8"):
        list(STORAGE.stream(f"{bucket}/a", 2, 12))


def test_a_claim_is_refused_where_a_file_stands(bucket: str) -> None:
    assert STORAGE.claim(f"{bucket}/claim", b"mine")
    assert not STORAGE.claim(f"{bucket}/claim", b"yours")
    assert STORAGE.read(f"{bucket}/claim", 0, 4) == b"mine"


def test_a_pool_is_listed_scanned_and_materialised(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(beam_storage.REMOTE, "s3", BeamStorage)
    STORAGE.write(f"{bucket}/p/0.tar", tar_bytes({"a.jpg": b"AAA", "a.txt": b"a cat"}))
    STORAGE.write(f"{bucket}/p/1.jsonl", b'{"image": "pics/b.jpg", "caption": "a dog"}\n')
    STORAGE.write(f"{bucket}/p/pics/b.jpg", b"BB")
    units = list_units([f"{bucket}/p/*"], ReadRules())
    rows = [row for unit in units for row in read_input(unit, ReadRules(), str(tmp_path))]
    assert [captions(row) for row in rows] == [["a cat"], ["a dog"]]
    assert [data_of(row)[0] for row in rows] == [b"AAA", b"BB"]
    sources = [pictures(row.sample)[0].source for row in rows]
    with SpanReader(str(tmp_path)) as spans:
        spans.expect(sources)
        assert [materialise(source, spans) for source in sources] == [b"AAA", b"BB"]


def test_hdfs_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    use_registry(monkeypatch)
    monkeypatch.setitem(beam_storage.REQUIRED, "hdfs", ("json", "nothing"))
    assert isinstance(storage_for("hdfs://host/a"), BeamStorage)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(beam_storage.REQUIRED, "hdfs", ("no.such.package", "apache-beam[hadoop]"))
    use_registry(monkeypatch)
    with pytest.raises(
        ImportError, match=r"hdfs:// expects the package no.such.package: pip install 'apache-beam\[hadoop\]'"
    ):
        storage_for("hdfs://host/a.tar")
