"""Responses: both forms read and written, each fault by its name, the one box of the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.response_format import (
    BOX,
    BOX_END,
    TAGS,
    Response,
    ResponseBroken,
    boxed_answer,
    boxes,
    find_box_fault,
    find_fault,
    format_response,
    parse_response,
    read_response,
)

FORMS = ("glm-4.1v", "glm-4.5v")
parts = st.text(max_size=30).map(str.strip).filter(lambda text: not any(tag in text for tag in TAGS))


def test_the_released_example_of_glm_4_1v():
    text = "<think>\nI know they are Kane and Goretzka.</think>\n<answer>They're Kane and Goretzka.</answer>"
    assert find_fault(text, "glm-4.1v") == ""
    assert parse_response(text, "glm-4.1v") == ("I know they are Kane and Goretzka.", "They're Kane and Goretzka.")


@given(parts, parts.filter(bool), st.sampled_from(FORMS))
def test_formatting_and_parsing_are_inverse(thought, answer, form):
    response = Response(thought, answer)
    assert parse_response(format_response(response, form), form) == response
    assert read_response(format_response(response, form)) == response


def test_a_thought_may_be_empty_and_spaces_between_the_parts_do_not_matter():
    assert parse_response(" <think></think>\n\n<answer> 4 </answer>\n", "glm-4.1v") == ("", "4")
    assert parse_response("<think>\n</think>4", "glm-4.5v") == ("", "4")


@pytest.mark.parametrize(
    ("text", "form", "fault"),
    [
        ("<answer>4</answer>", "glm-4.1v", "no <think>"),
        ("<think>a<answer>4</answer>", "glm-4.1v", "no </think>"),
        ("<think>a</think>4", "glm-4.1v", "no <answer>"),
        ("<think>a</think><answer>4", "glm-4.1v", "no </answer>"),
        ("<think>a</think><think>b</think><answer>4</answer>", "glm-4.1v", "2 <think>"),
        ("<think>a</think><answer>4</answer><answer>5</answer>", "glm-4.1v", "2 <answer>"),
        ("<answer>4</answer><think>a</think>", "glm-4.1v", "tags in the order <answer> </answer> <think> </think>"),
        ("Sure. <think>a</think><answer>4</answer>", "glm-4.1v", "text outside the tags"),
        ("<think>a</think> so <answer>4</answer>", "glm-4.1v", "text outside the tags"),
        ("<think>a</think><answer>4</answer> bye", "glm-4.1v", "text outside the tags"),
        ("<think>a</think><answer> </answer>", "glm-4.1v", "an empty answer"),
        ("<think>a</think><answer>4</answer>", "glm-4.5v", "<answer> in a form without it"),
        ("<think>a</think>\n", "glm-4.5v", "an empty answer"),
        ("4", "glm-4.5v", "no <think>"),
        ("Sure. <think>a</think>4", "glm-4.5v", "text outside the tags"),
    ],
)
def test_each_fault_has_its_words(text, form, fault):
    assert find_fault(text, form) == fault
    with pytest.raises(ResponseBroken, match=f"expected a response of {form}"):
        parse_response(text, form)


def test_a_plain_answer_is_a_response_without_a_thought():
    assert read_response("Two cats.") == ("", "Two cats.")
    assert read_response("<answer>Two cats.</answer>") == ("", "Two cats.")


@pytest.mark.parametrize("text", ["", " \n", "<think>a", "a</think>b</think>", "<think>a</think><answer>b"])
def test_what_is_neither_form_nor_plain_is_refused(text):
    with pytest.raises(ResponseBroken):
        read_response(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("no box", ""),
        (f"{BOX}4{BOX_END} and {BOX}5{BOX_END}", ""),
        (f"{BOX}4", f"{BOX} without {BOX_END}"),
        (f"4{BOX_END}", f"{BOX_END} without {BOX}"),
        (f"{BOX}{BOX}4{BOX_END}{BOX_END}", "a box inside a box"),
        (f"{BOX} {BOX_END}", "an empty box"),
        (f"<answer>{BOX}4</answer>{BOX_END}", "</answer> inside a box"),
    ],
)
def test_borders_of_boxes(text, fault):
    assert find_box_fault(text) == fault


def test_the_boxed_answer_is_the_only_box_and_stands_in_the_answer():
    boxed = f"{BOX} 42 {BOX_END}"
    assert boxed_answer(f"<think>a</think><answer>It is {boxed}.</answer>", "glm-4.1v") == "42"
    assert boxed_answer(f"<think>a</think>It is {boxed}.", "glm-4.5v") == "42"
    assert boxed_answer("<think>a</think><answer>42</answer>", "glm-4.1v") is None
    assert boxed_answer(f"<think>{boxed}</think><answer>42</answer>", "glm-4.1v") is None
    assert boxed_answer(f"<think>a</think><answer>{boxed}{boxed}</answer>", "glm-4.1v") is None
    assert boxed_answer(f"<think>{boxed}</think><answer>{boxed}</answer>", "glm-4.1v") is None
    assert boxed_answer(f"<answer>{boxed}</answer>", "glm-4.1v") is None


def test_boxes_may_hold_several_lines():
    assert boxes(f"{BOX}[[1, 2,\n3, 4]]{BOX_END} x {BOX}b{BOX_END}") == ["[[1, 2,\n3, 4]]", "b"]
