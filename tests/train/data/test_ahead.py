"""Packs made ahead: the same packs, each with the state behind it, and errors that reach the loop."""

import threading

import pytest

from tests.train.data.toy_set import tokens_of, write_set
from train.data.ahead import PacksAhead
from train.data.errors import DataError
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.packed import PackLoader, PackRules


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return open_mixture([SourceSpec("a", str(write_set(tmp_path_factory.mktemp("set"), 60)))], 1)


def packs_of(mixed, transform=tokens_of, rounds: int | None = 1) -> PackLoader:
    return PackLoader(Loader(mixed, transform, rules=LoaderRules(rounds=rounds)), PackRules(capacity=60, window=8))


def keys(documents) -> list[str]:
    return [one.key for one in documents]


@pytest.mark.parametrize("depth", [1, 3])
def test_the_same_packs_in_the_same_order(mixed, depth):
    with PacksAhead(packs_of(mixed), keys, depth) as ahead:
        assert list(ahead) == [keys(pack) for pack in packs_of(mixed)]
        assert list(ahead) == []
        assert ahead.waited > 0


def test_the_state_is_of_the_pack_given_last(mixed):
    whole = [keys(pack) for pack in packs_of(mixed)]
    for stop in (0, 1, 5):
        with PacksAhead(packs_of(mixed), keys, 3) as ahead:
            given = iter(ahead)
            begun = [next(given) for _ in range(stop)]
            state = ahead.state_dict()
        after = packs_of(mixed)
        after.load_state_dict(state)
        assert begun + [keys(pack) for pack in after] == whole


def test_an_error_in_the_thread_reaches_the_loop(mixed):
    def build(documents):
        raise MemoryError("no room for a pack")

    with PacksAhead(packs_of(mixed), build) as ahead:
        for _ in range(2):
            with pytest.raises(MemoryError, match="no room for a pack"):
                list(ahead)


def test_a_fault_of_the_data_reaches_the_loop(mixed):
    def fail(sample):
        raise DataError("expected one set, found another")

    with PacksAhead(packs_of(mixed, fail), keys) as ahead, pytest.raises(DataError, match="expected one set"):
        next(iter(ahead))


def test_closing_ends_the_thread_of_endless_data(mixed):
    with PacksAhead(packs_of(mixed, rounds=None), keys, 1) as ahead:
        next(iter(ahead))
    assert "beamsift-packs" not in {thread.name for thread in threading.enumerate()}
