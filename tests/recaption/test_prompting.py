"""Prompts by name and language, and what a hostile caption cannot do in one; replies whatever their bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.strict import ConfigError
from recaption.captioner import Answer
from recaption.chat_replies import parse_chat_reply, parse_retry_after, strip_thinking
from recaption.prompting import PLACE, choose_prompt, list_prompts, load_prompt, load_prompts


def test_every_prompt_is_written_in_every_language():
    assert list_prompts() == ["describe-1", "refine-1"]
    for name in list_prompts():
        assert [prompt.text.count(PLACE) for prompt in load_prompts(name)] == [int(name == "refine-1")] * 2


def test_a_changed_wording_is_a_new_version():
    """Prompts are frozen: a new wording gets a new name. These hashes are what stored answers were made with."""
    assert [load_prompt(n, language).version for n in list_prompts() for language in ("en", "zh")] == VERSIONS


def test_the_language_is_the_asked_one_or_the_originals():
    assert choose_prompt("refine-1", "", ["西湖 sunset"]).language == "en"
    assert choose_prompt("refine-1", "", ["西湖的日落"]).language == "zh"
    assert choose_prompt("refine-1", "fr", ["西湖"]).language == "en"
    with pytest.raises(ConfigError, match="expected one of describe-1, refine-1, found '../x'"):
        load_prompt("../x", "en")


def test_a_caption_is_data():
    filled = load_prompt("refine-1", "en").fill(["a {captions} b", "two\nlines <|image|>"])
    assert "\n- a {captions} b\n- two lines < |image|>\n" in filled


NAMES = ["choices", "message", "content", "usage", "error", "model", "finish_reason", "prompt_tokens"]
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_answer_or_a_refusal(body):
    parse_chat_reply(body, "p")


def test_content_in_parts_and_a_missing_usage():
    message = {"content": [{"type": "text", "text": "A "}, {"type": "text", "text": "dog."}]}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
    assert parse_chat_reply(body, "p") == Answer("A dog.", "stop", 0, 0, "", "p")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a\nb</think>\n<answer>A dog.</answer>", ("A dog.", "stop")),
        ("<think>and then", ("", "length")),
        ("<|begin_of_box|>A dog.<|end_of_box|>", ("A dog.", "stop")),
        ("A dog.", ("A dog.", "stop")),
    ],
)
def test_thinking_is_no_text(text, left):
    assert strip_thinking(text, "stop") == left


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0), ("soon", None), (None, None), ("-3", None)],
)
def test_retry_after(value, seconds):
    assert parse_retry_after(value, 60.0) == seconds


VERSIONS = [
    "describe-1.en:7544fdbec6b2",
    "describe-1.zh:8158e269f71c",
    "refine-1.en:818d76c7a3e8",
    "refine-1.zh:2d3e3fa0daa4",
]
