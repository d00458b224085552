"""A conversation's card in the report: thoughts, answers and boxes apart, why it went, and nothing that is markup."""

import re
import time

from pipelines.report_pages.conversations import END, PIECES, TEXT, conversation_card, conversations, response
from tests.pipelines.test_report_documents import SPAN, Drawn
from transforms.records import Drop, Picture, Sample, Text
from transforms.response_format import BOX, BOX_END, Response, format_response


def looks(html: str) -> list[tuple[str, str]]:
    """(look, text) of the parts between tags."""
    return [
        (look, re.sub(r"<[^>]*>", "", said)) for look, said in re.findall(r'<span class="(\w+)">(.*?)</span>', html)
    ]


def card(*pieces: Picture | Text, drop: Drop | None = None, **measures: float | str) -> str:
    return conversation_card(Sample("k_1", "a.jsonl", 0, 0, pieces, "k/1", measures=measures, drop=drop), Drawn())


def test_thought_answer_and_box_are_told_apart():
    text = format_response(Response("Two and two.", f"It is {BOX}4{BOX_END}."), "glm-4.1v")
    assert looks(response(text)) == [("thought", "Two and two."), ("answer", "It is"), ("boxed", "4"), ("answer", ".")]
    assert looks(response("Four.")) == [("answer", "Four.")]
    assert looks(response("<think>Two")) == [("thought", "Two")]
    assert '<code class="tag">&lt;/think&gt;</code>' in response("a</think>b")


def test_a_long_thought_shows_its_end():
    told = response(f"<think>{'a' * 5000}so it is 4</think>4")
    assert "so it is 4" in told and "4,010 characters" in told
    assert len(told) < TEXT + END + 600
    assert "characters" not in response("a" * (TEXT + END))


def test_markup_is_text_and_a_hundred_thousand_boxes_cost_nothing():
    started = time.process_time()
    told = response("<script>" + f"{BOX}<b>{BOX_END}" * 100_000)
    assert "<script>" not in told and "<b>" not in told and told.endswith("…")
    assert time.process_time() - started < 1


def test_a_card_says_what_was_asked_and_why_it_went():
    pieces = (Text("", "user"), Picture(SPAN), Text("<i>How many?", "user"), Text("Seven.", "assistant"))
    told = card(*pieces, drop=Drop("answer_wrong", 0, 1, "7, expected 8"), reference="8", pass_rate=0.25)
    seen = re.sub(r"<[^>]*>", " ", told)
    assert seen.split() == (
        "answer_wrong 7, expected 8 k/1 k_1 · reference 8 · pass rate 0.25 user &lt;i&gt;How many? assistant Seven."
    ).replace("k_1 ·", "· k_1 ·").split()  # fmt: skip
    assert told.count("<small>user</small>") == 1
    assert told.index("<img>") < told.index("How many")
    assert "0.5, limit 0.1" in card(*pieces, drop=Drop("response_mixed_language", 0.5, 0.1))


def test_an_empty_turn_and_what_is_left_are_told():
    assert "<small>nothing</small>" in card(Text("", "user"), Text("a", "assistant"))
    assert "2 further texts and pictures" in card(*[Picture(SPAN)] * (PIECES + 2))
    assert conversations([], [], Drawn()) == ""
    assert ">Kept<" not in conversations([], [Sample("k", "a", 0, 0, drop=Drop("r", 1, 0))], Drawn())
