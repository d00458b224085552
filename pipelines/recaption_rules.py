"""What the recaption step tells people of itself: its rules in the order they apply, its measures, their units.

Its rules turn a refined text away and never a row: the original stays. So they are no steps of the funnel.
"""

from __future__ import annotations

from dataclasses import replace

from pipelines.report_spec import RuleSpec
from transforms.ledger import Measure

RECAPTION_MEASURES: dict[str, Measure] = {
    "text_from": Measure("string", "role", "Which text goes out: the caption or the recaption"),
    "recaption": Measure("string", "text", "The refined text, accepted or not"),
    "recaption_rule": Measure("string", "rule", "What turned the refined text away"),
    "recaption_value": Measure("double", "", "What that rule measured"),
    "recaption_limit": Measure("double", "", "What it was held against"),
    "recaption_detail": Measure("string", "", "What the two numbers cannot say"),
    "recaption_error": Measure("string", "class", "Why the captioner gave no text"),
    "recaption_attempts": Measure("int64", "requests", "Requests made for a text that did not come"),
    "recaption_characters": Measure("int64", "characters", "Length of the refined text"),
    "recaption_repeated_phrases": Measure("double", "share", "Share of the refined text's phrases that repeat"),
    "recaption_facts": Measure("int64", "facts", "Facts of the original"),
    "recaption_facts_lost": Measure("int64", "facts", "Facts of the original that the refined text lacks"),
    "recaption_lost": Measure("string", "facts", "Those facts"),
    "recaption_facts_added": Measure("int64", "facts", "Facts that the refined text adds"),
    "recaption_facts_unsupported": Measure("int64", "facts", "Added facts that nothing written supports"),
    "recaption_unsupported": Measure("string", "facts", "Those facts"),
    "recaption_clip_before": Measure("double", "cosine", "Cosine of picture and original"),
    "recaption_clip_score": Measure("double", "cosine", "Cosine of picture and refined text"),
    "recaption_clip_change": Measure("double", "cosine", "By how much the refined text scores higher"),
    "recaption_tokens_in": Measure("int64", "tokens", "Tokens the captioner read"),
    "recaption_tokens_out": Measure("int64", "tokens", "Tokens the captioner wrote"),
    "recaption_model": Measure("string", "name", "What answered, as it calls itself"),
    "recaption_prompt": Measure("string", "name", "Prompt by name, language and hash"),
    "recaption_finish": Measure("string", "word", "Why the captioner stopped writing"),
    "recaption_refusal": Measure("int64", "0 or 1", "Whether the refined text declines"),
    "recaption_boilerplate": Measure("int64", "0 or 1", "Whether it opens with a phrase that says nothing"),
    "recaption_noise": Measure("int64", "pieces", "Addresses, file names, prices and the like that it adds"),
    "recaption_cut": Measure("int64", "0 or 1", "Whether it ends before its end"),
    "recaption_wrong_language": Measure("string", "ISO 639-1", "Its language where that is not the original's"),
    "recaption_message": Measure("string", "words", "What was expected of the captioner, and found"),
    "recaption_facts_visible": Measure("int64", "facts", "Of the unsupported, what a higher CLIP score supports"),
    "recaption_written": Measure("string", "lines", "What is written in the picture, where it was read"),
    "recaption_written_error": Measure("string", "words", "Why the picture could not be read"),
}

CHARTED = frozenset({"recaption_characters", "recaption_clip_change", "recaption_facts_lost", "recaption_tokens_out"})
"""Measures of refined texts that deserve a chart."""


def _rule(name: str, measure: str, side: str, key: str, meaning: str) -> RuleSpec:
    limit = None if key else (1.0 if side == "min" else 0.0)
    place = f"recaption.guard.{key}" if key else "recaption.enabled"
    rule = RuleSpec(f"recaption_{name}", f"recaption_{measure}", "Recaption", place, meaning=meaning, limit=limit)
    return replace(rule, side="min" if side == "min" else "max", negated=measure == "clip_change")


RECAPTION_RULES = [
    _rule("failed", "attempts", "max", "", "The captioner gave no text"),
    _rule("empty", "characters", "min", "", "An empty text"),
    _rule("refusal", "refusal", "max", "", "The model declines"),
    _rule("boilerplate", "boilerplate", "max", "", "“The image shows”, talk of the prompt, markup"),
    _rule("repetition", "repeated_phrases", "max", "max_repeated_phrases", "The same phrases over and over"),
    _rule("language", "wrong_language", "max", "", "Not the language of the original"),
    _rule("noise", "noise", "max", "", "Addresses, file names, prices, credits"),
    _rule("truncated", "cut", "max", "", "Cut off before its end"),
    _rule("too_short", "characters", "min", "min_characters", "Too short to say anything"),
    _rule("too_long", "characters", "max", "max_characters", "Longer than any description"),
    _rule("fact_lost", "facts_lost", "max", "max_facts_lost", "Names, numbers, dates, quotes or places are gone"),
    _rule("fact_unsupported", "facts_unsupported", "max", "max_facts_unsupported", "It adds what nothing supports"),
    _rule("clip_drop", "clip_change", "min", "max_clip_drop", "It fits the picture worse than the original"),
]
