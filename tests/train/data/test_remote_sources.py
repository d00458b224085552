"""Sets in an object store: the same samples as on a disk, few requests, and faults of the store that stop."""

from collections import Counter

import pytest

pytest.importorskip("obstore")
pytest.importorskip("moto.server")

from tests.stores.faulty_proxy import FaultyProxy
from tests.stores.opened import make_store
from tests.stores.s3 import s3_server
from tests.train.data.toy_set import text_of, write_set
from train.data.decoding import Workers
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.state import Place
from transforms.storage import StoreUnavailable, join

pytestmark = pytest.mark.slow
SAMPLES = 60


@pytest.fixture
def remote(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    toy = write_set(tmp_path / "set", SAMPLES, per_shard=20)
    with s3_server() as server, FaultyProxy(server.endpoint) as proxy:
        store = make_store("s3", server, proxy, monkeypatch)
        for path in sorted(toy.rglob("*")):
            if path.is_file():
                store.storage.write(join(store.uri, "set", str(path.relative_to(toy))), path.read_bytes())
        store.asked()
        yield store, toy


def keys_of(uri: str, *, run: int, place: Place | None = None, workers: Workers | None = None) -> list[str]:
    mixed = open_mixture([SourceSpec("s", uri)], 1, run=run)
    with Loader(mixed, text_of, place, LoaderRules(workers or Workers(chunk=10), rounds=1)) as loader:
        return [one.item for one in loader]


def test_a_set_in_a_bucket_is_the_set_on_a_disk(remote):
    store, toy = remote
    uri = join(store.uri, "set")
    expected = keys_of(str(toy), run=5)
    assert keys_of(uri, run=5) == expected
    asked = Counter(verb for verb, _ in store.asked())
    # The manifest, one listing of the shards, three indexes, and of each ten draws two or three runs.
    assert asked["LIST"] == 1 and asked["GET"] <= 1 + 3 + 3 * SAMPLES // 10
    assert keys_of(uri, run=5, workers=Workers(3, chunk=5, ahead=20)) == expected
    for place in ("index.json", "shards/*.tar"):
        assert sorted(keys_of(join(uri, place), run=1)) == sorted(expected)
    store.asked()
    keys_of(join(uri, "shards/*.tar"), run=5)
    assert all(span for verb, span in store.asked() if verb == "GET"), "an index in the cache was built again"


def test_a_store_that_stays_away_stops(remote):
    store, _ = remote
    mixed = open_mixture([SourceSpec("s", join(store.uri, "set"))], 1, run=5)
    store.proxy.set_faults("503,method=GET")
    with Loader(mixed, text_of, rules=LoaderRules(Workers(2), rounds=1)) as loader, pytest.raises(StoreUnavailable):
        list(loader)
