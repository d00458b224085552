"""Samples that cannot be used: skipped, counted, named, up to a limit; what is no sample's fault stops."""

import io
import os
import signal
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
from PIL import Image

from tests.train.data.jobs import ONCE, WORKERS, all_keys, loader_of, take
from tests.train.data.toy_set import write_set
from tests.waiting import wait_until
from train.chat.errors import NothingToTrain
from train.data.corrupt import CorruptPolicy
from train.data.decoding import Workers
from train.data.errors import CorruptSample, DataError
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.state import Place
from transforms.storage import StoreUnavailable


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


class SampleTooLong(ValueError):
    """As train/chat raises it."""


@pytest.mark.parametrize("action", ["skip", "stop"])
def test_a_sound_sample_that_does_not_fit_is_counted_and_nothing_against_its_set(mixed, action):
    def tokenize(sample):
        if int(sample.key[1:]) % 2:
            raise SampleTooLong("expected at most 8192 tokens, found 9000")
        return sample.key

    loader = Loader(mixed, tokenize, rules=LoaderRules(corrupt=CorruptPolicy(action, judged_from=1), rounds=1))
    assert len(take(loader)) == 16
    assert loader.counts.sources["a"].skipped == {"SampleTooLong": 11}


def nothing_to_train(sample):
    raise NothingToTrain(sample.key, "expected a response, found 1 turns and none")


@pytest.mark.parametrize("transform", [lambda sample: None, nothing_to_train], ids=["left out", "nothing to train"])
def test_data_without_end_of_which_none_can_be_used_stop(mixed, transform):
    """Sound samples count for no share of corrupt ones, and a loader that goes on for ever would search for ever."""
    loader = Loader(mixed, transform, rules=LoaderRules(corrupt=CorruptPolicy(most_in_a_row=40)))
    with pytest.raises(DataError, match="expected samples to train on, found none in 40 in a row; the last: "):
        take(loader)
    found = Loader(mixed, failing, rules=LoaderRules(corrupt=CorruptPolicy(most_in_a_row=4), rounds=20))
    assert len(take(found)) > 500


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


@pytest.mark.parametrize("count", [1, 2])
def test_a_killed_worker_process_ends_the_iteration(mixed, count):
    rules = LoaderRules(Workers(count, "process", 4), rounds=1)
    with (
        Loader(mixed, killed, rules=rules) as loader,
        pytest.raises(DataError, match="expected decoding workers to live"),
    ):
        take(loader)


def killed_later(sample):
    if sample.key != "a1":
        time.sleep(0.2)
        killed(sample)


def test_a_loader_whose_workers_died_can_be_closed(mixed):
    with Loader(mixed, killed_later, rules=LoaderRules(Workers(2, "process", 1, ahead=2))) as loader:
        loader._decoder._submit([]).result()
        loader._decoder._submit(next(loader._chunks()))
        wait_until(lambda: bool(loader._decoder._pool._broken), "a broken pool")


def own_process(sample):
    return os.getpid()


def test_signals_to_a_whole_job_end_no_worker(mixed):
    """As a scheduler or a terminal sends them, which are not the workers' parent."""
    with Loader(mixed, own_process, rules=LoaderRules(Workers(1, "process", 1, ahead=2))) as loader:
        given = iter(loader)
        worker = next(given).item
        for name in ("-TERM", "-INT"):
            subprocess.run(["kill", name, str(worker)], check=True)
        assert {next(given).item for _ in range(40)} == {worker}


ABANDONED = """
import os, signal, sys
from train.data.decoding import Workers
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
if __name__ == "__main__":
    given = iter(Loader(open_mixture([SourceSpec("a", sys.argv[1])], 1), rules=LoaderRules(Workers(2, "process", 1))))
    print(next(given).item.key, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_rank_that_is_killed(tmp_path):
    """They hold the pipe that is read here: its end comes when the last of them is gone."""
    place = write_set(tmp_path / "set", 20)
    (tmp_path / "rank.py").write_text(ABANDONED)
    command = [sys.executable, str(tmp_path / "rank.py"), str(place)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL and done.stdout.startswith("k")


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


def drawn(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (drawn("jpeg")[:300], "OSError"),
        (drawn("png")[:-40], "OSError"),
        (drawn("png").replace(b"IDAT", b"IDAS"), "UnidentifiedImageError"),
        (b"no picture", "UnidentifiedImageError"),
    ],
)
def test_broken_pictures_are_their_samples_fault(mixed, data, kind):
    def decode(sample):
        Image.open(io.BytesIO(data)).load()

    loader = Loader(mixed, decode, rules=LoaderRules(rounds=1))
    assert take(loader) == []
    assert loader.counts.sources["a"].skipped == {kind: 23}


def test_a_picture_too_large_for_pillow_is_its_samples_fault(mixed):
    def decode(sample):
        raise Image.DecompressionBombError("expected fewer pixels")

    loader = Loader(mixed, decode, rules=LoaderRules(rounds=1))
    assert take(loader) == [] and loader.counts.sources["b"].skipped == {"DecompressionBombError": 8}


def test_json_that_is_none_is_its_samples_fault(mixed):
    loader = Loader(mixed, lambda sample: msgspec.json.decode(b"{"), rules=LoaderRules(rounds=1))
    assert take(loader) == [] and loader.counts.sources["b"].skipped == {"DecodeError": 8}
