"""Near duplicates in whole runs: fates and shards the same however it runs, and decided again without pictures."""

import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam")

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from pipelines.decisions import disagreements, load_measured
from pipelines.ledger import samples_by_unit
from pipelines.what_if import what_if
from pipelines.why import why
from tests.pipelines.damage import problems
from tests.pipelines.whole_runs import QUICK, run_here, shards_of
from tests.transforms.pools import write_tar
from transforms.records import texts

pytestmark = pytest.mark.beam

NEAR = (*QUICK, "--set", "near_duplicates.enabled=true", "--set", "output.samples_per_shard=4")


def encoded(seed: int, side: int, quality: int = 90) -> bytes:
    """One of the smooth pictures, at some size and quality."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((480, 360), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.resize((side * 4 // 3, side), Image.Resampling.LANCZOS).save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    """Three tars of four pictures, each once a tar: small, large, small in few bytes; the last one there twice."""
    folder = tmp_path_factory.mktemp("near")
    for name, side, quality in (("a", 240, 90), ("b", 360, 90), ("c", 240, 20)):
        members = []
        for seed in range(4):
            members += [
                (f"{name}{seed}.jpg", encoded(seed, side, quality)),
                (f"{name}{seed}.txt", f"Picture {seed} {name}.".encode()),
            ]
        if name == "c":
            members += [("again.jpg", encoded(3, side, quality)), ("again.txt", b"Picture 3 for the second time.")]
        write_tar(folder, members, f"{name}.tar")
    return sorted(str(path) for path in folder.glob("*.tar"))


@pytest.fixture(scope="module")
def output(pool, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("near-out")
    assert run_here(pool, folder, *NEAR) == 0
    return folder


def fates(output: Path | str) -> dict[str, tuple[str, str]]:
    rows = (sample for _, sample in samples_by_unit(str(output)))
    return {row.key: (row.drop.rule, row.drop.detail) if row.drop else ("kept", "") for row in rows}


def test_the_largest_of_each_picture_stays(output):
    found = fates(output)
    assert {key for key, fate in found.items() if fate[0] == "kept"} == {"b0", "b1", "b2", "b3"}
    assert found["a0"] == ("image_near_duplicate", "b0") and found["c2"] == ("image_near_duplicate", "b2")
    assert found["c3"] == ("image_duplicate", "again") and found["again"] == ("image_near_duplicate", "b3")
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    assert counts["dropped"] == {"image_duplicate": 1, "image_near_duplicate": 8}


def test_the_run_is_sound_and_follows_from_its_measures(output):
    assert problems(output) == {}
    cfg = CaptionConfig.model_validate(json.loads((output / "manifest.json").read_text())["config"])
    assert list(disagreements(load_measured(str(output)), cfg)) == []


@pytest.mark.parametrize("more", [["--direct_runner_bundle_repeat=2"], ["--direct_num_workers=2"]])
def test_the_same_bytes_however_it_runs(pool, output, tmp_path, more):
    assert run_here(pool[::-1], tmp_path, *NEAR, *more) == 0
    assert shards_of(tmp_path) == shards_of(output)
    assert fates(tmp_path) == fates(output)


def test_what_if_tells_what_another_run_would_do(pool, output, tmp_path, capsys):
    more = ("--set", "near_duplicates.keep=longest_caption", "--set", "near_duplicates.max_distance=0")
    assert run_here(pool, tmp_path, *NEAR, *more) == 0
    kept = Counter(fate[0] for fate in fates(tmp_path).values())["kept"]
    capsys.readouterr()
    assert what_if(str(output), [one for one in more if one != "--set"]) == 0
    told = capsys.readouterr().out
    line = next(line for line in told.splitlines() if "│ kept" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")][2:4] == ["4", str(kept)]


def test_captions_of_copies_go_with_the_one_that_stays(pool, tmp_path):
    more = ("--set", "near_duplicates.keep_captions=true")
    assert run_here(pool, tmp_path, *NEAR, *more, "--direct_runner_bundle_repeat=2") == 0
    kept = {row.key: [text.value for text in texts(row, "copy_caption")] for _, row in samples_by_unit(str(tmp_path))}
    assert kept["b0"] == ["Picture 0 a.", "Picture 0 c."] and kept["b3"] == [
        "Picture 3 a.",
        "Picture 3 for the second time.",
    ]
    assert kept["a0"] == []
    assert problems(tmp_path) == {}
    cfg = CaptionConfig.model_validate(json.loads((tmp_path / "manifest.json").read_text())["config"])
    assert list(disagreements(load_measured(str(tmp_path)), cfg)) == []
    with tarfile.open(tmp_path / "shards" / "000000.tar") as shard:
        told = json.loads(shard.extractfile("b0.json").read())["beamsift"]["pieces"]
    assert [piece["text"] for piece in told if piece.get("role") == "copy_caption"] == kept["b0"]


def test_hashes_that_were_not_taken_need_the_pictures(output):
    with pytest.raises(ConfigError, match="near_duplicates.enabled changes the measuring"):
        what_if(str(output), ["near_duplicates.enabled=false"])


def test_why_names_the_picture_that_stays(output, capsys):
    assert why(str(output), "a0") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "3 that look the same, chosen: b0" in told
    assert "image_near_duplicate: near_copies 3 copies, limit 1 (b0)" in told
