"""Decisions about a conversation: every rule at its limit, in order, and what is switched off."""

import json

import pytest
from msgspec.structs import replace

from configs.schema.sft import SftConfig
from configs.schema.strict import ConfigError, parse_config
from transforms.conversations import conversation_pieces, parse_conversation
from transforms.loaded import Loaded
from transforms.records import Picture, Sample, Span
from transforms.response_format import BOX, BOX_END
from transforms.responses_measures import measure_conversation, measure_conversations
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
        "turns": 2, "responses": 1, "unanswered": 0, "unprompted": 0, "pictures": 0,
        "response_pictures": 0, "prompt_characters": 14, "plain_responses": 0,
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
        ("<answer>b</answer>", "either", ""),
        ("<answer>b</answer>", "glm-4.1v", "response_tags"),
        ("<THINK>a</THINK>b", "either", "response_tags"),
        ("Sure.<|im_end|>", "glm-4.5v", "response_tags"),
    ],
)
def test_tags_by_form(text, form, rule):
    assert fate(sample("q", text), tags={"form": form}) == rule


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<think>a<think>b</think>c</think>d", "2 <think>"),
        ("<think>a</think>", "an empty answer"),
        ("", "an empty answer"),
        ("< think >a</ think >b", "< think >, which is no tag"),
        ("&lt;think&gt;a&lt;/think&gt;b", "&lt;think&gt;, which is no tag"),
        ("<thinking>a</thinking>b", "<thinking>, which is no tag"),
        ("[gMASK]<sop>b", "[gMASK], which is no tag"),
        (f"<think>a</think>{BOX}7{BOX_END}<answer>7</answer>", "text outside the tags"),
    ],
)
def test_the_detail_is_the_fault_of_the_nearest_form(text, fault):
    assert mark_unsound(sample("q", text), CFG).drop.detail == fault


@pytest.mark.parametrize(
    "text", ["2 < think > 1", "`a<b>c`", "if a <| b |> c", "The answer> is <think about it", "x<|y"]
)
def test_signs_that_are_no_tags(text):
    assert (fate(sample("q", text)) == "response_tags") is ("< think >" in text)


def test_one_broken_response_is_the_samples():
    assert fate(sample("q", "<think>a</think>b", "q", "<think>c", "q", "d")) == "response_tags"


def test_plain_responses_may_be_refused():
    for text in ("b", "<answer>b</answer>", "<think> </think>b", "<think></think><answer>b</answer>"):
        assert fate(sample("q", text), tags={"allow_plain": False}) == "response_plain"
    assert fate(sample("q", "<think>a</think>b"), tags={"allow_plain": False}) == ""
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
        ("7", {"reference": " "}, ""),
        ("7", {"reference": ["", []]}, ""),
        ("7", {"reference": 0}, "box_missing"),
        ("7", {"reference": "", "ground_truth": "7"}, "box_missing"),
        ("7", {"reference": "7", "verifiable": None}, "box_missing"),
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


def test_measures_of_boxes_are_those_of_verifiable_tasks():
    text = f"<think>{BOX}7{BOX_END}</think>{BOX}7{BOX_END}"
    assert not {"boxes", "thought_boxes"} & sample("q", text).measures.keys()
    assert sample("q", text, verifiable=True).measures["thought_boxes"] == 1


@pytest.mark.parametrize(
    ("roles", "texts", "unasked"),
    [
        (["user", "assistant"], ["q", "a"], 0),
        (["assistant"], ["a"], 1),
        (["assistant", "user", "assistant"], ["Hello!", "q", "a"], 1),
        (["system", "assistant"], ["s", "a"], 1),
        (["user", "assistant", "observation", "assistant"], ["q", "a", "o", "b"], 0),
        (["user", "assistant"], [" \n", "a"], 1),
        (["user", "assistant"], [" /nothink", "a"], 1),
        (["user", "assistant"], ["<image>", "a"], 0),
    ],
)
def test_a_response_follows_on_a_question(roles, texts, unasked):
    record = {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]}
    conversation = parse_conversation(record)
    measures = measure_conversation(conversation, {}, CFG.read)
    pieces = conversation_pieces(conversation, [Picture(Span("a", 0, 1, "file"))])
    one = Sample("k", "a.jsonl", 0, 0, tuple(pieces), measures=measures)
    assert measures["unprompted"] == unasked
    assert fate(one) == ("response_unasked" if unasked else "")
    assert fate(one, turns={"enabled": False}) == ""


def shown(record, *sizes):
    conversation = parse_conversation(record)
    pieces = conversation_pieces(conversation, [Picture(Span("a", 0, 1, "file"), width=w, height=h) for w, h in sizes])
    loaded = Loaded(Sample("k", "a.jsonl", 0, 0, tuple(pieces)), [None] * len(pieces), [None] * len(pieces))
    return measure_conversations([loaded], CFG.read)[0].sample


def spoken(question, answer, **fields):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, **fields}


def test_pictures_that_training_could_not_read():
    drawn = shown(spoken("Draw.", "<image>Here.", images=["a"]), (64, 64))
    assert fate(drawn) == "response_picture"
    assert fate(drawn, pictures={"enabled": False}) == ""
    assert fate(shown(spoken("<image>q", "a", images=["a"]), (1, 200))) == ""
    assert fate(shown(spoken("<image>q", "a", images=["a"]), (1, 201))) == "picture_sliver"
    frames = spoken("<video>q", "a", videos=[{"frames": ["a", "b"], "seconds": [0, 1]}])
    assert fate(shown(frames, (64, 64), (64, 64))) == ""
    assert fate(shown(frames, (64, 64), (64, 60))) == "video_frame_sizes"
    apart = frames | {"videos": [{"frames": ["a"], "seconds": [0]}, {"frames": ["b"], "seconds": [0]}]}
    apart["messages"] = spoken("<video><video>q", "a")["messages"]
    assert fate(shown(apart, (64, 64), (64, 60))) == ""


def test_box_rules_can_be_switched_off():
    text = f"<think>a</think>{BOX}8{BOX_END}"
    assert fate(sample("q", text, reference="7"), box={"check_reference": False}) == ""
    assert fate(sample("q", "7", reference="7"), box={"require": False}) == ""
    assert fate(sample("q", f"{BOX}7", reference="7"), box={"enabled": False}) == ""


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"length": {"max_prompt": 2}}, ""),
        ({"length": {"max_prompt": 1}}, "prompt_too_long"),
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
    [(0.0, "task_too_hard"), (0.01, ""), (0.99, ""), (1, "task_too_easy"), (None, "")],
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


def test_the_same_prompt_with_another_number_is_another_task():
    asked = [sample(QUESTION.replace("third row", f"row {n}"), "Three.", key=f"k{n}") for n in (3, 4)]
    assert kept(asked) == ["k3", "k4"]
    assert kept(asked, duplicates={"same_numbers": False, "min_similarity": 0.3, "rows": 4}) == ["k3"]
    assert kept([asked[0], replace(asked[0], key="again")]) == ["again"]


def test_pictures_without_a_word_are_asked_about_once():
    shown = [sample("", "Three.", key=key, pixels=pixels) for key, pixels in (("a", b"1"), ("b", b"2"), ("c", b"1"))]
    assert kept(shown, turns={"enabled": False}) == ["a", "b"]
    signs = [sample(text, "Three.", key=key) for key, text in (("a", "∑?"), ("b", "∫?"), ("c", " ∑? "))]
    assert kept(signs) == ["a", "b"]


def test_a_hot_prompt_stays_with_every_picture():
    shown = [sample("Describe the image.", "It.", key=f"k{n}", pixels=bytes([n % 200])) for n in range(250)]
    assert len(kept(shown)) == 200


def test_a_dropped_conversation_keeps_no_other_one_out():
    wrong = sample(QUESTION, "<think>x", key="a")
    assert kept([wrong, sample(QUESTION, "Three.", key="b")]) == ["b"]


def test_another_question_stays():
    matcher = PromptDuplicates(CFG.duplicates)
    assert kept([sample(QUESTION, "x", key="a"), sample("Which colour is missing here?", "y", key="b")]) == ["a", "b"]
    assert matcher.weight(sample("q", "abc", "q", "de")) == 5
