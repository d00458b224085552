"""States: what was saved with other data, lacks a rank or is no state is refused in words."""

import pytest

from tests.train.data.jobs import loader_of, take
from tests.train.data.toy_set import edit_manifest, write_set, write_shard
from train.data.errors import DataError
from train.data.loader import OpenMixture, SourceSpec, open_mixture
from train.data.state import Place, combine_states


def reopened(folder, *, seed=1, run=1, **changes) -> OpenMixture:
    specs = {"a": SourceSpec("a", str(folder / "a")), "b": SourceSpec("b", str(folder / "b"))} | changes
    return open_mixture(list(specs.values()), seed, run=run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "expected seed 1, found 2"),
        ({"run": 2}, "expected run 1, found 2"),
        ({"b": SourceSpec("c", "b")}, "expected sources a, b, found a, c"),
        ({"b": SourceSpec("b", "a")}, "source 'b': expected fingerprint [0-9a-f]{32}, found [0-9a-f]{32}: other data"),
        ({"b": SourceSpec("b", "b", repeats=2)}, "source 'b': expected draws 8, found 16: other data or weights"),
    ],
)
def test_a_state_of_other_data_is_refused(folder, mixed, changes, message):
    state = loader_of(mixed, Place()).state_dict()
    placed = {
        name: one._replace(uri=str(folder / one.uri)) if isinstance(one, SourceSpec) else one
        for name, one in changes.items()
    }
    with pytest.raises(DataError, match=message):
        loader_of(reopened(folder, **placed), Place()).load_state_dict(state)


def test_a_state_of_changed_data_is_refused(tmp_path):
    write_set(tmp_path, 10)
    state = loader_of(open_mixture([SourceSpec("a", str(tmp_path))], 1), Place()).state_dict()
    info = write_shard(tmp_path, "shards/000001.tar", [f"x{i}" for i in range(5)])
    edit_manifest(tmp_path, lambda values: values["shards"][1].update(bytes=info.bytes, sha256=info.sha256))
    edit_manifest(
        tmp_path,
        lambda values: values["shards"][1]["index"].update(bytes=info.index.bytes, sha256=info.index.sha256),
    )
    with pytest.raises(DataError, match="source 'a': expected fingerprint"):
        loader_of(open_mixture([SourceSpec("a", str(tmp_path))], 1), Place()).load_state_dict(state)


def test_the_same_data_elsewhere_are_the_same(tmp_path):
    state = loader_of(open_mixture([SourceSpec("a", str(write_set(tmp_path / "x", 10)))], 1), Place()).state_dict()
    loader = loader_of(open_mixture([SourceSpec("a", str(write_set(tmp_path / "y", 10)))], 1), Place())
    loader.load_state_dict(state)
    assert len(take(loader)) == 10


def test_states_that_lack_a_rank_or_do_not_fit(mixed):
    states = [loader_of(mixed, Place(rank, 2)).state_dict() for rank in range(2)]
    with pytest.raises(DataError, match="expected the states of all 2 ranks to go on with 3, found none of rank 1"):
        loader_of(mixed, Place(0, 3)).load_state_dict(states[0])
    with pytest.raises(DataError, match="expected states of format 'beamsift-loader-1', found 'none'"):
        combine_states([])
    with pytest.raises(DataError, match="found rank 0 twice"):
        combine_states([states[0], states[0]])
    with pytest.raises(DataError, match="found two of different course"):
        combine_states([states[0], loader_of(mixed, Place(1, 3)).state_dict()])
    with pytest.raises(DataError, match="expected an end at draw 31, found None"):
        loader_of(mixed, Place(0, 2), rounds=None).load_state_dict(states[0])


@pytest.mark.parametrize("state", [{}, {"format": "other"}, {"format": "beamsift-loader-1"}])
def test_what_is_no_state_is_refused(mixed, state):
    with pytest.raises(DataError, match="loader state: expected "):
        loader_of(mixed, Place()).load_state_dict(state)
