"""The toy world: the same bytes for the same seed, truth that agrees with the files, and the score against it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs.schema.caption import CaptionConfig
from configs.schema.strict import load_config
from tests.world.captioner import SPOILS, refine, write
from tests.world.composition import clearly_different
from tests.world.faults import FAULTS, kind_at, plan_sample, swapped_scene
from tests.world.files import as_jpeg, with_exif
from tests.world.raw_shards import write_world
from tests.world.samples import World, draw_sample
from tests.world.scenes import KINDS, caption_of, compose, draw_scene
from tests.world.score import RuleScore, area_under_curve, failures, relevance_area, score, score_guard
from tests.world.truth import Row, settle

WORLD = World(seed=7, pairs=240, shard_size=100)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    write_world(out, WORLD)
    return out


def members(out: Path) -> dict[str, dict[str, bytes]]:
    """Files of each sample by key and extension."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path in sorted((out / "raw").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, extension = member.name.partition(".")
                found[key][extension] = tar.extractfile(member).read()  # type: ignore[union-attr]
    return found


def truth_of(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "truth.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_scene_is_a_function_of_seed_and_index():
    one, again, other = draw_scene(3, 5), draw_scene(3, 5), draw_scene(4, 5)
    assert (one.caption, one.boxes, one.texts) == (again.caption, again.boxes, again.texts)
    assert one.picture.tobytes() == again.picture.tobytes() != other.picture.tobytes()


def test_equal_seeds_give_equal_bytes_for_any_number_of_workers(made: Path, tmp_path: Path):
    write_world(tmp_path, WORLD, workers=2)
    for name in ("raw/00000.tar", "raw/00001.tar", "raw/00002.tar", "truth.jsonl"):
        one, other = (hashlib.sha256((out / name).read_bytes()).hexdigest() for out in (made, tmp_path))
        assert one == other, name


def test_every_kind_of_scene_is_drawn_with_a_caption_of_8_to_25_words():
    scenes = [compose(1, index) for index in range(1500)]
    assert {scene.kind for scene in scenes} == set(KINDS)
    counts = [len(caption.split()) for scene in scenes for caption in scene.captions]
    assert min(counts) >= 8 and max(counts) <= 25


def test_sound_pictures_stay_well_inside_the_default_limits():
    rules = CaptionConfig().image
    for index in range(60):
        picture = draw_scene(2, index).picture
        grey = np.asarray(picture.convert("L"))
        shares = np.bincount(grey.ravel(), minlength=256) / grey.size
        entropy = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()
        assert min(picture.size) > rules.min_short_side
        assert max(picture.size) / min(picture.size) < rules.max_aspect_ratio
        assert grey.std() > 2 * rules.min_grey_std, index
        assert entropy > 2 * rules.min_entropy, index


def test_boxes_and_texts_lie_inside_the_picture():
    for index in range(40):
        scene = draw_scene(2, index)
        for entry in (*scene.boxes, *scene.texts):
            x1, y1, x2, y2 = entry["box"]  # type: ignore[misc]
            assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1, (index, entry)


def test_truth_lists_every_sample_once_in_order(made: Path):
    keys = [row["key"] for row in truth_of(made)]
    assert keys == [WORLD.key_of(index) for index in range(WORLD.pairs)]
    assert set(members(made)) == set(keys)


def test_sound_samples_open_and_carry_their_exact_caption(made: Path):
    files = members(made)
    for row in truth_of(made):
        if row["fault"] == "" and row["kind"] in KINDS:
            found = dict(files[row["key"]])
            meta, text = json.loads(found.pop("json")), found.pop("txt").decode()
            ((_, data),) = found.items()
            assert text == row["caption"]
            assert (meta["key"], meta["world"]["kind"]) == (row["key"], row["kind"])
            assert Image.open(BytesIO(data)).size == (meta["width"], meta["height"])


def test_no_json_offers_a_caption_in_place_of_a_missing_one(made: Path):
    fields = {*CaptionConfig().read.caption_columns}
    files = members(made)
    for row in truth_of(made):
        if row["fault"] != "JsonBroken":
            assert not fields & json.loads(files[row["key"]]["json"]).keys()


def test_copies_share_their_pixels_and_all_but_one_are_duplicates():
    world = World(seed=1, pairs=4000, shard_size=500)
    plans = [plan_sample(1, index, world.pairs) for index in range(world.pairs)]
    for kind in ("same_bytes", "same_pixels_exif", "same_pixels_lossless"):
        plan = next(plan for plan in plans if plan.kind == kind)
        copy, original = (draw_sample(world, index).files[0][1] for index in (plan.number, plan.source))
        assert (copy == original) == (kind == "same_bytes")
        one, other = (Image.open(BytesIO(data)).convert("RGB").tobytes() for data in (copy, original))
        assert one == other, kind


def test_exif_is_added_without_touching_pixels():
    plain = as_jpeg(Image.linear_gradient("L").convert("RGB"), 80)
    marked = Image.open(BytesIO(with_exif(plain, "copy 1")))
    assert marked.getexif()[0x010E] == "copy 1"
    assert marked.tobytes() == Image.open(BytesIO(plain)).tobytes()


def test_faults_come_at_their_rates():
    found = Counter(kind_at(0, index) for index in range(40_000))
    assert sum(share for share, _ in FAULTS.values()) < 0.4
    for kind, (share, _) in FAULTS.items():
        assert abs(found[kind] / 40_000 - share) < 0.004, kind


def test_failures_stay_below_the_default_cap():
    failing = sum(share for share, fault in FAULTS.values() if fault[:1].isupper())
    assert failing < 0.8 * CaptionConfig().output.max_failure_rate


def test_a_swapped_caption_is_of_a_plainly_different_scene():
    for index in range(50):
        assert clearly_different(compose(0, index), swapped_scene(0, index, 300))


def row(key: str, fault: str = "", *, kind: str = "shapes", group: str = "", text: str = "a red circle") -> Row:
    return Row("00000.tar", key, fault, kind, text, group, text)


def test_of_copies_the_longest_caption_stays():
    copies = [row("1", text="short one"), row("2", "image_duplicate", kind="same_bytes", group="1", text="longer one")]
    assert [(r.fault, r.group) for r in settle(copies)] == [("image_duplicate", "1"), ("", "1")]


def test_of_copies_with_equally_long_captions_the_first_key_stays():
    copies = [row("1"), row("2", "image_duplicate", kind="same_bytes", group="1")]
    assert [r.fault for r in settle(copies)] == ["", "image_duplicate"]


def test_near_copies_stay():
    copies = [row("1", text="short one"), row("2", kind="near", group="1", text="longer one")]
    assert [(r.fault, r.group) for r in settle(copies)] == [("", "1"), ("", "1")]


@pytest.mark.parametrize(("count", "fault"), [(10, "clip_score_low"), (11, "caption_boilerplate")])
def test_a_stock_sentence_is_boilerplate_above_ten_pictures(count: int, fault: str):
    rows = [row(str(n), "caption_boilerplate", kind="boilerplate", text="Click HERE") for n in range(count)]
    assert {r.fault for r in settle(rows)} == {fault}


def ledger(
    key: str, *, rule: str | None = None, error: str | None = None, clip: float | None = None
) -> dict[str, object]:
    return {"source": "pool/00000.tar", "source_key": key, "rule": rule, "error": error, "clip_score": clip}


def truth(key: str, fault: str) -> dict[str, str]:
    return {"shard": "00000.tar", "key": key, "fault": fault}


def test_score_counts_hits_misses_and_false_alarms():
    found = [
        ledger("1", rule="caption_url"),
        ledger("2", rule="caption_url"),
        ledger("3", error="JsonBroken"),
        ledger("4"),
    ]
    planted = [truth("1", "caption_url"), truth("2", ""), truth("3", "JsonBroken"), truth("4", "caption_url")]
    rows = score(found, planted)
    assert rows == [RuleScore("JsonBroken", 1, 1, 1, 1.0, 1.0), RuleScore("caption_url", 2, 2, 1, 0.5, 0.5)]
    assert [r.rule for r in failures(rows)] == ["caption_url"]


def test_a_draw_is_no_fault_and_a_fault_that_was_drawn_away_is_a_miss():
    found = [ledger("1", rule="concept_not_drawn"), ledger("2", rule="concept_none"), ledger("3", rule="caption_url")]
    rows = score(found, [truth("1", ""), truth("2", "caption_url"), truth("3", "caption_url")])
    assert rows == [RuleScore("caption_url", 2, 1, 1, 1.0, 0.5)]


def test_score_refuses_a_ledger_of_other_samples():
    with pytest.raises(ValueError, match="2 in one only"):
        score([ledger("1")], [truth("2", "")])


def test_relevance_is_printed_and_not_judged():
    assert failures([RuleScore("clip_score_low", 4, 8, 1, 0.125, 0.25)]) == []


def test_relevance_area_compares_sound_pairs_with_swapped_ones():
    found = [ledger("1", clip=0.6), ledger("2", clip=0.2), ledger("3", clip=0.4), ledger("4", rule="caption_url")]
    planted = [truth("1", ""), truth("2", "clip_score_low"), truth("3", ""), truth("4", "caption_url")]
    assert relevance_area(found, planted) == 1.0
    assert relevance_area(found[:1], planted) is None


def test_a_tie_counts_half():
    assert area_under_curve(np.array([0.5, 0.9]), np.array([0.5, 0.1])) == 0.875


def test_the_demo_config_loads_and_names_the_worlds_own_model():
    config = load_config(Path(__file__).parent / "world" / "demo.yaml", CaptionConfig)
    assert (config.relevance.model, config.relevance.pretrained) == ("local-dir:tests/world/clip", "")
    assert config.concepts.vocabulary in (Path(__file__).parents[1] / "Makefile").read_text()


@pytest.mark.slow
def test_the_worlds_clip_tells_matched_from_swapped_captions():
    open_clip = pytest.importorskip("open_clip")
    torch = pytest.importorskip("torch")
    folder = f"local-dir:{Path(__file__).parent / 'world' / 'clip'}"
    model, preprocess = open_clip.create_model_from_pretrained(folder)
    tokenizer, seed, count = open_clip.get_tokenizer(folder), 99, 60
    texts = [compose(seed, index).captions[0] for index in range(count)]
    wrong = [swapped_scene(seed, index, 1000).captions[0] for index in range(count)]
    with torch.no_grad():
        images = torch.stack([preprocess(draw_scene(seed, index).picture) for index in range(count)])
        seen = model.encode_image(images, normalize=True)
        matched, swapped = ((seen * model.encode_text(tokenizer(t), normalize=True)).sum(-1) for t in (texts, wrong))
    assert area_under_curve(matched.numpy(), swapped.numpy()) > 0.97
    assert (matched > 0.3).float().mean() > 0.95 and (swapped < 0.3).float().mean() > 0.95


def test_the_captioner_spoils_a_share_by_the_caption_alone_and_says_how():
    captions = [caption_of(compose(0, index), 0, index) for index in range(300)]
    written = [write(caption) for caption in captions]
    assert written == [write(caption) for caption in captions]
    spoiled = [one for one in written if one.spoil]
    assert 35 < len(spoiled) < 85 and {one.spoil for one in spoiled} <= SPOILS.keys()
    assert all(one.text != refine(caption) for caption, one in zip(captions, written, strict=True) if one.spoil)
    assert refine("This picture shows one red cross, small") == "One red cross, small."


def test_the_guards_score_counts_spoiled_texts_that_were_turned_away():
    captions = [caption_of(compose(0, index), 0, index) for index in range(60)]
    rows = [{"caption": c, "recaption": "x", "recaption_rule": "r" if write(c).spoil else None} for c in captions]
    assert score_guard(rows)[-1][3:] == (score_guard(rows)[-1].planted, 1.0, 1.0)
    assert score_guard([{**rows[0], "recaption": None}]) == []
