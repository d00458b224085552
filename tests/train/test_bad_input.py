"""`python -m train` on what is wrong: one clear line and exit code 2, or samples that are skipped, counted, named."""

import json
import os
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.small_disk import grow, small_disk
from tests.train.data.toy_set import edit_manifest, write_indexed
from tests.train.tokenizer import save_toy_tokenizer
from tests.train.toy_captions import caption, drawn, toy_config
from train.__main__ import DONE, USAGE, main
from train.output_lock import hold

ONE_STEP = ("steps=1", "batch=1", "save.every=9")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A set, a tokenizer, and the config that trains on it."""
    folder = tmp_path_factory.mktemp("toy")
    values = toy_config(folder).model_dump(mode="json")
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    return folder


@pytest.fixture
def train(folder, tmp_path, capsys):
    """Runs it with settings over the config's; gives the exit code and what was said."""

    def run(*settings: str, output: Path = tmp_path / "run") -> tuple[int, str]:
        options = [part for one in settings for part in ("--set", one)]
        code = main(["pretrain", "--config", str(folder / "config.yaml"), "--output", str(output), *options])
        return code, capsys.readouterr().err

    return run


def of(uri: Path, key: str = "sources") -> str:
    return f"data.{key}=[{{name: toy, uri: {uri}}}]"


def copied(tmp_path: Path) -> Path:
    return write_indexed(
        tmp_path / "set", [(f"c{n}", {"jpg": drawn(n), "txt": caption(n).encode()}) for n in range(9)], 3
    )


def test_a_set_that_is_another_than_its_manifest_says(train, tmp_path):
    place = copied(tmp_path)
    shard = place / "shards/000001.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    code, said = train(of(place), "data.check_hashes=true")
    assert code == USAGE and f"DataError: source 'toy': {shard}: expected sha256 " in said
    shard.unlink()
    code, said = train(of(place))
    assert code == USAGE and f"found all but {shard}" in said
    edit_manifest(place, lambda values: values.update(format="beamsift-9"))
    code, said = train(of(place))
    assert code == USAGE and "expected a manifest of format beamsift-1 or " in said and "found 'beamsift-9'" in said


def test_held_out_data_are_opened_before_the_first_step(train, tmp_path):
    code, said = train(of(tmp_path / "none", "held_out"))
    assert code == USAGE and "source 'toy': " in said and "none/*.tar: expected a manifest.json" in said
    assert "step 1" not in said


def test_broken_pictures_and_samples_over_the_context_are_skipped_counted_and_named(train, tmp_path):
    def sample(n):
        picture = drawn(n)[:200] if n % 5 == 0 else drawn(n)
        return f"c{n}", {"jpg": picture, "txt": (caption(n) * (20 if n % 7 == 3 else 1)).encode()}

    place = write_indexed(tmp_path / "set", [sample(n) for n in range(35)], 16)
    code, said = train(of(place), "steps=3", "chat.too_long=drop")
    assert code == DONE
    [line] = [line for line in said.splitlines() if line.startswith("skipped ")][-1:]
    assert (
        " MediaError" in line and " toy/TooLong" in line and "; MediaError toy#c" in line and "PictureTruncated" in line
    )
    last = [json.loads(one) for one in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()][-1]
    state = json.loads((tmp_path / "run" / "checkpoints" / "step-00000003" / "state.json").read_text())
    rank = state["loader"]["ranks"]["0"]
    assert last["skipped/toy/MediaError"] == rank["counts"]["toy"]["skipped"]["MediaError"] > 0
    assert last["skipped/toy/TooLong"] == rank["dropped"]["toy"] > 0


def test_layers_are_compiled_on_gpus_alone(train):
    code, said = train("model.compile=true")
    assert code == USAGE and "ConfigError: model.compile: expected a CUDA device" in said and "found cpu" in said


def test_a_tokenizer_without_the_special_tokens(train, tmp_path):
    place = save_toy_tokenizer(tmp_path / "tokenizer", ("<|endoftext|>", "[gMASK]", "<|begin_of_image|>"))
    code, said = train(f"model.tokenizer={place}")
    assert code == USAGE and "TokensMissing: tokenizer" in said and "<sop> (" in said and "<|image|> (" in said


def test_a_checkpoint_of_another_model_and_one_that_is_cut(train, tmp_path):
    assert train(*ONE_STEP, "model.freeze=[vision]")[0] == DONE
    code, said = train(*ONE_STEP, "steps=2")
    assert code == USAGE and "was more of the model frozen (model.freeze) when it was saved?" in said
    [part] = (tmp_path / "run/checkpoints/step-00000001").glob("*.distcp")
    part.write_bytes(part.read_bytes()[:1000])
    code, said = train(*ONE_STEP, "steps=2", "model.freeze=[vision]")
    assert code == USAGE and "TrainError: checkpoint: expected to read" in said
    state = tmp_path / "run/checkpoints/step-00000001/state.json"
    state.write_text(state.read_text().replace('"glm.lm_head.weight": [512, 64]', '"glm.lm_head.weight": [600, 64]'))
    code, said = train(*ONE_STEP, "steps=2", "model.freeze=[vision]")
    assert code == USAGE and "is of another model: expected glm.lm_head.weight of shape [512, 64], found it of" in said


def test_two_runs_into_one_output(train, tmp_path):
    with hold(tmp_path / "run"):
        code, said = train(*ONE_STEP)
    assert code == USAGE and f"run: expected no other run to write there, found process {os.getpid()} on " in said
    assert train(*ONE_STEP)[0] == DONE


def test_a_run_that_goes_on_hands_out_what_it_has_become(train, tmp_path):
    for steps in (1, 2, 2):
        code, said = train(*ONE_STEP, f"steps={steps}")
        assert code == DONE and f"done: {steps} steps" in said
        assert json.loads((tmp_path / "run/hub/beamsift.json").read_text()) == {"steps": steps}
    code, said = train(*ONE_STEP, "save.resume=false")
    assert code == USAGE and "save.resume=false: expected no checkpoints of an earlier run, found " in said
    before = (tmp_path / "run/hub/model.safetensors").stat().st_mtime_ns
    assert "done: 2 steps" in train(*ONE_STEP)[1]
    assert (tmp_path / "run/hub/model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("0", "OSError: [Errno 28] No space left on device"),
        ("1m", "TrainError: checkpoint: step-00000001 could not be written to"),
        ("3600k", "TrainError: model: could not be written to"),
    ],
)
def test_a_full_disk_and_then_a_larger_one(train, tmp_path, size, told):
    """Full at the config, in the checkpoint, in the model at the end."""
    disk = tmp_path / "disk"
    with small_disk(disk, "4k" if size == "0" else size):
        code, said = train(*ONE_STEP, output=disk / "run")
        assert code == USAGE and told in said.splitlines()[-1]
        assert "No space left on device" in said
        assert not (disk / "run" / "hub").exists()
        grow(disk, "9m")
        code, said = train(*ONE_STEP, output=disk / "run")
        assert code == DONE and ("goes on from" in said) == (size == "3600k")
