"""Heads in the interleaved web pipeline: one look at a picture, classes that go, weights that order, and the laws."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("torch")
pytest.importorskip("open_clip")
pytest.importorskip("zxingcpp")

from classifiers.heads import Head, format_head, load_head
from pipelines.cli import main
from pipelines.finish import finished_manifest
from pipelines.ledger import find_rows, open_ledger, run_config, samples_by_unit
from pipelines.what_if import override
from pipelines.why import locate
from tests.pipelines.damage import problems, read_samples
from tests.pipelines.whole_runs import ROOT, run_killed, shards_of, standing
from tests.world.web_pages import write_web
from transforms.knowledge import draw_order
from transforms.records import Sample, is_shown, pictures
from transforms.web_documents import decide_again

pytestmark = pytest.mark.beam

HEADS = ROOT / "tests/world/heads"
MODEL = (f"passages.model=local-dir:{ROOT}/tests/world/clip", "passages.pretrained=", "passages.min_score=-1")
KNOWLEDGE = ("knowledge.enabled=true", f"knowledge.head={HEADS}/knowledge.safetensors")
ALL = (*MODEL, *KNOWLEDGE, "knowledge.order=weighted", "passages.enabled=true", "classifier.enabled=true")
ALL = (*ALL, f"classifier.head={HEADS}/page_pictures.safetensors", "output.samples_per_shard=4")


def line(inputs: list[str], output: Path, *more: str, sets: tuple[str, ...] = ALL) -> list[str]:
    given = [word for one in sets for word in ("--set", one)]
    return ["run", "interleaved_web", "--input", *inputs, "--output", str(output), *given, *more]


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    """Two archives of 7 pages, with pictures that only a classifier finds."""
    folder, inputs = tmp_path_factory.mktemp("web"), []
    for seed in (3, 5):
        write_web(folder / str(seed), seed, 7, unmarked=True)
        inputs.append(str((folder / str(seed) / "raw/pages.warc.gz").rename(folder / f"{seed}.warc.gz")))
    return inputs


@pytest.fixture(scope="module")
def finished(pool, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("heads")
    assert main(line(pool, output)) == 0
    return output


@pytest.fixture(scope="module")
def rows(finished) -> list[Sample]:
    return [row.sample for row in samples_by_unit(str(finished))]


def test_every_picture_that_was_shown_has_both_heads_measures_and_its_score(rows):
    shown = [picture for row in rows for picture in pictures(row) if "class" in picture.measures]
    gone = {picture.drop.rule for picture in shown if picture.drop}
    assert gone == {"picture_class_advertisement", "picture_class_decoration", "picture_class_qr_code"}
    for picture in shown:
        parts = [v for name, v in picture.measures.items() if name.startswith("class_")]
        assert len(parts) == 4 and sum(parts) == pytest.approx(1, abs=3e-4)
        assert "knowledge_map" in picture.measures and "passage_score" in picture.measures
    assert all("class" in p.measures for row in rows if row.alive for p in pictures(row) if is_shown(p))


def test_documents_lie_in_the_order_that_their_weights_drew(finished, rows):
    manifest = finished_manifest(str(finished))
    found = [json.loads(dict(sample)[f"{key}.json"]) for key, sample in written(finished, manifest)]
    weights = {one["key"]: one["beamsift"]["measures"]["knowledge_weight"] for one in found}
    assert list(weights) == sorted(weights, key=lambda key: draw_order(key, weights[key], 0))
    counted = manifest.counts["knowledge"]
    assert (counted["documents"], counted["weight"]) == (len(weights), pytest.approx(sum(weights.values())))
    assert 1.0 in weights.values() and max(weights.values()) > 3.5
    assert list(weights) != [row.key for row in rows if row.alive]
    assert problems(finished) == {}


def written(output: Path, manifest) -> list[tuple[str, list[tuple[str, bytes]]]]:
    samples = [sample for shard in manifest.shards for sample in read_samples(output / shard.name)]
    return [(sample[-1][0].removesuffix(".json"), sample) for sample in samples]


def test_why_knows_where_a_document_lies(finished):
    manifest = finished_manifest(str(finished))
    keys = [key for key, _ in written(finished, manifest)]
    with open_ledger(str(finished)) as connection:
        told = [locate(find_rows(str(finished), key)[0], manifest, connection, "knowledge_order") for key in keys]
    assert [one.rank for one in told] == list(range(len(keys)))


def test_verify_finds_a_weight_that_the_manifest_does_not_bear_out(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    told = json.loads((copy / "manifest.json").read_text())
    told["counts"]["knowledge"]["weight"] += 1
    told["counts"]["classes"]["content"] -= 1
    (copy / "manifest.json").write_text(json.dumps(told))
    assert [len(found) for found in problems(copy).values()] == [2]


def test_what_if_is_what_another_run_makes(pool, finished, tmp_path, capsys):
    other = ("classifier.max_probability.decoration=1", "knowledge.boost=1", "knowledge.combine=sum")
    assert main(["what-if", str(finished), *(word for one in other for word in ("--set", one))]) == 0
    assert "dropped picture_class_decoration" in capsys.readouterr().out
    cfg = run_config(finished_manifest(str(finished)), str(finished))
    units, before = zip(*samples_by_unit(str(finished)), strict=True)
    again = decide_again(before, units, override(cfg, other), None)
    limits = cfg.classifier.max_probability | {"decoration": 1}
    run = (*ALL, f"classifier.max_probability={json.dumps(limits)}", *other[1:])
    assert main(line(pool, tmp_path, sets=run)) == 0
    made = [row.sample for row in samples_by_unit(str(tmp_path))]
    assert [(one.drop, one.measures) for one in again] == [(one.drop, one.measures) for one in made]
    assert [[p.drop for p in one.pieces] for one in again] == [[p.drop for p in one.pieces] for one in made]


@pytest.mark.parametrize("one", ["knowledge.classes=[atlas]", "classifier.max_probability.atlas=0.5"])
def test_a_class_that_no_head_knows_is_said(finished, pool, tmp_path, capsys, one):
    assert main(["what-if", str(finished), "--set", one]) == 2
    assert main(line(pool, tmp_path, "--set", one)) == 2
    assert capsys.readouterr().err.count("expected classes of the head") == 2


def test_another_head_needs_a_run(finished, capsys):
    assert main(["what-if", str(finished), "--set", "knowledge.head=other.safetensors"]) == 2
    assert "knowledge.head changes the measuring" in capsys.readouterr().err


def test_killed_among_the_heads_and_resumed_in_another_order_with_every_bundle_twice(pool, finished, tmp_path):
    run_killed("transforms.beam.ask_heads:create_sidecar", 2, line(pool, tmp_path))
    before = standing(tmp_path, "work/clip", "work/heads")
    assert len(before) == 3 and main(line(pool[::-1], tmp_path, "--direct_runner_bundle_repeat=2")) == 0
    assert before.items() <= standing(tmp_path, "work/clip", "work/heads").items()
    assert shards_of(tmp_path) == shards_of(finished)


def test_another_head_asks_the_same_embeddings(pool, finished, tmp_path):
    """CLIP runs once: its sidecars stay, and with them what the passages were scored."""
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "manifest.json").unlink()
    head = load_head(str(HEADS / "knowledge.safetensors"))
    weaker = Head(head.card, {name: tensor / 2 for name, tensor in head.tensors.items()})
    (tmp_path / "weaker.safetensors").write_bytes(format_head(weaker))
    before = standing(copy, "work/clip", "work/scan", "work/look")
    asked = line(pool, copy, sets=(*ALL, f"knowledge.head={tmp_path}/weaker.safetensors"))
    assert main(asked) == 0
    assert standing(copy, "work/clip", "work/scan", "work/look") == before
    sums = [json.loads((one / "manifest.json").read_text())["counts"]["knowledge"] for one in (copy, finished)]
    assert sums[0]["weight"] < sums[1]["weight"] and problems(copy) == {}
    (tmp_path / "weaker.safetensors").write_bytes((HEADS / "knowledge.safetensors").read_bytes())
    assert main(asked) == 2  # the same name with other content is another recipe


def test_knowledge_alone_looks_at_pictures_and_asks_no_passage(pool, tmp_path):
    assert main(line(pool[:1], tmp_path, sets=(*MODEL, *KNOWLEDGE))) == 0
    found = [picture for row in samples_by_unit(str(tmp_path)) for picture in pictures(row.sample)]
    seen = [picture for picture in found if "knowledge" in picture.measures]
    assert seen and not any({"class", "passage_score"} & picture.measures.keys() for picture in found)
    counts = json.loads((tmp_path / "manifest.json").read_text())["counts"]
    assert "classes" not in counts and counts["knowledge"]["documents"] == counts["kept"]
    page = (tmp_path / "report.html").read_text()
    assert "Kept documents by the weight" in page and problems(tmp_path) == {}


def test_a_head_of_another_clip_model_is_refused_before_anything_is_read(pool, tmp_path, capsys):
    weights = tmp_path / "clip"
    shutil.copytree(ROOT / "tests/world/clip", weights)
    config = json.loads((weights / "open_clip_config.json").read_text())
    (weights / "open_clip_config.json").write_text(json.dumps(config | {"note": "another"}))
    assert main(line(pool, tmp_path / "out", "--set", f"passages.model=local-dir:{weights}")) == 2
    assert "expected a head of the CLIP model" in capsys.readouterr().err
    assert main(line(pool, tmp_path / "out", "--set", "knowledge.head=none.safetensors")) == 2
    assert "none.safetensors: expected a head's .safetensors file" in capsys.readouterr().err


def test_the_report_and_the_card_tell_of_classes_and_weights(finished):
    page, card = (finished / "report.html").read_text(), (finished / "README.md").read_text()
    told = page[page.index('id="pictures"') : page.index('id="throughput"')]
    for name in ("picture_class_advertisement", "page-image classifier was shown", "academic_chart", "Weight"):
        assert name in told
    documents = page[page.index('id="documents"') : page.index('id="failures"')]
    assert "<code>picture_class_" in documents and "weight 4" in documents
    assert "knowledge_weight" in card and "drawn by these weights" in card
