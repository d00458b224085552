"""What is measured on a conversation: its tags, boxes, lengths, languages, repetitions, and what its record says of it.

Of several responses, thoughts or answers the measure is the worst one's, so that one bad response is the sample's.
Left out on purpose: any limit (transforms/responses_rules.py) and the pool's duplicates (responses_prompts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from configs.schema.sft import ConversationReadRules
from transforms.conversations import Conversation, pieces_conversation
from transforms.interleaved_documents import format_json
from transforms.loaded import Loaded
from transforms.records import Measures
from transforms.response_format import (
    TAGS,
    Form,
    Response,
    ResponseBroken,
    boxes,
    find_box_fault,
    find_fault,
    read_response,
)
from transforms.responses_answers import same_answer
from transforms.responses_language import measure_mixed
from transforms.responses_reading import fields_of
from transforms.responses_repetition import measure_repetition

FORMS: tuple[Form, ...] = ("glm-4.1v", "glm-4.5v")
_SHOWN = 200
"""Characters of a box or reference that the ledger shows."""


def measure_conversations(batch: list[Loaded], rules: ConversationReadRules) -> list[Loaded]:
    """Scan step: the measures of every conversation. Failed rows pass."""
    return [item if item.sample.failure else _measure_item(item, rules) for item in batch]


def _measure_item(item: Loaded, rules: ConversationReadRules) -> Loaded:
    sample = item.sample
    found = measure_conversation(pieces_conversation(sample.pieces), fields_of(sample), rules)
    return Loaded(replace(sample, measures=sample.measures | found), item.data, item.pixels)


def measure_conversation(conversation: Conversation, fields: dict[str, Any], rules: ConversationReadRules) -> Measures:
    """Measures by name; those of what is not there are left out. `fields` are the record's, beside its turns."""
    turns = conversation.turns
    said = [turn.text for turn in turns if turn.role == "assistant"]
    found: Measures = {
        "turns": len(turns),
        "responses": len(said),
        "unanswered": int(turns[-1].role != "assistant"),
        "pictures": len(conversation.names),
        "prompt_characters": sum(len(turn.text) for turn in turns if turn.role != "assistant"),
    }
    found |= _measure_tags(said)
    read = [_read(text) for text in said]
    found |= _measure_parts([one for one in read if one])
    return found | _measure_answer(read[-1] if read else None, fields, rules) | _pass_rate(fields, rules)


def _read(text: str) -> Response | None:
    try:
        return read_response(text)
    except ResponseBroken:
        return None


def _measure_tags(said: Sequence[str]) -> Measures:
    """Responses without any tag, those that are of neither form, and of each form those that are not of it."""
    tagged = [text for text in said if any(tag in text for tag in TAGS[:4])]
    found: Measures = {"plain_responses": len(said) - len(tagged)}
    faults = {form: [find_fault(text, form) for text in tagged] for form in FORMS}
    for form, told in faults.items():
        name = form.removeprefix("glm-").replace(".", "")
        found[f"broken_{name}"] = sum(map(bool, told))
        if any(told):
            found[f"fault_{name}"] = next(filter(None, told))
    found["broken"] = sum(_read(text) is None for text in said)
    wrong = [fault for fault in map(find_box_fault, said) if fault]
    found["broken_boxes"] = len(wrong)
    return found | ({"box_fault": wrong[0]} if wrong else {})


def _measure_parts(read: list[Response]) -> Measures:
    """Over all thoughts and answers."""
    thoughts, answers = [one.thought for one in read if one.thought], [one.answer for one in read]
    found: Measures = {"thoughts": len(thoughts), "thought_boxes": sum(len(boxes(text)) for text in thoughts)}
    for name, parts in (("thought", thoughts), ("answer", answers)):
        if parts:
            lengths = [len(part) for part in parts]
            found |= {f"longest_{name}": max(lengths), f"shortest_{name}": min(lengths)}
    if read:
        found["mixed_language"] = max(map(measure_mixed, [*thoughts, *answers]))
    for measures in map(measure_repetition, [*thoughts, *answers]):
        for name, value in measures.items():
            found[name] = max(float(value), float(found.get(name, 0.0)))
    return found


def _measure_answer(last: Response | None, fields: dict[str, Any], rules: ConversationReadRules) -> Measures:
    """The last answer's boxes, and whether the one box is right."""
    reference = next((fields[name] for name in rules.reference_fields if fields.get(name) is not None), None)
    told = fields.get(rules.verifiable_field)
    found: Measures = {"verifiable": int(told if isinstance(told, bool) else reference is not None)}
    if last is None:
        return found
    held = boxes(last.answer)
    found["boxes"] = len(held)
    if reference is not None and len(held) == 1:
        meant = reference if isinstance(reference, str) else format_json(reference)
        found |= {"boxed": held[0][:_SHOWN], "reference": meant[:_SHOWN]}
        found["answer_equal"] = int(same_answer(held[0], reference))
    return found


def _pass_rate(fields: dict[str, Any], rules: ConversationReadRules) -> Measures:
    rate = fields.get(rules.pass_rate_field)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        return {}
    return {"pass_rate": round(float(rate), 4)}
