"""`--against`: a pool cut in two and run one after the other keeps no picture twice, and the old rows win."""

from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from configs.schema.strict import ConfigError
from pipelines.against import known_uri
from pipelines.decisions import disagreements, load_measured
from pipelines.errors import NotFinished
from pipelines.finish import finished_manifest
from pipelines.ledger import run_config
from pipelines.what_if import what_if
from pipelines.why import why
from tests.pipelines.damage import problems
from tests.pipelines.test_near_duplicates import NEAR, encoded, fates, pool
from tests.pipelines.whole_runs import run_here, shards_of
from tests.transforms.pools import write_tar

pytestmark = pytest.mark.beam
__all__ = ["pool"]


@pytest.fixture(scope="module")
def old(pool, tmp_path_factory) -> Path:
    """Small pictures 0 to 3 of tar a."""
    folder = tmp_path_factory.mktemp("old")
    assert run_here(pool[:1], folder, *NEAR) == 0
    return folder


@pytest.fixture(scope="module")
def new_pool(pool, tmp_path_factory) -> list[str]:
    """Large copies of what is known, and a tar with an equal file, a picture that is new and its own small copy."""
    members = [("same.jpg", encoded(2, 240)), ("same.txt", b"A picture that is known.")]
    members += [("new.jpg", encoded(7, 300)), ("new.txt", b"A picture that is new.")]
    members += [("small.jpg", encoded(7, 240)), ("small.txt", b"A small copy of the new.")]
    write_tar(tmp_path_factory.mktemp("more"), members, "d.tar")
    return [pool[1], str(tmp_path_factory.getbasetemp() / "more0" / "d.tar")]


@pytest.fixture(scope="module")
def output(old, new_pool, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("new-out")
    assert run_here(new_pool, folder, *NEAR, "--against", str(old)) == 0
    return folder


def test_what_a_finished_run_keeps_goes_though_it_is_larger(old, output):
    found = fates(output)
    assert {key: fate for key, fate in found.items() if fate[0] == "image_known"} == {
        **{f"b{n}": ("image_known", f"{old} a{n}") for n in range(4)},
        "same": ("image_known", f"{old} a2"),
    }
    assert found["new"] == ("kept", "") and found["small"] == ("image_near_duplicate", "new")


def test_the_run_is_sound_and_follows_from_its_measures(output, capsys):
    assert problems(output) == {}
    cfg = run_config(finished_manifest(str(output)), str(output))
    assert list(disagreements(load_measured(str(output)), cfg)) == []
    assert what_if(str(output), ["image.min_short_side=290"]) == 0
    with pytest.raises(ConfigError, match="near_duplicates.max_distance changes the measuring"):
        what_if(str(output), ["near_duplicates.max_distance=2"])
    assert why(str(output), "b1") == 0
    assert "image_known" in capsys.readouterr().out


def test_the_same_bytes_however_it_runs(old, new_pool, output, tmp_path):
    assert run_here(new_pool[::-1], tmp_path, *NEAR, "--against", str(old), "--direct_runner_bundle_repeat=2") == 0
    assert shards_of(tmp_path) == shards_of(output) and fates(tmp_path) == fates(output)


def test_which_runs_are_known_is_part_of_the_recipe(old, new_pool, output, tmp_path):
    manifests = [finished_manifest(str(one)) for one in (old, output)]
    assert manifests[1].config["against"] == {"runs": [str(old)]}
    assert Path(known_uri(str(output), [str(old)])).is_file()
    with pytest.raises(NotFinished):
        known_uri(str(output), [str(tmp_path)])
