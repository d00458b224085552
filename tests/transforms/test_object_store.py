"""s3:// against a real S3 API through a proxy that fails on purpose and counts: exact bytes, whole objects only, few
requests, passing faults ridden out, lasting ones told as what they are. gs:// by the same tests.
"""

import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from tests.stores.faulty_proxy import FaultyProxy
from tests.stores.gcs import GcsProxy
from tests.stores.opened import Store, is_listing, make_store
from tests.stores.s3 import S3Server, s3_server
from transforms.object_store import SPOOL_BYTES, TRAFFIC, ObjectStorage
from transforms.storage import LocalStorage, StoreUnavailable, storage_for

BIG = os.urandom(SPOOL_BYTES + 1_000_000)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def proxies(server: S3Server) -> Iterator[dict[str, FaultyProxy]]:
    with FaultyProxy(server.endpoint) as s3, GcsProxy(server.endpoint) as gs:
        yield {"s3": s3, "gs": gs}


Proxies = dict[str, FaultyProxy]


@pytest.fixture(params=["s3", "gs"])
def store(request: pytest.FixtureRequest, server: S3Server, proxies: Proxies, monkeypatch: pytest.MonkeyPatch) -> Store:
    return make_store(request.param, server, proxies[request.param], monkeypatch)


def test_a_file_comes_back_as_it_was_written(store: Store) -> None:
    for name, data in {"a": b"12345", "zero": b"", "deep/er/b c#%20ü[1].bin": b"x"}.items():
        store.storage.write(f"{store.uri}/{name}", data)
        with store.storage.open(f"{store.uri}/{name}") as file:
            assert file.read() == data
        assert store.storage.stat(f"{store.uri}/{name}").size == len(data)
    assert store.storage.stat(f"{store.uri}/a").modified > 1_700_000_000
    assert store.storage.exists(f"{store.uri}/zero")
    assert not store.storage.exists(f"{store.uri}/none")


def test_a_large_file_goes_up_in_parts_and_appears_whole(store: Store, tmp_path: Path) -> None:
    with store.storage.create(f"{store.uri}/big") as file:
        for start in range(0, len(BIG), 1 << 20):
            file.write(BIG[start : start + (1 << 20)])
        assert not store.storage.exists(f"{store.uri}/big")
    assert [method for method, _ in store.asked()] == ["HEAD", "POST", "PUT", "PUT", "POST"]
    path = store.storage.fetch(f"{store.uri}/big", str(tmp_path / "staging"))
    assert Path(path).read_bytes() == BIG
    assert store.asked() == [("GET", "")]
    assert b"".join(store.storage.stream(f"{store.uri}/big", 7, len(BIG) - 7)) == BIG[7:-7]
    assert store.asked() == [("GET", f"bytes=7-{len(BIG) - 8}")]


def test_an_error_leaves_the_old_object(store: Store) -> None:
    store.storage.write(f"{store.uri}/a", b"old")
    with pytest.raises(KeyError), store.storage.create(f"{store.uri}/a") as file:
        file.write(b"half")
        raise KeyError("stop")
    assert store.storage.read(f"{store.uri}/a", 0, 3) == b"old"


def test_a_range_is_one_request_and_no_question_before_it(store: Store) -> None:
    store.storage.write(f"{store.uri}/a", b"0123456789")
    store.asked()
    assert store.storage.read(f"{store.uri}/a", 2, 5) == b"234"
    assert store.storage.read(f"{store.uri}/a", 4, 4) == b""
    assert store.asked() == [("GET", "bytes=2-4")]


@pytest.mark.parametrize(("start", "end", "found"), [(8, 12, 2), (20, 30, 0)])
def test_a_file_shorter_than_asked_says_so(store: Store, start: int, end: int, found: int) -> None:
    store.storage.write(f"{store.uri}/a", b"0123456789")
    with pytest.raises(OSError, match=f"a@{start}-{end}: expected {end - start} bytes, found {found}"):
        store.storage.read(f"{store.uri}/a", start, end)
    with pytest.raises(OSError, match=f"found {found}|416"):
        list(store.storage.stream(f"{store.uri}/a", start, end))


def test_seeking_reads_what_it_must(store: Store) -> None:
    data = BIG[:3_000_000]
    store.storage.write(f"{store.uri}/a", data)
    store.asked()
    with store.storage.open(f"{store.uri}/a") as file:
        assert file.seek(-10, io.SEEK_END) == len(data) - 10
        assert file.read() == data[-10:]
        assert file.seek(1_000_000) == file.tell() == 1_000_000
        assert [file.read(1000) for _ in range(3)] == [data[1_000_000 + i : 1_001_000 + i] for i in (0, 1000, 2000)]
    assert store.asked() == [("GET", "bytes=-65536"), ("GET", "bytes=1000000-1065535")]


def test_reading_on_asks_for_ever_more(store: Store) -> None:
    store.storage.write(f"{store.uri}/a", BIG[:10_000_000])
    store.asked()
    with store.storage.open(f"{store.uri}/a") as file:
        assert b"".join(iter(lambda: file.read(10_000), b"")) == BIG[:10_000_000]
    assert len(store.asked()) < 10


def test_lines_are_found(store: Store) -> None:
    lines = [b"x" * (i % 700) + b"\n" for i in range(2000)]
    store.storage.write(f"{store.uri}/a", b"".join(lines))
    with store.storage.open(f"{store.uri}/a") as file:
        assert list(file) == lines


def test_a_folder_is_listed_without_what_lies_beside_or_below(store: Store) -> None:
    names = ["p/b", "p/a", "p/deep/c", "pp/d", "p/.tmp-x", "q"]
    for name in names:
        store.storage.write(f"{store.uri}/{name}", b"12")
    store.asked()
    for folder in ("p", "p/"):
        assert [file.uri for file in store.storage.list(f"{store.uri}/{folder}")] == [
            f"{store.uri}/p/a",
            f"{store.uri}/p/b",
        ]
    listed = store.proxy.take_log()
    assert ["prefix=p%2F" in served.query and "delimiter=%2F" in served.query for served in listed] == [True, True]
    assert store.storage.list(f"{store.uri}/none") == []


POOL = ["p/0.tar", "p/1.tar", "p/x[1].tar", "p/deep/2.tar", "p/deep/er/3.tar", "p/.hidden.tar", "q/4.tar", "p/5.txt"]


@pytest.mark.parametrize(
    ("pattern", "prefixes"),
    [
        ("p/*.tar", ["p/"]),
        ("p/[01].tar", ["p/"]),
        ("p/?.t*", ["p/"]),
        ("p/[!0].tar", ["p/"]),
        ("p/**/*.tar", ["p/"]),
        ("p/deep/**/*.tar", ["p/deep/"]),
        ("p/*/*.tar", ["p/", "p/deep/"]),
        ("*/4.tar", [""]),
        ("p/x[1].tar", []),
        ("p/0.tar", []),
        ("p/none.tar", []),
        ("p/none*", ["p/"]),
        ("none/*", ["none/"]),
    ],
)
def test_globs_find_what_they_find_on_a_disk_and_list_only_where_it_can_be(
    store: Store, tmp_path: Path, pattern: str, prefixes: list[str]
) -> None:
    for name in POOL:
        store.storage.write(f"{store.uri}/{name}", b"1")
        LocalStorage().write(f"{tmp_path}/{name}", b"1")
    store.asked()
    found = [file.uri.removeprefix(f"{store.uri}/") for file in store.storage.match(f"{store.uri}/{pattern}")]
    assert found == [file.uri.removeprefix(f"{tmp_path}/") for file in LocalStorage().match(f"{tmp_path}/{pattern}")]
    listed = [
        served.query.partition("prefix=")[2].partition("&")[0]
        for served in store.proxy.take_log()
        if is_listing(served)
    ]
    assert sorted(prefix.replace("%2F", "/") for prefix in listed) == sorted(prefixes)


def test_folders_are_listed_side_by_side(store: Store) -> None:
    names = [f"{store.uri}/raw/{folder:02}/{number}.tar" for folder in range(32) for number in range(2)]
    for name in names:
        store.storage.write(name, b"1")
    store.proxy.set_faults("wait:0.2,method=GET")
    started = time.monotonic()
    assert [file.uri for file in store.storage.match(f"{store.uri}/raw/*/*.tar")] == names
    assert time.monotonic() - started < 0.5 * 33 * 0.2  # one by one they would take 33 waits; 16 at a time, 3


def test_deleting_twice_is_no_error(store: Store) -> None:
    store.storage.write(f"{store.uri}/a", b"1")
    store.storage.delete(f"{store.uri}/a")
    store.storage.delete(f"{store.uri}/a")
    assert not store.storage.exists(f"{store.uri}/a")


def test_of_many_claims_one_wins(store: Store) -> None:
    won: list[int] = []

    def claim(number: int) -> None:
        if store.storage.claim(f"{store.uri}/claim", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.storage.read(f"{store.uri}/claim", 0, 1) == b"%d" % won[0]


def test_a_claim_whose_answer_was_lost_is_known_by_its_bytes(store: Store) -> None:
    store.proxy.set_faults("lose,method=PUT,first=1")
    assert store.storage.claim(f"{store.uri}/claim", b"mine")
    assert not store.storage.claim(f"{store.uri}/claim", b"mine")


def test_what_is_not_there_or_not_allowed_is_told_at_once(store: Store, tmp_path: Path) -> None:
    uri = f"{store.uri}/a"
    with pytest.raises(FileNotFoundError, match="/a: expected an object, found none"):
        store.storage.stat(uri)
    with pytest.raises(FileNotFoundError, match="/a: expected an object, found none"):
        store.storage.fetch(uri, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="expected the bucket"):
        store.storage.list(f"{store.uri}x")
    store.proxy.set_faults("403")
    for ask in (store.storage.stat, store.storage.list, lambda uri: store.storage.read(uri, 0, 1)):
        with pytest.raises(PermissionError, match=f"^{uri}: expected leave to do this"):
            ask(uri)
    store.proxy.set_faults("400")
    with pytest.raises(OSError, match=f"^{uri}: expected success, found status 400") as error:
        store.storage.read(uri, 0, 1)
    assert not isinstance(error.value, StoreUnavailable)


@pytest.mark.parametrize("name", ["", "/", "a//b", "a/../b"])
def test_a_key_that_cannot_be_spelled_is_an_os_error(store: Store, name: str) -> None:
    with pytest.raises(OSError, match=store.uri):
        store.storage.read(f"{store.uri}/{name}", 0, 1)


def test_what_is_asked_is_counted(store: Store) -> None:
    before = TRAFFIC.requests.copy(), TRAFFIC.bytes_read, TRAFFIC.bytes_written
    store.storage.write(f"{store.uri}/a", b"12345")
    store.storage.read(f"{store.uri}/a", 1, 4)
    store.storage.list(store.uri)
    assert TRAFFIC.requests - before[0] == {"PUT": 1, "GET": 1, "LIST": 1}
    assert (TRAFFIC.bytes_read - before[1], TRAFFIC.bytes_written - before[2]) == (3, 5)


def test_without_keys_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("boto3")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(PermissionError, match="expected keys in AWS_ACCESS_KEY_ID"):
        ObjectStorage("s3").stat("s3://pool/a")


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "aws"), ("gs", "gcp")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(
        ImportError, match=rf"{scheme}:// expects the package obstore: pip install 'beamsift\[{extra}\]'"
    ):
        storage_for(f"{scheme}://pool/a")
