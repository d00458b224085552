"""`beamsift classifier` from the command line: a round of labels on the toy world, and every refusal."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from classifiers.clip import ClipScorer
from classifiers.heads import Head, load_head
from configs.schema.classifier import ClassifierConfig
from pipelines.classifier import choose_next
from pipelines.cli import main
from pipelines.labelled_pictures import Pictures, Seen
from tests.classifiers.test_heads import card
from tests.classifiers.tiny_clip import save_tiny_clip
from tests.pipelines.test_labelled_pictures import png
from tests.world.page_pictures import as_jpeg, draw_labelled, write_folder
from tests.world.train_heads import CLIP
from transforms.records import Span

pytest.importorskip("torch")
pytest.importorskip("open_clip")
TINY_HEAD = ["--set", "head.l2=[1e-2]", "--set", "head.folds=2"]
MODEL = ["relevance.device=cpu", "relevance.precision=fp32", "relevance.pretrained=", f"relevance.model={CLIP.model}"]


def classifier(verb: str, *words: str, model: list[str] = MODEL) -> int:
    settings = [word for value in model for word in ("--set", value)]
    return main(["classifier", verb, *map(str, words), *settings, *TINY_HEAD])


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """12 labelled pictures of each of four classes, a broken one and a copy; 10 more of each without labels; a fit."""
    folder = tmp_path_factory.mktemp("classifier")
    write_folder(folder / "train", "page_pictures", 1, 12)
    (folder / "train" / "content" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (folder / "train" / "content" / "copy.jpg").write_bytes((folder / "train" / "content" / "0000.jpg").read_bytes())
    write_folder(folder / "pool", "page_pictures", 2, 10)
    assert classifier("fit", "--input", folder / "train", "--output", folder / "fit") == 0
    return folder


def test_a_fit_leaves_a_head_a_card_its_labels_and_a_page(world, capsys):
    fit = world / "fit"
    head = load_head(str(fit / "head.safetensors"))
    assert head.classes == ("advertisement", "content", "decoration", "qr_code")
    assert json.loads((fit / "card.json").read_text())["training"]["counts"] == dict.fromkeys(head.classes, 12)
    assert len((fit / "labels.jsonl").read_text().splitlines()) == 48
    page = (fit / "page.html").read_text("utf-8")
    for anchor in ("overview", "classes", "curves", "calibration", "confusion", "mistakes", "decay", "left-out"):
        assert f'id="{anchor}"' in page
    assert "content/broken.jpg" in page and "PictureTruncated" in page
    assert "<script" not in page and "default-src 'none'" in page


def test_the_same_labels_give_the_same_bytes_and_ask_clip_nothing(world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ClipScorer, "load", None)
    cache = ["--cache", world / "fit" / "embeddings"]
    assert classifier("fit", "--input", world / "train", "--output", tmp_path / "again", *cache) == 0
    for name in ("head.safetensors", "card.json", "labels.jsonl", "page.html"):
        assert (tmp_path / "again" / name).read_bytes() == (world / "fit" / name).read_bytes()
    assert "accuracy 0." in capsys.readouterr().out
    labels = ["--pool", world / "train", "--labels", world / "fit" / "labels.jsonl"]
    assert classifier("fit", *labels, "--output", tmp_path / "labels", *cache) == 0
    assert (tmp_path / "labels" / "head.safetensors").read_bytes() == (world / "fit" / "head.safetensors").read_bytes()


def test_a_round_of_labels(world, tmp_path, capsys):
    """label-next, filled from the truth (the folder of the pool), goes into the next fit; evaluate judges both."""
    head = world / "fit" / "head.safetensors"
    pool = ["--pool", world / "pool"]
    assert classifier("label-next", "--head", head, *pool, "--count", "12", "--output", tmp_path / "next") == 0
    path = tmp_path / "next" / "to_label.csv"
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert [row["number"] for row in rows] == [str(n) for n in range(1, 13)] and {row["class"] for row in rows} == {""}
    assert all(f'id="n{row["number"]}"' in (tmp_path / "next" / "page.html").read_text("utf-8") for row in rows)
    for row in rows:
        row["class"] = Path(row["picture"]).parent.name
    filled = tmp_path / "filled.csv"
    with filled.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    again = ["--input", world / "train", *pool, "--labels", filled, "--output", tmp_path / "fit2"]
    assert classifier("fit", *again, "--cache", world / "fit" / "embeddings") == 0
    card = json.loads((tmp_path / "fit2" / "card.json").read_text())
    assert sum(card["training"]["counts"].values()) == 60
    again = ["--head", head, *pool, "--labels", filled, "--count", "40", "--output", tmp_path / "rest"]
    assert classifier("label-next", *again, "--format", "jsonl") == 0
    left = [json.loads(line)["sha256"] for line in (tmp_path / "rest" / "to_label.jsonl").read_text().splitlines()]
    assert len(left) <= 28 and not {row["sha256"] for row in rows} & set(left)


def test_a_filled_template_is_not_written_over(world, tmp_path, capsys):
    words = ["--head", world / "fit" / "head.safetensors", "--pool", world / "pool", "--count", "3"]
    assert classifier("label-next", *words, "--output", tmp_path) == 0
    assert classifier("label-next", *words, "--output", tmp_path) == 0  # the same template: nothing is lost
    path = tmp_path / "to_label.csv"
    path.write_text(path.read_text("utf-8").replace(",\n", ",map\n"), "utf-8")
    assert classifier("label-next", *words, "--output", tmp_path) == 2
    assert "expected no other template, found one" in capsys.readouterr().err
    assert ",map\n" in path.read_text("utf-8")


def test_an_evaluation_on_other_pictures(world, tmp_path, capsys):
    words = ["--head", world / "fit" / "head.safetensors", "--input", world / "pool", "--output", tmp_path]
    assert classifier("evaluate", *words) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["pictures"] == 40 and found["accuracy"] > 0.6 and len(found["confusion"]) == 4
    assert found["head"] == load_head(str(world / "fit" / "head.safetensors")).fingerprint()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("data:image/webp;base64,") == round(40 * (1 - found["accuracy"]))
    assert f"accuracy {found['accuracy']:.4f}" in capsys.readouterr().out


def test_what_is_doubtful_is_picked_and_no_two_alike():
    """A head of two classes whose border is the first axis: sure points, and pairs of equal points near the border."""
    tensors = {"weight": np.array([[9.0, 0, 0], [-9.0, 0, 0]], dtype="f4"), "bias": np.zeros(2, dtype="f4")}
    head = Head(replace(card(), classes=("a", "b"), dimensions=3, temperature=1.0), tensors)
    sure = [[0.9, 0.3, 0.3], [-0.9, 0.3, -0.3]] * 20
    doubtful = [[0.02, 1, 0], [0.02, 1, 0.01], [-0.02, 0, 1], [-0.02, 0.01, 1], [0.01, -1, 0], [0.01, -1, 0.01]]
    points = np.array(sure + doubtful, dtype=np.float16)
    pool = Pictures([Seen(f"p{i}", f"{i:064x}", "", Span("p", 0, 1, "file")) for i in range(len(points))])
    rows, _ = choose_next(head, pool, points, ({}, 3, ClassifierConfig()))
    assert {(row - 40) // 2 for row in rows} == {0, 1, 2}
    rows, _ = choose_next(head, pool, points, ({f"{40:064x}": "a"}, 2, ClassifierConfig()))
    assert {(row - 40) // 2 for row in rows} == {1, 2}


@pytest.fixture
def small(tmp_path) -> Path:
    for name, colours in {"map": ("red", "gold", "navy"), "chart": ("pink", "teal")}.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for colour in colours:
            (tmp_path / "set" / name / f"{colour}.png").write_bytes(png(colour))
    return tmp_path / "set"


def refused(capsys, verb: str, *words, model: list[str] = MODEL) -> str:
    assert classifier(verb, *words, model=model) == 2
    return capsys.readouterr().err


def test_labels_that_cannot_give_a_head_are_refused_before_clip_is_asked(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ClipScorer, "load", None)
    out = ["--output", tmp_path / "out"]
    told = refused(capsys, "fit", "--input", small, *out)
    assert "expected 10 different pictures of each class (head.least_pictures), found 2 of 'chart', 3 of 'map'" in told
    told = refused(capsys, "fit", "--input", small / "map" / "..", "--label", "class", *out)
    assert "--label: expected cls or json.PATH" in told
    (small / "one").mkdir()
    (small / "one" / "x").mkdir()
    assert "found an empty folder" in refused(capsys, "fit", "--input", small / "one", *out)
    (small / "one" / "x" / "a.png").write_bytes(png("red"))
    assert "expected two classes or more, found ['x']" in refused(capsys, "fit", "--input", small / "one", *out)
    assert "--precision: expected a share" in refused(capsys, "fit", "--input", small, *out, "--precision", "95")
    assert "expected --input, or --pool with --labels" in refused(capsys, "fit", *out)
    assert "expected a readable YAML" in refused(capsys, "fit", "--input", small, *out, "--config", "none.yaml")
    assert not (tmp_path / "out").exists()


def test_a_head_of_another_clip_or_other_classes_is_refused(world, small, tmp_path, capsys):
    head = ["--head", world / "fit" / "head.safetensors", "--output", tmp_path / "out"]
    other = [*MODEL[:3], f"relevance.model={save_tiny_clip(tmp_path / 'clip')}"]
    for verb, source in (("evaluate", "--input"), ("label-next", "--pool")):
        told = refused(capsys, verb, *head, source, world / "pool", model=other)
        assert "expected a head of the CLIP model" in told and "(clip)" in told
    told = refused(capsys, "evaluate", *head, "--input", small)
    assert "expected classes of the head (advertisement, content, decoration, qr_code), found chart, map" in told
    assert "expected --pool and --count" in refused(capsys, "label-next", *head)
    head[1] = tmp_path / "none.safetensors"
    assert "expected a head's .safetensors file" in refused(capsys, "evaluate", *head, "--input", small)


def test_labels_of_shards(world, tmp_path, capsys):
    import io
    import tarfile

    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for number, name in enumerate(("qr_code", "decoration") * 3):
            data = as_jpeg(draw_labelled("page_pictures", name, 5, number))
            for suffix, body in (("jpg", data), ("cls", name.encode())):
                info = tarfile.TarInfo(f"{number}.{suffix}")
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
    head = ["--head", world / "fit" / "head.safetensors", "--input", tmp_path / "*.tar", "--output", tmp_path / "out"]
    assert classifier("evaluate", *head) == 0
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert found["classes"]["qr_code"]["pictures"] == 3 and found["classes"]["content"]["recall"] is None
