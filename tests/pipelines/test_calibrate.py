"""`beamsift calibrate` on a small drawn pool: picked by hash, thresholds for each goal, files, and refusals."""

import argparse
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs.schema.caption import CaptionConfig, ReadRules
from configs.schema.strict import ConfigError
from pipelines.calibrate import Goal, add_arguments, calibrate, run
from pipelines.calibration_page import as_json, explain, format_page, format_table
from pipelines.calibration_pairs import Pair, Pairs, pick_pairs, read_probe
from transforms.calibration import CalibrationError
from transforms.relevance import PairScores

COLOURS = ["black", "navy", "teal", "green", "olive", "gold", "orange", "red", "maroon", "purple", "pink", "white"]


def png(colour: str, side: int = 24) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(made, "PNG")
    return made.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def pool(folder: Path, start: int = 0, end: int = len(COLOURS), name: str = "0.tar") -> str:
    members = {}
    for colour in COLOURS[start:end]:
        members |= {f"{colour}.png": png(colour), f"{colour}.txt": f"a {colour} square".encode()}
    return write_tar(folder / name, members)


class Scripted:
    """A scorer whose cosine is 0.6 for the colour the caption names, less for others, shifted and scaled."""

    def __init__(self, model: str = "scripted", scale: float = 1.0, shift: float = 0.0) -> None:
        self.rules = CaptionConfig().relevance.model_copy(update={"model": model, "pretrained": ""})
        self.precision, self._scale, self._shift = "fp32", scale, shift

    def fingerprint(self) -> str:
        return f"{self.rules.model}-0"

    def predict(self, batch):
        return [
            PairScores(tuple(self._score(p, c) for c in captions), (False,) * len(captions)) for p, captions in batch
        ]

    def _score(self, pixels: np.ndarray, caption: str) -> float:
        named = Image.new("RGB", (1, 1), caption.split()[1])
        distance = np.abs(pixels[0, 0].astype(float) - np.asarray(named)[0, 0]).mean() / 255
        own = (pixels[0, 0].astype(float) @ [3, 2, 4]) / 22_950
        return round(float((0.6 - distance + own) * self._scale + self._shift), 4)


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_a_sample_of_the_pool_is_picked_by_hash_whatever_the_shards(tmp_path):
    whole = pick_pairs([pool(tmp_path)], 5, 0, ReadRules())
    (tmp_path / "cut").mkdir()
    pool(tmp_path / "cut", 6, name="0.tar")
    pool(tmp_path / "cut", 0, 6, name="1.tar")
    cut = pick_pairs([str(tmp_path / "cut" / "*.tar")], 5, 0, ReadRules())
    assert [pair.caption for pair in whole.found] == [pair.caption for pair in cut.found]
    assert len(whole.found) == 5 and whole.seen == 12
    other = pick_pairs([pool(tmp_path)], 5, 1, ReadRules())
    assert {pair.caption for pair in other.found} != {pair.caption for pair in whole.found}


def test_a_larger_sample_holds_the_smaller_one(tmp_path):
    tar = pool(tmp_path)
    few, many = (pick_pairs([tar], samples, 0, ReadRules()).found for samples in (3, 50))
    assert many[:3] == few and len(many) == len(COLOURS)


def test_what_is_no_pair_is_counted(tmp_path):
    members = {"a.png": png("red"), "b.png": png("red"), "b.txt": b"  ", "c.txt": b"a red square"}
    members |= {"d.png": png("red"), "d.txt": b"a red square", "e.png": b"", "e.txt": b"a red square"}
    found = pick_pairs([write_tar(tmp_path / "0.tar", members)], 9, 0, ReadRules())
    assert [pair.caption for pair in found.found] == ["a red square"]
    assert sum(found.left_out.values()) == 4 and found.left_out["without caption"] == 2


def test_a_pool_without_pairs_stops(tmp_path):
    with pytest.raises(ConfigError, match="expected samples with a picture and a caption, found 1 without"):
        pick_pairs([write_tar(tmp_path / "0.tar", {"a.png": png("red")})], 9, 0, ReadRules())


def test_the_threshold_keeps_the_share_that_the_reference_keeps(tmp_path):
    pairs = pick_pairs([pool(tmp_path)], 50, 0, ReadRules())
    candidate, reference = Scripted("candidate", 0.5, -0.1), Scripted("reference")
    goal = Goal(reference.rules.model_copy(update={"min_score": 0.65}))
    found = calibrate(pairs, [candidate, reference], goal, CaptionConfig())
    assert found.candidate.kept_share == found.reference.kept_share
    assert 0 < found.reference.kept_share < 1
    assert found.interval.low <= found.candidate.threshold <= found.interval.high
    assert (found.right, found.wrong) == (12, 12)
    assert found.candidate.auc == found.reference.auc > 0.7


def test_a_wanted_precision_is_reached_against_shuffled_captions(tmp_path):
    pairs = pick_pairs([pool(tmp_path)], 50, 0, ReadRules())
    found = calibrate(pairs, [Scripted()], Goal(precision=0.9), CaptionConfig())
    assert found.reference is None
    assert found.candidate.precision >= 0.9


def test_a_wanted_share_is_kept(tmp_path):
    pairs = pick_pairs([pool(tmp_path)], 50, 0, ReadRules())
    assert calibrate(pairs, [Scripted()], Goal(kept_share=0.75), CaptionConfig()).candidate.kept_share == 0.75


def test_labels_decide_where_there_are_some():
    pairs = [Pair(png(c), f"a {c} square", c, True) for c in COLOURS[:6]]
    pairs += [Pair(png(c), f"a {d} square", c, False) for c, d in zip(COLOURS[:6], COLOURS[6:], strict=True)]
    found = calibrate(Pairs(pairs), [Scripted()], Goal(precision=1.0), CaptionConfig())
    assert (found.labelled, found.right, found.wrong) == (True, 6, 6)
    assert found.candidate.precision == 1.0
    assert "against the labels of the probe" in format_page(found)


def test_a_picture_that_does_not_decode_is_left_out_and_counted():
    pairs = [Pair(png(c), f"a {c} square", c) for c in COLOURS] + [Pair(b"\x89PNG\r\n\x1a\n", "a red square", "broken")]
    found = calibrate(Pairs(pairs), [Scripted()], Goal(kept_share=0.5), CaptionConfig())
    assert found.right == 12
    assert sum(found.left_out.values()) == 1


def test_a_model_that_cannot_tell_is_refused():
    pairs = [Pair(png("red"), "a red square", str(i)) for i in range(4)]
    with pytest.raises(CalibrationError, match="expected a threshold of precision"):
        calibrate(
            Pairs([*pairs, Pair(png("red"), "a  blue square", "5")]), [Level()], Goal(precision=0.9), CaptionConfig()
        )


class Level(Scripted):
    """Knows nothing."""

    def _score(self, pixels, caption):
        return 0.2


def test_table_page_and_json_tell_the_same(tmp_path):
    pairs = pick_pairs([pool(tmp_path)], 50, 0, ReadRules())
    scorers = [Scripted("<candidate>", 0.5), Scripted("reference")]
    found = calibrate(pairs, scorers, Goal(scorers[1].rules.model_copy(update={"min_score": 0.65})), CaptionConfig())
    table, page, plain = format_table(found), format_page(found), as_json(found)
    assert f"--set relevance.min_score={plain['threshold']:g}" in table and f"{plain['threshold']:.4f}" in page
    assert plain["pairs"] == {"matched": 12, "shuffled": 12}
    assert plain["reference"]["threshold"] == 0.65 and plain["candidate"]["fingerprint"] == "<candidate>-0"
    assert (
        page.count("<svg") == 2
        and "<candidate>" not in page
        and "http:" not in page
        and "https:" not in page
        and "<script" not in page
    )
    assert "kept share of reference at 0.65" in explain(found)
    again = calibrate(pairs, scorers, Goal(scorers[1].rules.model_copy(update={"min_score": 0.65})), CaptionConfig())
    assert (format_page(again), as_json(again)) == (page, plain)


def test_a_probe_is_read_beside_its_pictures(tmp_path):
    (tmp_path / "red.png").write_bytes(png("red"))
    lines = [{"picture": "red.png", "caption": f"a {c} square", "label": n} for c, n in (("red", 1), ("blue", 0))]
    (tmp_path / "probe.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    found = read_probe(str(tmp_path / "probe.jsonl"), ReadRules()).found
    assert [(pair.caption, pair.label) for pair in found] == [("a red square", True), ("a blue square", False)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"picture": "red.png", "caption": "a"}', r"probe.jsonl:1: expected picture, caption and label 0 or 1"),
        ('{"picture": "red.png", "caption": "a", "label": 2}', r"probe.jsonl:1: .*2"),
        ('{"picture": "no.png", "caption": "a", "label": 1}', r"probe.jsonl:1: .*no.png"),
        ('{"picture": "probe.jsonl", "caption": "a", "label": 1}', r"probe.jsonl:1: "),
        ("not json", r"probe.jsonl:1: "),
        ('{"picture": "red.png", "caption": "a", "label": 1}', r"of label 0 and of label 1, found 1 of one kind"),
        ("", r"of label 0 and of label 1, found 0"),
    ],
)
def test_a_probe_of_another_shape_stops(tmp_path, line, message):
    (tmp_path / "red.png").write_bytes(png("red"))
    (tmp_path / "probe.jsonl").write_text(line)
    with pytest.raises(ConfigError, match=message):
        read_probe(str(tmp_path / "probe.jsonl"), ReadRules())


def test_a_missing_probe_stops(tmp_path):
    with pytest.raises(ConfigError, match="expected a JSONL file"):
        read_probe(str(tmp_path / "no.jsonl"), ReadRules())


def test_the_command_writes_both_files(tmp_path, capsys):
    pytest.importorskip("open_clip")
    from tests.classifiers.tiny_clip import save_tiny_clip

    one, other = save_tiny_clip(tmp_path / "one"), save_tiny_clip(tmp_path / "other", seed=1)
    words = ["--input", pool(tmp_path), "--model", one, "--reference-model", other, "--reference-threshold", "0.0"]
    assert run(parse(*words, "--output", str(tmp_path / "out"))) == 0
    plain = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert plain["format"] == "beamsift-calibration-1"
    assert plain["candidate"]["kept_share"] == plain["reference"]["kept_share"]
    assert f"--set relevance.min_score={plain['threshold']:g}" in capsys.readouterr().out
    first = (tmp_path / "out" / "calibration.html").read_bytes()
    assert run(parse(*words, "--output", str(tmp_path / "again"))) == 0
    assert (tmp_path / "again" / "calibration.html").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kept-share", "1.5"], "--kept-share: expected a share above 0 and up to 1, found 1.5"),
        (["--precision", "0"], "--precision: expected a share"),
        (["--precision", "0.9", "--samples", "1"], "--samples: expected 2 or more, found 1"),
        (["--precision", "0.9", "--set", "relevance.no=1"], "relevance.no"),
        (["--precision", "0.9", "--model", "local-dir:no/such"], "expected a folder of an open_clip model"),
        (["--precision", "0.9", "--model", "ViT-B-16"], "expected a weights tag or a checkpoint path for 'ViT-B-16'"),
        (["--reference-model", "x", "--reference-threshold", "3"], "--reference-threshold: expected a cosine, found 3"),
    ],
)
def test_wrong_arguments_are_told_and_nothing_is_written(tmp_path, words, message, capsys):
    assert run(parse("--input", "no.tar", "--output", str(tmp_path / "out"), *words)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [[], ["--input", "a"], ["--input", "a", "--precision", "0.9", "--kept-share", "0.5"]])
def test_one_source_and_one_goal_are_asked_for(words, capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--output", "o", *words)
    assert stop.value.code == 2
