"""Every decision about a conversation, in order: turns, tags, box, lengths, languages, repetitions, difficulty, copies.

Pure, so that a pipeline, `what-if`, `verify` and the tests decide by the same functions (law 3).
Left out on purpose: what is measured (responses_measures.py); rules on pictures, which a question may need small.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from configs.schema.caption import ImageRules
from configs.schema.sft import BoxRules, SftConfig, TagRules, reading_rules
from transforms.fates import forget_fate, mark_sample
from transforms.limits import Limit, Table, check_above, check_below
from transforms.loaded import Step
from transforms.matching import match_in_memory
from transforms.pictures import measure_pictures
from transforms.records import Drop, Sample
from transforms.responses_measures import measure_conversations
from transforms.responses_prompts import PromptDuplicates, check_prompt_duplicate
from transforms.text_duplicates import DUPLICATE_MEASURES

LENGTHS = Table(
    [
        Limit("prompt_too_long", "prompt_characters", "max_prompt"),
        Limit("answer_too_short", "shortest_answer", "min_answer"),
        Limit("answer_too_long", "longest_answer", "max_answer"),
        Limit("thought_too_short", "shortest_thought", "min_thought"),
        Limit("thought_too_long", "longest_thought", "max_thought"),
    ]
)
LANGUAGES = Table([Limit("response_mixed_language", "mixed_language", "max_mixed")])
REPETITIONS = Table(
    [
        Limit("response_repeated_sentences", "repeated_sentences", "max_sentences"),
        Limit("response_repeated_runs", "repeated_runs", "max_runs"),
        Limit("response_hesitations", "hesitations", "max_hesitations"),
    ]
)
DIFFICULTY = Table(
    [Limit("task_too_hard", "pass_rate", "min_pass_rate"), Limit("task_too_easy", "pass_rate", "max_pass_rate")]
)
_BROKEN = {"either": "broken", "glm-4.1v": "broken_41v", "glm-4.5v": "broken_45v"}


def scan_steps(cfg: SftConfig) -> list[Step]:
    """What is measured while a conversation is loaded: every picture must decode, and none is judged."""
    look = partial(measure_pictures, image=ImageRules(enabled=False), read=reading_rules(cfg.read))
    return [look, partial(measure_conversations, rules=cfg.read)]


def scan_reads(cfg: SftConfig) -> dict[str, Any]:
    """What of the config a scan depends on: a change of any other value leaves its sidecars good."""
    return {"read": cfg.read.model_dump()}


def mark_unsound(sample: Sample, cfg: SftConfig) -> Sample:
    """By the conversation alone."""
    return mark_sample(sample, partial(_check_sound, cfg=cfg))


def _check_sound(sample: Sample, cfg: SftConfig) -> Drop | None:
    return (
        check_below(sample, "responses", 1, "response_missing")
        or check_above(sample, "unanswered", 0, "conversation_unanswered")
        or check_turns(sample, cfg)
        or check_tags(sample, cfg.tags)
        or check_box(sample, cfg.box)
        or _check_tables(sample, cfg)
    )


def check_turns(sample: Sample, cfg: SftConfig) -> Drop | None:
    """Drop a conversation with a response that nobody asked for, or with a picture that training could not read."""
    if cfg.turns.enabled and (drop := check_above(sample, "unprompted", 0, "response_unasked")):
        return drop
    if not cfg.pictures.enabled:
        return None
    return (
        check_above(sample, "response_pictures", 0, "response_picture")
        or check_above(sample, "frame_sizes", 1, "video_frame_sizes")
        or check_above(sample, "widest_picture", cfg.pictures.max_aspect_ratio, "picture_sliver")
    )


def check_tags(sample: Sample, rules: TagRules) -> Drop | None:
    """Drop a conversation with a response that is not of the form; the detail says what is wrong with the first."""
    if not rules.enabled:
        return None
    measure = _BROKEN[rules.form]
    if drop := check_above(sample, measure, 0, "response_tags"):
        return replace(drop, detail=str(sample.measures[measure.replace("broken", "fault")]))
    return None if rules.allow_plain else check_above(sample, "plain_responses", 0, "response_plain")


def check_box(sample: Sample, rules: BoxRules) -> Drop | None:
    """Drop a conversation with a broken box; of verifiable ones those without exactly one, or with a wrong answer."""
    if not rules.enabled:
        return None
    if drop := check_above(sample, "broken_boxes", 0, "box_broken"):
        return replace(drop, detail=str(sample.measures["box_fault"]))
    if sample.measures.get("verifiable") and rules.require:
        drop = check_below(sample, "boxes", 1, "box_missing") or check_above(sample, "boxes", 1, "box_twice")
        if drop := drop or check_above(sample, "thought_boxes", 0, "box_in_thought"):
            return drop
    if rules.check_reference and (drop := check_below(sample, "answer_equal", 1, "answer_wrong")):
        told = f"{sample.measures['boxed']}, expected {sample.measures['reference']}"
        return replace(drop, detail=told)
    return None


def _check_tables(sample: Sample, cfg: SftConfig) -> Drop | None:
    tables = ((LENGTHS, cfg.length), (LANGUAGES, cfg.language), (REPETITIONS, cfg.repetition))
    for table, rules in (*tables, (DIFFICULTY, cfg.difficulty)):
        if rules.enabled and (drop := table.first_crossed(sample, rules)):
            return drop
    return None


def mark_unique(sample: Sample, cfg: SftConfig) -> Sample:
    """One of several conversations that ask nearly the same, after the pool was asked."""
    return mark_sample(sample, partial(check_prompt_duplicate, rules=cfg.duplicates))


def decide_again(
    samples: Sequence[Sample], units: Sequence[int], cfg: SftConfig, vocabulary: object = None
) -> list[Sample]:
    """The fates of measured rows under another config, by the same rules in the same order, without a picture."""
    decided = [mark_unsound(_forget(sample), cfg) for sample in samples]
    if not cfg.duplicates.enabled:
        return decided
    matcher = PromptDuplicates(cfg.duplicates)
    return [mark_unique(sample, cfg) for sample in match_in_memory(decided, matcher, units, matcher.with_stars)]


def _forget(sample: Sample) -> Sample:
    measures = {name: value for name, value in sample.measures.items() if name not in DUPLICATE_MEASURES}
    return replace(forget_fate(sample), measures=measures)
