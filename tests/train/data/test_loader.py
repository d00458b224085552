"""The loader: each sample once an epoch whatever the ranks, workers and kills, and clear refusals."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.toy_set import edit_manifest, text_of, write_set, write_shard
from train.data.corrupt import CorruptPolicy
from train.data.decoding import Workers
from train.data.errors import CorruptSample, DataError
from train.data.loader import Given, Loader, LoaderRules, OpenMixture, SourceSpec, open_mixture
from train.data.state import Place, combine_states
from transforms.storage import StoreUnavailable

ONCE = LoaderRules(rounds=1)
WORKERS = [
    Workers(0),
    Workers(1, chunk=3, ahead=6),
    Workers(2, chunk=2, ahead=8),
    Workers(3, chunk=1, ahead=2),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "a", 23, prefix="a")
    write_set(folder / "b", 8, prefix="b")
    return folder


@pytest.fixture(scope="module")
def mixed(folder) -> OpenMixture:
    return open_mixture([SourceSpec("a", str(folder / "a")), SourceSpec("b", str(folder / "b"))], 1)


def all_keys() -> set[str]:
    return {*(f"a{i}" for i in range(23)), *(f"b{i}" for i in range(8))}


def take(loader: Loader, count: int | None = None) -> list[Given]:
    found, items = [], iter(loader)
    while count is None or len(found) < count:
        if (one := next(items, None)) is None:
            break
        found.append(one)
    return found


def loader_of(mixed: OpenMixture, place: Place, workers: Workers = WORKERS[0], **rules) -> Loader:
    return Loader(mixed, text_of, place, LoaderRules(workers=workers, **{"rounds": 1, **rules}))


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_an_epoch_is_every_sample_once(mixed, world):
    found = [one.item for rank in range(world) for one in take(loader_of(mixed, Place(rank, world)))]
    assert sorted(found) == sorted(all_keys())


@pytest.mark.parametrize("workers", WORKERS[1:], ids=str)
def test_workers_change_no_order(mixed, workers):
    place = Place(1, 2)
    with loader_of(mixed, place, workers) as loader:
        assert take(loader) == take(loader_of(mixed, place))


def test_worker_processes_change_no_order(mixed):
    with loader_of(mixed, Place(), Workers(2, "process", 4, 16)) as loader:
        assert take(loader) == take(loader_of(mixed, Place()))


def test_epochs_have_different_orders_of_the_same_samples(mixed):
    found = [one.item for one in take(loader_of(mixed, Place(), rounds=3))]
    epochs = [found[start : start + 31] for start in (0, 31, 62)]
    assert [set(epoch) for epoch in epochs] == [all_keys()] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_data_go_on_for_ever(mixed):
    assert Counter(one.item for one in take(loader_of(mixed, Place(), rounds=None), 310)) == dict.fromkeys(
        all_keys(), 10
    )


def test_a_sample_knows_its_source_and_its_position_in_the_epoch(mixed):
    with Loader(mixed, rules=LoaderRules(rounds=2)) as loader:
        found = [one.item for one in take(loader)]
    positions = [one.index for one in found if one.source == "b"]
    assert positions == [*range(8), *range(8)]
    assert {one.key[0] for one in found if one.source == "b"} == {"b"}


KILLS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 2), st.sampled_from(WORKERS), st.lists(st.integers(0, 12), min_size=4)),
    max_size=4,
)
"""Of each job its world, group, workers, and how many samples each rank took before the kill."""


@settings(max_examples=60)
@given(KILLS)
def test_killed_anywhere_and_resumed_at_any_world_each_sample_is_seen_once(mixed, kills):
    state, seen = None, []
    for world, group, workers, counts in [*kills, (1, 1, WORKERS[0], [99])]:
        states = []
        for rank in range(world):
            with loader_of(mixed, Place(rank, world, group), workers) as loader:
                if state:
                    loader.load_state_dict(state)
                seen += [one.item for one in take(loader, counts[rank])]
                states.append(loader.state_dict())
        state = json.loads(json.dumps(combine_states(states)))
    assert sorted(seen) == sorted(all_keys())


def test_a_resumed_rank_goes_on_as_if_nothing_had_been(mixed):
    whole = take(loader_of(mixed, Place(1, 2)))
    first = loader_of(mixed, Place(1, 2))
    begun = take(first, 5)
    second = loader_of(mixed, Place(1, 2))
    second.load_state_dict(first.state_dict())  # a rank's own state is enough in the same world
    assert begun + take(second) == whole


def test_iterating_again_goes_on(mixed):
    loader = loader_of(mixed, Place())
    assert take(loader, 4) + take(loader) == take(loader_of(mixed, Place()))


def test_runs_are_dealt_together(folder):
    mixed = open_mixture([SourceSpec("a", str(folder / "a"))], 1, run=5)
    numbers = [int(one.item[1:]) for one in take(loader_of(mixed, Place(1, 2, 5)))]
    runs = [numbers[start : start + 5] for start in range(0, 10, 5)]
    assert all(np.diff(run).tolist() == [1] * 4 for run in runs)


def test_the_counts_add_up_over_worlds(mixed):
    first = [loader_of(mixed, Place(rank, 2)) for rank in range(2)]
    for loader in first:
        take(loader, 6)
    state = combine_states([loader.state_dict() for loader in first])
    third = [loader_of(mixed, Place(rank, 3)) for rank in range(3)]
    for loader in third:
        loader.load_state_dict(state)
        take(loader)
    counts = [loader.counts.sources for loader in third]
    assert {name: sum(one[name].given for one in counts) for name in "ab"} == {"a": 23, "b": 8}


def failing(sample):
    key = sample.key
    if key == "a3":
        raise CorruptSample("PictureTruncated", "expected 10 bytes, found 3")
    if key == "a5":
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no start byte")
    return None if key == "b1" else key


@pytest.mark.parametrize("workers", [WORKERS[0], WORKERS[2], Workers(1, "process", 4)], ids=str)
def test_corrupt_samples_are_skipped_counted_and_named(mixed, workers):
    rules = LoaderRules(workers, CorruptPolicy(judged_from=100), rounds=1)
    with Loader(mixed, failing, rules=rules) as loader:
        assert {one.item for one in take(loader)} == all_keys() - {"a3", "a5", "b1"}
    a, b = loader.counts.sources["a"], loader.counts.sources["b"]
    assert (a.given, dict(a.skipped)) == (21, {"PictureTruncated": 1, "UnicodeDecodeError": 1})
    assert "PictureTruncated a#a3: expected 10 bytes, found 3" in a.names
    assert (b.given, dict(b.skipped)) == (7, {"left out by the transform": 1})


def test_a_corrupt_sample_stops_where_the_policy_says_so(mixed):
    loader = Loader(mixed, failing, rules=LoaderRules(corrupt=CorruptPolicy("stop"), rounds=1))
    with pytest.raises(DataError, match="^source 'a': expected sound samples, found "):
        take(loader)


def test_too_many_corrupt_samples_stop(mixed):
    rules = LoaderRules(corrupt=CorruptPolicy(most_share=0.01, judged_from=20), rounds=2)
    with pytest.raises(DataError, match=r"expected at most 1\.0% corrupt samples, found .* in .* the last: "):
        take(Loader(mixed, failing, rules=rules))


def test_a_program_that_fails_stops(mixed):
    with pytest.raises(KeyError, match="jpg"):
        take(Loader(mixed, lambda sample: sample.parts["jpg"], rules=ONCE))


def unavailable(sample):
    raise StoreUnavailable("s3://x: 503")


def test_a_store_that_is_away_is_no_corrupt_sample(mixed):
    with pytest.raises(StoreUnavailable):
        take(Loader(mixed, unavailable, rules=ONCE))


def killed(sample):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_process_ends_the_iteration(mixed):
    rules = LoaderRules(Workers(1, "process", 4), rounds=1)
    with (
        Loader(mixed, killed, rules=rules) as loader,
        pytest.raises(DataError, match="expected decoding workers to live"),
    ):
        take(loader)


def test_a_shard_that_goes_away_stops(tmp_path):
    write_set(tmp_path, 20)
    mixed = open_mixture([SourceSpec("a", str(tmp_path))], 1)
    (tmp_path / "shards/000002.tar").unlink()
    with pytest.raises(DataError, match=r"000002\.tar: expected a shard, found none any more"):
        take(loader_of(mixed, Place()))


def test_a_shard_cut_since_it_was_opened_costs_its_samples(tmp_path):
    write_set(tmp_path, 20)
    mixed = open_mixture([SourceSpec("a", str(tmp_path))], 1)
    path = tmp_path / "shards/000002.tar"
    path.write_bytes(path.read_bytes()[:3000])
    loader = loader_of(mixed, Place())
    assert len(take(loader)) == 16
    assert loader.counts.sources["a"].skipped == {"SampleUnreadable": 4}
    assert all("expected" in name and "found" in name for name in loader.counts.sources["a"].names)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "expected sources with different names, found none"),
        ([("a", "a"), ("a", "b")], "expected sources with different names, found a, a"),
        ([("a", "a", 0.0)], "source 'a': expected a weight above 0, found 0.0; leave the source out"),
        ([("a", "a", float("nan"))], "expected a weight above 0, found nan"),
        ([("a", "a", None, -1.0)], "expected a repeats above 0, found -1.0"),
        ([("a", "a", 1.0), ("b", "b")], "expected a weight for all sources or for none, found none for b"),
    ],
)
def test_mixtures_that_make_no_sense(folder, specs, message):
    specs = [SourceSpec(name, str(folder / place), *rest) for name, place, *rest in specs]
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        open_mixture(specs, 1)


def test_weights_make_the_shares(folder):
    specs = [SourceSpec("a", str(folder / "a"), 1), SourceSpec("b", str(folder / "b"), 3)]
    found = take(loader_of(open_mixture(specs, 1), Place(), rounds=None), 4096)
    assert abs(sum(one.source == "b" for one in found) - 3072) < 3


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


@pytest.mark.parametrize("place", [Place(1, 1), Place(-1, 2), Place(0, 1, 0)])
def test_a_rank_outside_its_world(mixed, place):
    with pytest.raises(DataError, match="expected a rank below the world's size"):
        Loader(mixed, text_of, place)
