"""Fact guard: what is measured on a refined text against its original.

Facts of the original must survive; names, places, dates, numbers, quantities and quotes that the refined text adds must
be supported by evidence (OCR, other captions), or, for what a picture can show, by a higher CLIP score. The measures
are stored, so a limit can be moved and decided again without a model (law 3).
Left out on purpose: the rules on these measures (transforms/recaptions.py); asking another model what is true.
"""

from __future__ import annotations

from collections.abc import Sequence

from configs.schema.recaption import GuardRules
from recaption.captioner import Answer
from recaption.facts import Fact, added_facts, find_facts, lost_facts, strip_quotes
from recaption.names import words_of
from recaption.noise import find_noise, strip_noise
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
from transforms.records import Measures

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
