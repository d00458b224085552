"""What a store's faults come to: passing ones are ridden out and change no byte, lasting ones are told in time.

All lies below the scheme, so s3:// stands for both.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from tests.stores.faulty_proxy import FaultyProxy
from tests.stores.opened import PATIENCE, Store, make_store
from tests.stores.s3 import s3_server
from transforms import store_clients
from transforms.object_store import SPOOL_BYTES
from transforms.storage import StoreUnavailable

pytestmark = pytest.mark.slow

BIG = os.urandom(SPOOL_BYTES + 1_000_000)


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple]:  # type: ignore[type-arg]
    with s3_server() as server, FaultyProxy(server.endpoint) as proxy:
        yield server, proxy


@pytest.fixture
def s3(opened: tuple, monkeypatch: pytest.MonkeyPatch) -> Store:  # type: ignore[type-arg]
    return make_store("s3", *opened, monkeypatch)


PASSING = [
    "500,first=2",
    "503,first=2",
    "429,first=1",
    "cut:0,first=1",
    "cut:100000,first=2",
    "lose,first=1",
    "503,every=2",
]


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_ridden_out_and_the_bytes_are_exact(s3: Store, tmp_path: Path, fault: str) -> None:
    s3.proxy.set_faults(fault)
    s3.storage.write(f"{s3.uri}/p/big", BIG)
    s3.storage.write(f"{s3.uri}/p/a", BIG[:200_000])
    assert s3.storage.read(f"{s3.uri}/p/a", 5, 199_995) == BIG[5:199_995]
    assert b"".join(s3.storage.stream(f"{s3.uri}/p/big", 0, len(BIG))) == BIG
    assert Path(s3.storage.fetch(f"{s3.uri}/p/big", str(tmp_path))).read_bytes() == BIG
    assert len(s3.storage.list(f"{s3.uri}/p")) == len(s3.storage.match(f"{s3.uri}/p/*")) == 2
    assert s3.storage.stat(f"{s3.uri}/p/big").size == len(BIG)
    s3.storage.delete(f"{s3.uri}/p/a")
    assert not s3.storage.exists(f"{s3.uri}/p/a")


def test_a_body_that_breaks_off_is_resumed_where_it_broke(s3: Store) -> None:
    s3.storage.write(f"{s3.uri}/a", BIG[:1_000_000])
    s3.proxy.set_faults("cut:600000,method=GET,first=1")
    s3.proxy.take_log()
    assert s3.storage.read(f"{s3.uri}/a", 0, 1_000_000) == BIG[:1_000_000]
    first, second = s3.proxy.take_log()  # a reset may lose what is on its way, so where it goes on is not exact
    assert (first.range, first.body) == ("bytes=0-999999", 600_000)
    assert second.range.endswith("-999999")


@pytest.mark.parametrize("fault", ["500", "503", "429", "cut:0", "lose"])
def test_what_lasts_is_a_store_that_cannot_be_reached_and_is_told_in_time(
    s3: Store, tmp_path: Path, fault: str
) -> None:
    uri = f"{s3.uri}/a"
    s3.storage.write(uri, b"123")
    s3.proxy.set_faults(fault)
    for ask in (
        lambda: s3.storage.read(uri, 0, 3),
        lambda: s3.storage.write(uri, b"4"),
        lambda: s3.storage.list(s3.uri),
        lambda: s3.storage.fetch(uri, str(tmp_path)),
        lambda: s3.storage.claim(f"{uri}2", b"1"),
    ):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=f"{s3.uri}.*the store did not answer") as error:
            ask()
        assert "\n" not in str(error.value)
        assert time.monotonic() - began < 2 * PATIENCE + 3  # the last wait of the back-off, and a claim's four attempts
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_silent_is_given_up(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.storage.write(f"{s3.uri}/a", b"123")
    monkeypatch.setattr(store_clients, "READ_SECONDS", 0.3)
    monkeypatch.setenv(store_clients.PATIENCE, "1")
    s3.proxy.set_faults("wait:1,method=GET,first=1")
    assert s3.storage.read(f"{s3.uri}/a", 0, 3) == b"123"
    s3.proxy.set_faults("wait:1,method=GET")
    with pytest.raises(StoreUnavailable, match="/a: the store did not answer"):
        s3.storage.read(f"{s3.uri}/a", 0, 3)
