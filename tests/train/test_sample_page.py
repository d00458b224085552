"""The page of samples and the history behind it, from literals."""

import msgspec
import pytest

from configs.schema.train import TrainConfig
from tests.pipelines.dom import Dom
from train.held_out_captions import LOOKED_AT, Thumbnail
from train.sample_history import LAST, Evaluation, History, Shown, Written, read_history, with_evaluation
from train.sample_page import About, format_page, marked
from transforms.foreign_text import POLICY

EVIL = "<script>alert(1)</script>\" onload='x'"


def evaluation(step: int, text: str = "a red circle", number: int = 0) -> Evaluation:
    return Evaluation(step, {number: Written(text, 0.5, text.endswith("circle"))})


def page(history: History, **skipped: int) -> Dom:
    source = {"name": EVIL, "uri": "x"}
    report = {"samples": 2}
    cfg = TrainConfig.model_validate(
        {
            "stage": "pretrain",
            "context": 64,
            "batch": 1,
            "steps": 1000,
            "data": {"sources": [source], "held_out": [source]},
            "report": report,
        }
    )
    pictures = [Thumbnail("data:image/webp;base64,AA", 56, 28) for _ in history.shown]
    return Dom(format_page(About(EVIL, cfg, skipped), pictures, history))


def test_nothing_from_outside_is_markup():
    dom = page(History([Shown(EVIL, EVIL, EVIL)], [evaluation(100, EVIL)]), **{EVIL: 1})
    plain = page(History([Shown("a", "b", "c")], [evaluation(100, "d")]), e=1)
    assert [tag for tag, _ in dom.tags if tag != "mark"] == [tag for tag, _ in plain.tags if tag != "mark"]
    assert dom.text.count(EVIL) >= 7  # title, run, held out, kind, source, key, caption
    assert [attrs["content"] for tag, attrs in dom.tags if "http-equiv" in attrs] == [POLICY]


def test_it_says_how_often_a_caption_was_met():
    shown = [Shown("held", "k1", "a red circle"), Shown("held", "k2", "a blue square")]
    first = Evaluation(100, {0: Written("a blue", 3.0, False), 1: Written("a blue", 2.0, False)})
    last = Evaluation(1000, {0: Written("A red circle", 1.0, True)})
    text = " ".join(page(History(shown, [first, last])).text.split())
    assert "step 1,000 of 1,000" in text.replace("step1,000", "step 1,000")
    assert "1002.50050% 3 of 60 of 2" in text  # step, mean loss, words, ended
    assert "1,0001.000100% 3 of 31 of 1" in text
    assert "the picture could not be read this time" in text


def test_without_a_caption_it_says_so_and_how_far_it_looked():
    nothing = History([], [Evaluation(100, {})])
    told = "0 of 2 captioned pictures found. Passed over, as they are no captioned picture: conversation (20)"
    assert told in page(nothing, conversation=20).text
    assert f"pictures found in the first {LOOKED_AT:,} samples. Passed" in page(nothing, conversation=LOOKED_AT).text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A red, red cat & a", "<mark>A red</mark>, <mark>red</mark> cat &amp; <mark>a</mark>"),
        ("blue", "blue"),
        ("一个圆形", "一个<mark>圆形</mark>"),
        (" \n", ""),
    ],
)
def test_words_of_the_caption_are_marked(text, shown):
    assert marked(text, {"a", "red", "圆", "形"}) == (f'<bdi dir="auto">{shown}</bdi>' if shown else "")


def test_the_first_evaluation_stays_and_the_last_ones():
    history = History([Shown("held", "k", "c")], [])
    for step in range(10, 100, 10):
        history = with_evaluation(history, evaluation(step))
    steps = [one.step for one in history.evaluations]
    assert steps == [10, 50, 60, 70, 80, 90] and len(steps) == LAST + 1


def test_a_run_that_goes_on_makes_later_evaluations_again():
    history = History([Shown("held", "k", "c")], [evaluation(10), evaluation(20), evaluation(30)])
    again = with_evaluation(history, evaluation(20, "new"))
    assert again.evaluations == [evaluation(10), evaluation(20, "new")]
    assert with_evaluation(history, evaluation(5)).evaluations == [evaluation(5)]


def test_a_history_of_other_pictures_is_not_gone_on_with(tmp_path):
    kept, said = History([Shown("held", "k", "c")], [evaluation(10)]), []
    path = tmp_path / "samples.json"
    path.write_bytes(msgspec.json.encode(kept))
    assert read_history(path, kept.shown, said.append) == kept
    assert read_history(path, [Shown("held", "k", "other")], said.append).evaluations == []
    assert read_history(tmp_path / "none", kept.shown, said.append) == History(kept.shown, [])
    assert said == []


def test_a_broken_history_is_told_and_begins_anew(tmp_path):
    said = []
    (tmp_path / "samples.json").write_text('{"shown": []')
    assert read_history(tmp_path / "samples.json", [], said.append) == History([], [])
    assert "samples.json, found Input data was truncated; the page begins anew" in said[0]
