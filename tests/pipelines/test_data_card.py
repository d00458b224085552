"""Tests of the data card: what Hugging Face, Croissant and a reader find in it."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from PIL import Image

from pipelines.data_card import croissant, data_card, size_category
from tests.pipelines.made_run import make_run
from transforms.shards import Manifest, ShardWriter


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return make_run(tmp_path_factory.mktemp("run"), 60)


def front_matter(card: str) -> Any:
    _, front, _ = card.split("---\n", 2)
    return yaml.safe_load(front)


def test_front_matter_is_what_the_hub_reads(manifest: Manifest) -> None:
    assert front_matter(data_card(manifest)) == {
        "pretty_name": "beamsift caption c0ffeec0",
        "license": "other",
        "task_categories": ["image-to-text", "text-to-image"],
        "size_categories": ["n<1K"],
        "tags": ["webdataset", "croissant", "beamsift"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "shards/*.tar"}]}],
    }


def test_licence_and_name_are_the_users(manifest: Manifest) -> None:
    front = front_matter(data_card(manifest, name="cats: all of them", license_name="cc-by-4.0"))
    assert (front["pretty_name"], front["license"]) == ("cats: all of them", "cc-by-4.0")


@pytest.mark.parametrize(
    ("samples", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (100_000, "100K<n<1M"),
        (5_000_000, "1M<n<10M"),
        (10**9, "1B<n<10B"),
        (10**12, "n>1T"),
    ],
)
def test_size_category(samples: int, category: str) -> None:
    assert size_category(samples) == category


def test_counts_and_every_reason_stand_in_the_card(manifest: Manifest) -> None:
    card = data_card(manifest)
    for rule, rows in manifest.counts["dropped"].items():
        assert f"| `{rule}` | {rows:,} |" in card
    for error, rows in manifest.counts["failed"].items():
        assert f"| failed: `{error}` | {rows:,} |" in card
    assert f"{manifest.counts['kept']} samples in 1 WebDataset shard (" in card
    assert manifest.fingerprint in card
    assert "| seed | `0` |" in card


def test_one_shard_is_named_and_several_are_a_brace_range(manifest: Manifest) -> None:
    several = msgspec.structs.replace(manifest, shards=manifest.shards * 12)
    assert 'WebDataset("shards/000000.tar")' in data_card(manifest)
    assert 'WebDataset("shards/{000000..000011}.tar")' in data_card(several)


def test_an_empty_set_offers_nothing_to_load(manifest: Manifest) -> None:
    nothing = {"read": 0, "kept": 0, "dropped": {}, "failed": {}}
    empty = msgspec.structs.replace(manifest, shards=[], counts=nothing)
    assert "configs" not in front_matter(data_card(empty))
    assert "The set is empty" in data_card(empty)
    assert croissant(empty)["recordSet"] == []


def test_a_config_value_cannot_leave_its_code_block(manifest: Manifest) -> None:
    hostile = msgspec.structs.replace(manifest, config={"model": "x\n````\n# owned"})
    card = data_card(hostile)
    assert "\n`````yaml\n" in card
    assert card.rstrip().endswith("</details>")


def test_croissant_names_each_shard_with_its_hash(manifest: Manifest) -> None:
    shard = next(item for item in croissant(manifest)["distribution"] if item["@type"] == "cr:FileObject")
    assert shard["sha256"] == "ab" * 32
    assert (shard["contentUrl"], shard["contentSize"]) == ("shards/000000.tar", "123456789 B")


def test_croissant_says_its_version_and_its_ids_are_unique(manifest: Manifest) -> None:
    found = croissant(manifest)
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert found["@type"] == "sc:Dataset"
    ids = [item["@id"] for item in [*found["distribution"], *found["recordSet"]]]
    ids += [field["@id"] for one in found["recordSet"] for field in one["field"]]
    assert len(ids) == len(set(ids))


def test_mlcroissant_reads_the_texts_and_pictures_of_a_real_shard(manifest: Manifest, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Theirs, at import.
        mlcroissant = pytest.importorskip("mlcroissant")
    (tmp_path / "shards").mkdir()
    with open(tmp_path / "shards/000000.tar", "wb") as file:
        writer = ShardWriter(file, "shards/000000.tar")
        writer.add([("a1.png", png()), ("a1.txt", b"a cat"), ("a1.json", b"{}")])
        writer.add([("b2.0.png", png()), ("b2.1.png", png()), ("b2.txt", b"two dogs"), ("b2.json", b"{}")])
        shard = writer.finish()
    meta = croissant(msgspec.structs.replace(manifest, shards=[shard]))
    (tmp_path / "croissant.json").write_text(json.dumps(meta))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = mlcroissant.Dataset(jsonld=tmp_path / "croissant.json")
        texts = {row["samples/key"]: row["samples/text"] for row in dataset.records("samples")}
        keys = sorted(row["pictures/key"] for row in dataset.records("pictures"))
    assert texts == {b"a1": b"a cat", b"b2": b"two dogs"}
    assert keys == [b"a1", b"b2", b"b2"]


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    return out.getvalue()
