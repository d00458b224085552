"""The CLIP scorer on a tiny random model, on the toy world's model, and on everything that can be wrong."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

from classifiers.clip import ClipScorer, choose_precision, count_tokens, open_picture
from classifiers.errors import ModelError
from configs.schema.caption import RelevanceRules
from tests.classifiers.tiny_clip import save_tiny_clip
from transforms.calibration import auc, shuffled_partners
from transforms.relevance import PairScores

WORLD_CLIP = Path(__file__).parents[1] / "world" / "clip"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    return save_tiny_clip(tmp_path_factory.mktemp("tiny"))


def scorer(model: str, **rules) -> ClipScorer:
    made = ClipScorer(
        RelevanceRules(**{"model": model, "pretrained": "", "device": "cpu", "precision": "fp32"} | rules)
    )
    made.load()
    return made


def noise(seed: int, height: int = 40, width: int = 50, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


PAIRS = [(noise(i), (f"a picture of {i} birds", "a red bus")) for i in range(5)]


def test_each_picture_gets_a_cosine_for_each_of_its_captions(tiny):
    found = scorer(tiny).predict([(noise(1), ("a bird", "a bus", "a bird")), (noise(2), ("a bus",))])
    assert [len(one.scores) for one in found] == [3, 1]
    assert found[0].scores[0] == found[0].scores[2] != found[0].scores[1]
    assert all(-1 <= s <= 1 and round(s, 4) == s for one in found for s in one.scores)


def test_the_score_is_the_cosine_that_open_clip_gives(tiny):
    import open_clip
    import torch
    from PIL import Image

    model, transform = open_clip.create_model_from_pretrained(tiny)
    tokens = open_clip.get_tokenizer(tiny)(["a red bus"])
    with torch.inference_mode():
        picture = model.eval().encode_image(transform(Image.fromarray(noise(3))).unsqueeze(0), normalize=True)
        cosine = (picture @ model.encode_text(tokens, normalize=True).T).item()
    assert scorer(tiny).predict([(noise(3), ("a red bus",))])[0].scores == (round(cosine, 4),)


def test_a_picture_without_captions_and_an_empty_batch_get_empty_scores(tiny):
    one = scorer(tiny)
    assert one.predict([]) == []
    assert one.predict([(noise(1), ())]) == [PairScores()]
    assert one.predict([(noise(1), ()), *PAIRS[:1]])[1] == one.predict(PAIRS[:1])[0]


def test_the_same_batch_gives_the_same_scores(tiny):
    assert scorer(tiny).predict(PAIRS) == scorer(tiny).predict(PAIRS)
    assert scorer(tiny, precision="bf16").predict(PAIRS) == scorer(tiny, precision="bf16").predict(PAIRS)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 2e-4), ("bf16", 1e-3)])
def test_the_rest_of_the_batch_moves_a_score_by_rounding_only(tiny, precision, tolerance):
    one = scorer(tiny, precision=precision)
    alone = [one.predict([pair])[0].scores for pair in PAIRS]
    together = [found.scores for found in one.predict(PAIRS)]
    assert np.allclose(alone, together, rtol=0, atol=tolerance)


def test_batches_beyond_the_batch_size_are_cut(tiny):
    cut = [found.scores for found in scorer(tiny, batch_size=2).predict(PAIRS)]
    assert np.allclose(cut, [found.scores for found in scorer(tiny).predict(PAIRS)], rtol=0, atol=2e-4)


def test_bf16_stays_near_fp32(tiny):
    exact = [found.scores for found in scorer(tiny).predict(PAIRS)]
    assert np.allclose([f.scores for f in scorer(tiny, precision="bf16").predict(PAIRS)], exact, rtol=0, atol=0.02)


def test_tokens_are_counted_before_truncation(tiny):
    fits, long = " ".join(["bus"] * 14), " ".join(["bus"] * 15)
    assert scorer(tiny).predict([(noise(1), (fits, long))])[0].truncated == (False, True)


def test_a_hub_tokenizer_is_counted_by_its_own_ids():
    class Inner:
        def __call__(self, texts):
            return type("Found", (), {"input_ids": [list(text.split()) for text in texts]})

    hub = type("HubTokenizer", (), {"clean_fn": staticmethod(str.strip), "tokenizer": Inner()})
    assert count_tokens(hub, [" a b ", "c"]) == [2, 1]
    assert count_tokens(hub, []) == []


def test_transparency_lies_on_white():
    clear = np.zeros((2, 3, 4), dtype=np.uint8)
    assert np.asarray(open_picture(clear)).tolist() == np.full((2, 3, 3), 255).tolist()
    solid = np.full((2, 3, 4), 255, dtype=np.uint8)
    solid[..., :3] = 7
    assert np.asarray(open_picture(solid)).tolist() == np.full((2, 3, 3), 7).tolist()


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_pixels_of_another_shape_stop(pixels):
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        open_picture(pixels)


def test_a_score_that_is_not_finite_stops(tmp_path):
    with pytest.raises(ModelError, match="expected a finite score, found nan for caption 'a red bus'"):
        scorer(save_tiny_clip(tmp_path, nan=True)).predict([(noise(1), ("a red bus",))])


def test_threads_are_fixed_by_the_config(tiny):
    import torch

    before = torch.get_num_threads()
    try:
        scorer(tiny, threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "device", "capabilities", "chosen"),
    [
        ("auto", "cpu", {"avx512_bf16": True}, "bf16"),
        ("auto", "cpu", {"amx_bf16": True}, "bf16"),
        ("auto", "cpu", {"avx2": True, "avx512_bf16": False}, "fp32"),
        ("auto", "cuda", {"bf16": True}, "bf16"),
        ("auto", "cuda", {"bf16": False}, "fp32"),
        ("auto", "mps", {"bf16": True}, "fp32"),
        ("fp32", "cuda", {"bf16": True}, "fp32"),
        ("bf16", "cpu", {}, "bf16"),
    ],
)
def test_precision_follows_what_the_device_computes_in(asked, device, capabilities, chosen):
    assert choose_precision(asked, device, capabilities) == chosen


def test_a_pickled_scorer_leaves_its_weights_behind(tiny):
    one = scorer(tiny)
    assert len(pickle.dumps(one)) < 2000
    copy = pickle.loads(pickle.dumps(one))
    with pytest.raises(ModelError, match="expected load"):
        copy.predict(PAIRS)
    copy.load()
    assert copy.predict(PAIRS) == one.predict(PAIRS)


def test_two_steps_with_the_same_weights_hold_them_once(tiny, tmp_path):
    one = scorer(tiny)
    assert scorer(tiny, min_score=0.1)._network is one._network
    assert scorer(tiny, batch_size=3)._network is not one._network
    assert scorer(save_tiny_clip(tmp_path))._network is not one._network


def test_before_load_nothing_is_known(tiny):
    unloaded = ClipScorer(RelevanceRules(model=tiny))
    with pytest.raises(ModelError, match="before precision"):
        _ = unloaded.precision


def test_missing_torch_says_what_to_do(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ModelError, match=r"pip install 'beamsift\[models\]' or --set relevance.enabled=false"):
        scorer(tiny)


def test_a_checkpoint_of_another_architecture_stops(tiny):
    path = Path(tiny.removeprefix("local-dir:")) / "open_clip_model.safetensors"
    with pytest.raises(ModelError, match=r"expected to load RN50 with .*found \w+"):
        scorer("RN50", pretrained=str(path))


def test_an_unknown_architecture_names_its_neighbours():
    with pytest.raises(ModelError, match=r"expected an open_clip architecture, found 'ViT-B-23' \(.*ViT-B-32"):
        scorer("ViT-B-23", pretrained="openai")


def test_an_unknown_tag_names_the_known_ones():
    with pytest.raises(ModelError, match=r"expected a tag of ViT-B-32 \(openai, .*found 'openay'"):
        scorer("ViT-B-32", pretrained="openay")


def test_a_plain_tag_on_a_quickgelu_architecture_stops(monkeypatch):
    import open_clip

    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: {"quick_gelu": False})
    with pytest.raises(ModelError, match="computes QuickGELU"):
        scorer("ViT-B-32-quickgelu", pretrained="laion2b_e16")


@pytest.mark.parametrize(("tag", "quick_gelu"), [("openai", True), ("laion2b_e16", False)])
def test_a_tag_brings_its_activation(tag, quick_gelu, monkeypatch):
    import open_clip

    asked = {}

    def create(model, pretrained, **options):
        asked.update(options)
        raise RuntimeError("no network")

    monkeypatch.setattr(open_clip, "create_model_from_pretrained", create)
    with pytest.raises(ModelError, match=f"expected to load ViT-B-32 with {tag}, found RuntimeError: no network"):
        scorer("ViT-B-32", pretrained=tag)
    assert asked["force_quick_gelu"] is quick_gelu


@pytest.mark.parametrize("device", ["cuda", "no-such-device"])
def test_a_missing_device_stops(tiny, device, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="relevance.device: expected"):
        scorer(tiny, device=device)


def test_broken_weights_stop(tmp_path):
    model = save_tiny_clip(tmp_path)
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="expected to load local-dir:"):
        scorer(model)


def test_weights_of_another_width_stop(tmp_path):
    model = save_tiny_clip(tmp_path)
    config = json.loads((tmp_path / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 8
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="found RuntimeError: .*size mismatch"):
        scorer(model)


def test_local_weights_need_no_network(tiny, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert len(scorer(tiny).predict(PAIRS)) == len(PAIRS)


def test_the_fingerprint_follows_weights_and_batch_but_not_the_threshold(tiny, tmp_path):
    def print_of(model, **rules):
        return ClipScorer(RelevanceRules(model=model, **rules)).fingerprint()

    moved = tmp_path / "moved"
    shutil.copytree(tiny.removeprefix("local-dir:"), moved)
    other = save_tiny_clip(tmp_path / "other", seed=1)
    assert print_of(tiny) == print_of(tiny, min_score=0.1) == print_of(f"local-dir:{moved}")
    assert len({print_of(tiny), print_of(tiny, batch_size=8), print_of(tiny, precision="bf16"), print_of(other)}) == 4


@pytest.mark.slow
@pytest.mark.skipif(not (WORLD_CLIP / "open_clip_config.json").exists(), reason="the toy world's model is not trained")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_toy_worlds_model_tells_its_captions_from_others(precision):
    from tests.world.scenes import draw_scene

    scenes = [draw_scene(7, index) for index in range(60)]
    captions = [scene.caption for scene in scenes]
    batch = [
        (np.asarray(scene.picture.convert("RGB")), (caption, captions[other]))
        for scene, caption, other in zip(scenes, captions, shuffled_partners(captions, seed=0), strict=True)
    ]
    scores = np.array([found.scores for found in scorer(f"local-dir:{WORLD_CLIP}", precision=precision).predict(batch)])
    assert auc(scores.T.ravel(), np.repeat([True, False], len(scenes))) > 0.9
    assert (scores[:, 0] >= 0.3).mean() > 0.8 > 0.3 > (scores[:, 1] >= 0.3).mean()


def test_a_missing_package_is_told_before_anything_is_read(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"no torch; pip install 'beamsift\[models\]'"):
        ClipScorer(RelevanceRules()).check_installed()
