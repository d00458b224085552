"""Decisions about a conversation: every rule at its limit, in order, and what is switched off."""

import json

import pytest
from msgspec.structs import replace

from configs.schema.sft import SftConfig
from configs.schema.strict import ConfigError, parse_config
from transforms.conversations import conversation_pieces, parse_conversation
from transforms.records import Picture, Sample, Span
from transforms.response_format import BOX, BOX_END
from transforms.responses_measures import measure_conversation
from transforms.responses_prompts import PromptDuplicates
from transforms.responses_rules import decide_again, mark_unsound

CFG = SftConfig()


def config(values):
    return parse_config(values, SftConfig, "test")


def sample(*said, key="k", pixels=b"", **fields):
    """A conversation whose turns are those of user and assistant by turns."""
    roles = ["user", "assistant"] * len(said)
    record = {"messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]}
    conversation = parse_conversation(record)
    measures = measure_conversation(conversation, fields, CFG.read)
    pieces = list(conversation_pieces(conversation, []))
    pieces += [Picture(Span("a", 0, 1, "file"), pixels=pixels)] if pixels else []
    return Sample(key, "a.jsonl", 0, 0, tuple(pieces), meta=json.dumps(fields), measures=measures)


def fate(one, **values):
    drop = mark_unsound(one, config(values)).drop
    return drop.rule if drop else ""


def test_measures_of_a_conversation():
    text = f"<think>Three and four.</think>\n<answer>It is {BOX}7{BOX_END}.</answer>"
    assert sample("What is 3 + 4?", text, reference="7", pass_rate=0.25).measures == {
        "turns": 2, "responses": 1, "unanswered": 0, "pictures": 0, "prompt_characters": 14, "plain_responses": 0,
        "broken_41v": 0, "broken_45v": 1, "fault_45v": "<answer> in a form without it", "broken": 0,
        "broken_boxes": 0, "thoughts": 1, "thought_boxes": 0, "longest_thought": 15, "shortest_thought": 15,
        "longest_answer": 38, "shortest_answer": 38, "mixed_language": 0.0, "verifiable": 1, "boxes": 1,
        "boxed": "7", "reference": "7", "answer_equal": 1, "pass_rate": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "form", "rule"),
    [
        ("<think>a</think><answer>b</answer>", "either", ""),
        ("<think>a</think>b", "either", ""),
        ("b", "either", ""),
        ("<think>a</think>", "either", "response_tags"),
        ("", "either", "response_tags"),
        ("<think>a</think>b", "glm-4.1v", "response_tags"),
        ("<think>a</think><answer>b</answer>", "glm-4.5v", "response_tags"),
        ("b", "glm-4.1v", ""),
    ],
)
def test_tags_by_form(text, form, rule):
    assert fate(sample("q", text), tags={"form": form}) == rule


def test_one_broken_response_is_the_samples():
    assert fate(sample("q", "<think>a</think>b", "q", "<think>c", "q", "d")) == "response_tags"


def test_plain_responses_may_be_refused():
    assert fate(sample("q", "b"), tags={"allow_plain": False}) == "response_plain"
    assert fate(sample("q", "b"), tags={"allow_plain": False, "enabled": False}) == ""


@pytest.mark.parametrize(
    ("answer", "fields", "rule"),
    [
        (f"{BOX}7{BOX_END}", {"reference": "7"}, ""),
        (f"{BOX}8{BOX_END}", {"reference": "7"}, "answer_wrong"),
        (f"{BOX}8{BOX_END}", {"reference": "7", "verifiable": False}, "answer_wrong"),
        (f"{BOX}8{BOX_END}", {}, ""),
        ("7", {"reference": "7"}, "box_missing"),
        ("7", {"reference": "7", "verifiable": False}, ""),
        ("7", {"verifiable": True}, "box_missing"),
        ("7", {"ground_truth": 7}, "box_missing"),
        ("7", {"reference": None}, ""),
        (f"{BOX}7{BOX_END}{BOX}7{BOX_END}", {"reference": "7"}, "box_twice"),
        (f"{BOX}7{BOX_END}{BOX}7{BOX_END}", {}, ""),
        (f"{BOX}7", {}, "box_broken"),
    ],
)
def test_boxes(answer, fields, rule):
    assert fate(sample("q", f"<think>a</think>{answer}", **fields)) == rule


def test_a_box_in_the_thought():
    text = f"<think>{BOX}7{BOX_END}</think>{BOX}7{BOX_END}"
    assert fate(sample("q", text, reference="7")) == "box_in_thought"
    assert fate(sample("q", text)) == ""


def test_box_rules_can_be_switched_off():
    text = f"<think>a</think>{BOX}8{BOX_END}"
    assert fate(sample("q", text, reference="7"), box={"check_reference": False}) == ""
    assert fate(sample("q", "7", reference="7"), box={"require": False}) == ""
    assert fate(sample("q", f"{BOX}7", reference="7"), box={"enabled": False}) == ""


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"length": {"min_answer": 4}}, ""),
        ({"length": {"min_answer": 5}}, "answer_too_short"),
        ({"length": {"max_answer": 10}}, ""),
        ({"length": {"max_answer": 9}}, "answer_too_long"),
        ({"length": {"min_thought": 3}}, ""),
        ({"length": {"min_thought": 4}}, "thought_too_short"),
        ({"length": {"max_thought": 3}}, ""),
        ({"length": {"max_thought": 2}}, "thought_too_long"),
    ],
)
def test_lengths_are_those_of_the_worst(values, rule):
    assert fate(sample("q", "<think>abc</think>abcd", "q", "abcdefghij"), **values) == rule


@pytest.mark.parametrize(
    ("rate", "rule"),
    [(0.0, "task_too_hard"), (0.01, ""), (0.99, ""), (1, "task_too_easy"), (None, ""), (2, ""), (True, "")],
)
def test_the_window_of_pass_rates(rate, rule):
    assert fate(sample("q", "b", pass_rate=rate)) == rule


def test_the_first_rule_that_fires_is_the_reason():
    both = sample("q", "7", reference="7", pass_rate=1.0)
    assert fate(both) == "box_missing"
    assert fate(both, box={"enabled": False}) == "task_too_easy"
    assert fate(sample("q")) == "response_missing"
    assert fate(sample("q", "b", "q")) == "conversation_unanswered"


def test_limits_in_order():
    with pytest.raises(ConfigError, match="expected min <= max, found 0.9 > 0.5"):
        config({"difficulty": {"min_pass_rate": 0.9, "max_pass_rate": 0.5}})


QUESTION = "How many red squares are there in the third row of this picture, counted from the left side to the right?"


def kept(samples, **values):
    """Keys of those that stay."""
    return [one.key for one in decided(samples, **values) if one.alive]


def decided(samples, **values):
    placed = [replace(one, position=position) for position, one in enumerate(samples)]
    return decide_again(placed, [0] * len(samples), config(values))


def test_nearly_the_same_prompt_is_kept_once():
    one, other = sample(QUESTION, "Three.", key="a"), sample(f"{QUESTION} ", "There are three.", key="b")
    assert kept([one, other]) == ["b"]
    assert kept([one, other], duplicates={"keep": "shortest"}) == ["a"]
    assert kept([one, other], duplicates={"enabled": False}) == ["a", "b"]
    [dropped] = [one for one in decided([one, other]) if one.drop]
    assert (dropped.drop.rule, dropped.drop.detail, dropped.drop.value) == ("prompt_duplicate", "b", 1.0)


def test_the_same_prompt_of_other_pictures_is_another_question():
    shown = [sample(QUESTION, "Three.", key=key, pixels=pixels) for key, pixels in (("a", b"1"), ("b", b"2"))]
    assert kept(shown) == ["a", "b"]
    assert kept([shown[0], replace(shown[1], pieces=shown[0].pieces)]) == ["a"]


def test_a_dropped_conversation_keeps_no_other_one_out():
    wrong = sample(QUESTION, "<think>x", key="a")
    assert kept([wrong, sample(QUESTION, "Three.", key="b")]) == ["b"]


def test_another_question_stays():
    matcher = PromptDuplicates(CFG.duplicates)
    assert kept([sample(QUESTION, "x", key="a"), sample("Which colour is missing here?", "y", key="b")]) == ["a", "b"]
    assert matcher.weight(sample("q", "abc", "q", "de")) == 5
