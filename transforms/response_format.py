"""Responses of a model that thinks: the parts between their tags, the boxed answer, and what is wrong with them.

GLM-4.1V writes `<think>…</think>` and `<answer>…</answer>`, GLM-4.5V no answer tags (arXiv 2507.01006, section 3.2, and
the fine-tuning example in the README of zai-org/GLM-V). A response without a thought keeps an empty one. The answer
to a verifiable task holds exactly one `<|begin_of_box|>…<|end_of_box|>`.
Left out on purpose: tokens (train/chat), rules on responses, and whether a boxed answer is right.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Form = Literal["glm-4.1v", "glm-4.5v"]
THINK, THINK_END = "<think>", "</think>"
ANSWER, ANSWER_END = "<answer>", "</answer>"
BOX, BOX_END = "<|begin_of_box|>", "<|end_of_box|>"
NOTHINK = "/nothink"
TAGS = (THINK, THINK_END, ANSWER, ANSWER_END, BOX, BOX_END)
"""Each a special token of the tokenizer; only a response may hold them."""
_TAG = re.compile("|".join(re.escape(tag) for tag in TAGS))
_LIKE_A_TAG = re.compile(
    r"(?:<|&lt;)[ ]{0,3}/?[ ]{0,3}(?:think(?:ing)?|answer|(?:begin|end)_of_box)[ ]{0,3}(?:>|&gt;)"
    r"|<\|[a-z_]{2,40}\|>|\[/?(?:gMASK|INST)\]",
    re.IGNORECASE,
)
_ORDERS = {
    "glm-4.1v": [THINK, THINK_END, ANSWER, ANSWER_END],
    "glm-4.5v": [THINK, THINK_END],
}


class ResponseBroken(ValueError):
    """A response that is not of its form; the message is what `find_fault` says."""


class Response(NamedTuple):
    thought: str
    """Without its tags and the space around it; empty where the model answers at once."""
    answer: str


def find_fault(text: str, form: Form) -> str:
    """What is wrong with the tags of a response, in words; empty where it is of the form.

    A box is judged by `find_box_fault`. Space between the parts does not matter; any other text there does.
    """
    order = _ORDERS[form]
    found = [tag for tag in _TAG.findall(text) if tag not in (BOX, BOX_END)]
    if found != order:
        return _name_difference(found, order)
    before, _, rest = text.partition(THINK)
    between, _, answer = rest.partition(THINK_END)[2].partition(ANSWER)
    if form == "glm-4.5v":
        between, answer = "", rest.partition(THINK_END)[2]
    inside, _, after = answer.partition(ANSWER_END)
    if before.strip() or between.strip() or (form == "glm-4.1v" and after.strip()):
        return "text outside the tags"
    return "" if inside.strip() else "an empty answer"


def _name_difference(found: list[str], order: list[str]) -> str:
    for tag in order:
        if tag not in found:
            return f"no {tag}"
    for tag in found:
        if tag not in order:
            return f"{tag} in a form without it"
        if found.count(tag) > 1:
            return f"{found.count(tag)} {tag}"
    return f"tags in the order {' '.join(found)}"


def parse_response(text: str, form: Form) -> Response:
    """The parts of a response of the form. Raises ResponseBroken."""
    if fault := find_fault(text, form):
        raise ResponseBroken(f"expected a response of {form}, found {fault}")
    thought, _, answer = text.partition(THINK)[2].partition(THINK_END)
    answer = answer.strip()
    if form == "glm-4.1v":
        answer = answer.removeprefix(ANSWER).removesuffix(ANSWER_END).strip()
    return Response(thought.strip(), answer)


def format_response(response: Response, form: Form) -> str:
    """The inverse of `parse_response` for parts without tags and without space around them.

    The line break after the thought is that of the released examples; the paper has a space.
    """
    answer = f"{ANSWER}{response.answer}{ANSWER_END}" if form == "glm-4.1v" else response.answer
    return f"{THINK}{response.thought}{THINK_END}\n{answer}"


def read_response(text: str) -> Response:
    """The parts of a response of either form, or of a plain answer without tags. Raises ResponseBroken."""
    return parse_response(*_as_form(text))


def find_any_fault(text: str) -> str:
    """What is wrong with a response for `read_response`, in words; empty where it can be read."""
    return find_fault(*_as_form(text))


def _as_form(text: str) -> tuple[str, Form]:
    """The response with a thought, if only an empty one, and the form that its tags say it is of."""
    if THINK not in text and THINK_END not in text:
        text = f"{THINK}{THINK_END}{text}"
    return text, "glm-4.1v" if ANSWER in text or ANSWER_END in text else "glm-4.5v"


def find_false_tag(text: str) -> str:
    """The first thing that looks like a tag and is none: `<THINK>`, `&lt;answer&gt;`, another template's `<|im_end|>`.

    Empty where there is none. A model would learn to write it, as letters and signs.
    """
    return next((found for found in _LIKE_A_TAG.findall(text) if found not in TAGS), "")


def boxes(text: str) -> list[str]:
    """What stands between the borders of each box, without the space around it."""
    found, place = [], 0
    # By hand: a pattern would look for the end of each of a million unclosed boxes.
    while (start := text.find(BOX, place)) >= 0 and (end := text.find(BOX_END, start)) >= 0:
        found.append(text[start + len(BOX) : end].strip())
        place = end + len(BOX_END)
    return found


def find_box_fault(text: str) -> str:
    """What is wrong with the borders of boxes: nested, not closed, not opened, empty; empty where nothing is."""
    depth = 0
    for tag in _TAG.findall(text):
        depth += {BOX: 1, BOX_END: -1}.get(tag, 0)
        if depth > 1:
            return "a box inside a box"
        if depth < 0:
            return f"{BOX_END} without {BOX}"
        if depth and tag not in (BOX, BOX_END):
            return f"{tag} inside a box"
    if depth:
        return f"{BOX} without {BOX_END}"
    return "" if all(boxes(text)) else "an empty box"


def boxed_answer(text: str, form: Form) -> str | None:
    """What the one box of a well-formed response's answer holds; None where the form, or that there is one, is broken.

    A box in the thought is as wrong as a second one: which of the two is meant?
    """
    if find_fault(text, form) or find_box_fault(text):
        return None
    found = boxes(text)
    return found[0] if len(found) == 1 and boxes(parse_response(text, form).answer) else None
