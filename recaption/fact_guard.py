"""Fact guard: what is measured on a refined text against its original, and the rules that turn it away.

Facts of the original must survive; names, places, dates, numbers, quantities and quotes that the refined text adds must
be supported by evidence (OCR, other captions), or, for what a picture can show, by a higher CLIP score. The measures
are stored, so a limit can be moved and decided again without a model (law 3).
Left out on purpose: asking another model whether the text is true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recaption.captioner import Answer
from recaption.facts import Fact, added_facts, find_facts, lost_facts, strip_quotes
from recaption.names import words_of
from recaption.noise import find_noise, strip_noise
from recaption.rules import GuardRules
from recaption.text_faults import (
    SURE,
    ends_well,
    han_share,
    is_boilerplate,
    is_refusal,
    measure_repetition,
    wrong_language,
)
from transforms.caption_quality import measure_language, strip_caption
from transforms.limits import check_above, check_below
from transforms.records import Drop, Measures, Text

LISTED_CHARACTERS = 300
"""Of the facts listed in a measure for the reader of a report."""


def measure_recaption(
    answer: Answer, originals: Sequence[str], evidence: Sequence[str] = (), rules: GuardRules | None = None
) -> Measures:
    """Measures of a refined text: counts, flags (0/1), shares (0..1), and the facts lost and unsupported by name.

    `evidence` is what else is written of or in the picture: OCR strings, other captions. Of `rules` only
    `max_seen_count` and `min_language_characters` enter, every other limit is applied by the checks.
    """
    rules = rules or GuardRules()
    text = strip_caption(answer.text)
    known, refined = [find_facts(original) for original in originals], find_facts(text)
    backing = [find_facts(said) for said in evidence]
    lost, added = lost_facts(known, refined), added_facts(known, refined)
    bare = [fact for fact in added if not any(said.has(fact) for said in backing) and not _is_seen(fact, rules)]
    return {
        "characters": len(text),
        "refusal": int(is_refusal(text)),
        "boilerplate": int(is_boilerplate(text)),
        "cut": int(answer.finish == "length" or (bool(text) and not ends_well(text))),
        "repeated_phrases": measure_repetition(text),
        "noise": len(_added_noise(text, evidence)),
        "wrong_language": wrong_language(text, wanted_language(originals), rules.min_language_characters),
        "facts": sum(len(facts.facts) for facts in known),
        "facts_lost": len(lost),
        "lost": _listed(lost),
        "facts_added": len(added),
        "facts_unsupported": len(bare),
        "facts_visible": sum(fact.kind in ("quote", "number") for fact in bare),
        "unsupported": _listed(bare),
    }


def with_clip(measures: Measures, before: float, after: float) -> Measures:
    """The measures with the scores of the original and the refined text; without them CLIP is not asked."""
    return {**measures, "clip_before": before, "clip_score": after, "clip_change": round(after - before, 4)}


def wanted_language(originals: Sequence[str]) -> str:
    """Language that a refined text shall be in: Chinese or English as the prompts are; empty where it is another or a
    mixture."""
    text = strip_noise(" ".join(originals))
    han = han_share(text)
    if han >= 0.1:
        return "zh" if han >= 0.5 else ""
    found: Measures = {"language": "en", "language_confidence": 0.0}
    if len(text) >= 40:
        found = measure_language(text)
    return "en" if found["language"] == "en" or float(found["language_confidence"]) < SURE else ""


def _is_seen(fact: Fact, rules: GuardRules) -> bool:
    """Whether the fact is a count of things seen."""
    value = fact.values[0]
    return fact.kind == "number" and value.isdecimal() and int(value) <= rules.max_seen_count


def _added_noise(text: str, evidence: Sequence[str]) -> list[str]:
    """Noise of the refined text outside its quotes, which are facts, and except what is written in the picture."""
    seen = words_of(" ".join(evidence))
    return [noise for noise in find_noise(strip_quotes(text)) if not words_of(noise) <= seen]


def _listed(facts: Sequence[Fact]) -> str:
    return "; ".join(map(str, facts))[:LISTED_CHARACTERS]


def check_recaption(text: Text, rules: GuardRules) -> Drop | None:
    """The first rule that fires on a text with `measure_recaption`'s measures; a value at its limit stays."""
    return next((drop for check in CHECKS if (drop := check(text, rules))), None)


def check_empty(text: Text, rules: GuardRules) -> Drop | None:
    return check_below(text, "characters", 1, "recaption_empty")


def check_refusal(text: Text, rules: GuardRules) -> Drop | None:
    return check_above(text, "refusal", 0, "recaption_refusal")


def check_boilerplate(text: Text, rules: GuardRules) -> Drop | None:
    return check_above(text, "boilerplate", 0, "recaption_boilerplate")


def check_language(text: Text, rules: GuardRules) -> Drop | None:
    found = text.measures.get("wrong_language")
    return Drop("recaption_language", 1, 0, str(found)) if found else None


def check_repetition(text: Text, rules: GuardRules) -> Drop | None:
    return check_above(text, "repeated_phrases", rules.max_repeated_phrases, "recaption_repetition")


def check_cut(text: Text, rules: GuardRules) -> Drop | None:
    return check_above(text, "cut", 0, "recaption_truncated")


def check_too_short(text: Text, rules: GuardRules) -> Drop | None:
    return check_below(text, "characters", rules.min_characters, "recaption_too_short")


def check_too_long(text: Text, rules: GuardRules) -> Drop | None:
    return check_above(text, "characters", rules.max_characters, "recaption_too_long")


def check_noise(text: Text, rules: GuardRules) -> Drop | None:
    return check_above(text, "noise", 0, "recaption_noise")


def check_fact_lost(text: Text, rules: GuardRules) -> Drop | None:
    drop = check_above(text, "facts_lost", rules.max_facts_lost, "recaption_fact_lost")
    return _with_detail(drop, text, "lost")


def check_fact_added(text: Text, rules: GuardRules) -> Drop | None:
    """Facts that nothing written supports; quotes and numbers stand where the picture fits the text better."""
    bare, visible, change = (text.measures.get(n) for n in ("facts_unsupported", "facts_visible", "clip_change"))
    if not isinstance(bare, int) or not isinstance(visible, int):
        return None
    risen = isinstance(change, (int, float)) and change >= rules.clip_support
    left = bare - visible if risen else bare
    if left <= rules.max_facts_unsupported:
        return None
    return Drop("recaption_fact_unsupported", left, rules.max_facts_unsupported, str(text.measures["unsupported"]))


def check_clip_drop(text: Text, rules: GuardRules) -> Drop | None:
    return check_below(text, "clip_change", -rules.max_clip_drop, "recaption_clip_drop")


def _with_detail(drop: Drop | None, text: Text, measure: str) -> Drop | None:
    return drop and Drop(drop.rule, drop.value, drop.limit, str(text.measures.get(measure, "")))


CHECKS: tuple[Callable[[Text, GuardRules], Drop | None], ...] = (
    check_empty,
    check_refusal,
    check_boilerplate,
    check_repetition,
    check_language,
    check_noise,
    check_cut,
    check_too_short,
    check_too_long,
    check_fact_lost,
    check_fact_added,
    check_clip_drop,
)
