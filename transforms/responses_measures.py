"""What is measured on a conversation: its tags, boxes, lengths, languages, repetitions, and what its record says of it.

Of several responses, thoughts or answers the measure is the worst one's, so that one bad response is the sample's.
Left out on purpose: any limit (transforms/responses_rules.py) and the pool's duplicates (responses_prompts.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from configs.schema.sft import ConversationReadRules
from transforms.conversations import Conversation, Shown, Turn, pieces_conversation
from transforms.interleaved_documents import format_json
from transforms.loaded import Loaded
from transforms.records import Measures, Picture, pictures
from transforms.response_format import (
    NOTHINK,
    TAGS,
    Form,
    Response,
    ResponseBroken,
    boxes,
    find_any_fault,
    find_box_fault,
    find_false_tag,
    find_fault,
    read_response,
)
from transforms.responses_answers import same_answer
from transforms.responses_language import measure_mixed
from transforms.responses_reading import fields_of
from transforms.responses_repetition import measure_repetition

_FORMS: dict[str, Form | None] = {"": None, "_41v": "glm-4.1v", "_45v": "glm-4.5v"}
"""Ends of measures' names, and the form they ask for; None: either."""
_SHOWN = 200
"""Characters of a box or reference that the ledger shows."""


def measure_conversations(batch: list[Loaded], rules: ConversationReadRules) -> list[Loaded]:
    """Scan step: the measures of every conversation. Failed rows pass."""
    return [item if item.sample.failure else _measure_item(item, rules) for item in batch]


def _measure_item(item: Loaded, rules: ConversationReadRules) -> Loaded:
    sample = item.sample
    conversation = pieces_conversation(sample.pieces)
    found = measure_conversation(conversation, fields_of(sample), rules)
    found |= _measure_shown(conversation, pictures(sample))
    return Loaded(replace(sample, measures=sample.measures | found), item.data, item.pixels)


def _measure_shown(conversation: Conversation, shown: Sequence[Picture]) -> Measures:
    """Shapes that a model's processor has to take; of pictures whose size is known."""
    sides = [(one.width, one.height) for one in shown]
    wide = [max(size) / min(size) for size in sides if min(size) > 0]
    videos: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for part in (part for turn in conversation.turns for part in turn.parts if isinstance(part, Shown)):
        if part.video >= 0:
            videos[part.video].add(sides[part.number])
    found: Measures = {"widest_picture": round(max(wide), 4)} if wide else {}
    return found | ({"frame_sizes": max(map(len, videos.values()))} if videos else {})


def measure_conversation(conversation: Conversation, fields: dict[str, Any], rules: ConversationReadRules) -> Measures:
    """Measures by name; those of what is not there are left out. `fields` are the record's, beside its turns."""
    turns = conversation.turns
    said = [turn.text for turn in turns if turn.role == "assistant"]
    found: Measures = {
        "turns": len(turns),
        "responses": len(said),
        "unanswered": int(turns[-1].role != "assistant"),
        "unprompted": _count_unprompted(turns),
        "pictures": len(conversation.names),
        "response_pictures": sum(
            isinstance(p, Shown) for turn in turns if turn.role == "assistant" for p in turn.parts
        ),
        "prompt_characters": sum(len(turn.text) for turn in turns if turn.role != "assistant"),
    }
    read = [_read(text) for text in said]
    found |= _measure_tags(said, read)
    found |= _measure_parts([one for one in read if one])
    return found | _measure_answer(read, fields, rules) | _pass_rate(fields, rules)


def _count_unprompted(turns: Sequence[Turn]) -> int:
    """Responses that follow on nothing: no turn of a user or a tool, or one that neither says nor shows anything."""
    before = [None, *turns]
    return sum(
        turn.role == "assistant" and (one is None or one.role not in ("user", "observation") or _is_empty(one))
        for one, turn in zip(before, turns, strict=False)
    )


def _is_empty(turn: Turn) -> bool:
    shows = any(isinstance(part, Shown) for part in turn.parts)
    return not shows and not turn.text.strip().removesuffix(NOTHINK).strip()


def _read(text: str) -> Response | None:
    try:
        return read_response(text)
    except ResponseBroken:
        return None


def _measure_tags(said: Sequence[str], read: Sequence[Response | None]) -> Measures:
    """Responses without a thought, those that are of neither form, and of each form those that are not of it."""
    found: Measures = {"plain_responses": sum(one is not None and not one.thought for one in read)}
    false, either = [find_false_tag(text) for text in said], [find_any_fault(text) for text in said]
    for name, form in _FORMS.items():
        faults = [
            find_fault(text, form) if form and _is_tagged(text) else fault
            for text, fault in zip(said, either, strict=True)
        ]
        told = [f"{tag}, which is no tag" if tag else fault for tag, fault in zip(false, faults, strict=True)]
        found[f"broken{name}"] = sum(map(bool, told))
        if any(told):
            found[f"fault{name}"] = next(filter(None, told))
    wrong = [fault for fault in map(find_box_fault, said) if fault]
    found["broken_boxes"] = len(wrong)
    return found | ({"box_fault": wrong[0]} if wrong else {})


def _is_tagged(text: str) -> bool:
    return any(tag in text for tag in TAGS[:4])


def _measure_parts(read: list[Response]) -> Measures:
    """Over all thoughts and answers."""
    thoughts, answers = [one.thought for one in read if one.thought], [one.answer for one in read]
    found: Measures = {"thoughts": len(thoughts)}
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


def _measure_answer(read: Sequence[Response | None], fields: dict[str, Any], rules: ConversationReadRules) -> Measures:
    """Boxes of a verifiable task, and whether the last answer's one box is right."""
    reference = next((fields[name] for name in rules.reference_fields if _says_something(fields.get(name))), None)
    told = fields.get(rules.verifiable_field)
    found: Measures = {"verifiable": int(reference is not None if told is None else told)}
    last = read[-1] if read else None
    if last is None:
        return found
    held = boxes(last.answer)
    if found["verifiable"]:
        found |= {"boxes": len(held), "thought_boxes": sum(len(boxes(one.thought)) for one in read if one)}
    if reference is not None and len(held) == 1:
        meant = reference if isinstance(reference, str) else format_json(reference)
        found |= {"boxed": held[0][:_SHOWN], "reference": meant[:_SHOWN]}
        found["answer_equal"] = int(same_answer(held[0], reference))
    return found


def _says_something(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_says_something, value))
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _pass_rate(fields: dict[str, Any], rules: ConversationReadRules) -> Measures:
    rate = fields.get(rules.pass_rate_field)
    return {} if rate is None else {"pass_rate": round(float(rate), 4)}
