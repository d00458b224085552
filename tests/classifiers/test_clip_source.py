"""Local models are checked before torch is asked."""

import json
from pathlib import Path

import pytest

from classifiers.clip_source import ClipSource, fingerprint_source, parse_source
from classifiers.errors import ModelError
from configs.schema.caption import RelevanceRules

CONFIG = {"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}}


def folder(path: Path, config: object = CONFIG, weights: bytes | None = b"weights") -> RelevanceRules:
    path.mkdir(parents=True, exist_ok=True)
    (path / "open_clip_config.json").write_text(json.dumps(config))
    if weights is not None:
        (path / "open_clip_model.safetensors").write_bytes(weights)
    return RelevanceRules(model=f"local-dir:{path}", pretrained="")


def test_a_folder_is_its_config_weights_and_vocabulary(tmp_path):
    rules = folder(tmp_path)
    (tmp_path / "vocab.txt").write_text("a")
    (tmp_path / "README.md").write_text("not read")
    found = parse_source(rules)
    assert [path.name for path in found.files] == ["open_clip_config.json", "open_clip_model.safetensors", "vocab.txt"]
    assert (found.kind, found.model, found.pretrained) == ("folder", f"local-dir:{tmp_path}", None)


def test_a_tag_and_a_hub_name_have_no_files():
    assert parse_source(RelevanceRules()) == ClipSource("tag", "ViT-B-32", "openai")
    assert parse_source(RelevanceRules(model="hf-hub:a/b")) == ClipSource("hub", "hf-hub:a/b", None)


def test_a_path_is_a_checkpoint(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"w")
    found = parse_source(RelevanceRules(pretrained=str(tmp_path / "w.pt")))
    assert (found.kind, found.files) == ("checkpoint", (tmp_path / "w.pt",))


@pytest.mark.parametrize("pretrained", ["no/such/file", "weights.safetensors"])
def test_a_missing_checkpoint_stops(pretrained):
    with pytest.raises(ModelError, match="expected a checkpoint file, found nothing at"):
        parse_source(RelevanceRules(pretrained=pretrained))


def test_a_folder_is_not_a_checkpoint(tmp_path):
    with pytest.raises(ModelError, match="expected a checkpoint file, found a folder at"):
        parse_source(RelevanceRules(pretrained=str(tmp_path)))


def test_an_architecture_needs_weights():
    with pytest.raises(ModelError, match="expected a weights tag or a checkpoint path for 'ViT-B-32', found ''"):
        parse_source(RelevanceRules(pretrained=""))


def test_a_missing_folder_stops(tmp_path):
    with pytest.raises(ModelError, match="expected a folder of an open_clip model, found nothing at"):
        parse_source(RelevanceRules(model=f"local-dir:{tmp_path / 'no'}"))


def test_a_folder_without_config_or_weights_stops(tmp_path):
    with pytest.raises(ModelError, match=r"open_clip_config.json: expected the JSON config"):
        parse_source(RelevanceRules(model=f"local-dir:{tmp_path}"))
    with pytest.raises(ModelError, match=r"expected weights .*found open_clip_config.json"):
        parse_source(folder(tmp_path, weights=None))


@pytest.mark.parametrize("config", [[], {}, {"model_cfg": {"vision_cfg": {}}}, {"model_cfg": {"text_cfg": 3}}])
def test_a_config_of_another_shape_stops(tmp_path, config):
    with pytest.raises(ModelError, match="expected an object at model_cfg"):
        parse_source(folder(tmp_path, config))


def test_a_text_tower_of_the_hub_is_not_local(tmp_path):
    config = {"model_cfg": {"vision_cfg": {}, "text_cfg": {"hf_model_name": "roberta-base"}}}
    with pytest.raises(ModelError, match="expected a folder, found 'roberta-base'"):
        parse_source(folder(tmp_path, config))


def test_the_fingerprint_of_a_folder_is_its_bytes_not_its_place(tmp_path):
    prints = [
        fingerprint_source(parse_source(folder(tmp_path / name, weights=weights)))
        for name, weights in [("a", b"1"), ("b", b"1"), ("c", b"2")]
    ]
    assert prints[0] == prints[1] != prints[2]


def test_the_fingerprint_of_a_tag_is_its_names():
    names = [("ViT-B-32", "openai"), ("ViT-B-32", "laion2b_e16"), ("ViT-B-16", "openai"), ("hf-hub:a/b", "openai")]
    prints = [fingerprint_source(parse_source(RelevanceRules(model=m, pretrained=p))) for m, p in names]
    assert len(set(prints)) == 4
