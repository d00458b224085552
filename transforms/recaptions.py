"""Recaptions: what is decided of a refined text from what was measured on it, and which text of a pair goes out.

A refined text is a `Text` of role `recaption` beside the originals. What turns it away is its own drop: the original
stays, and so does the row. A captioner that gave no answer leaves a recaption without a value, so every failure is on
the ledger. Which text goes out is a hash of the key: a larger pool or a retry moves no row to the other side.
Left out on purpose: asking a model and measuring what it wrote (recaption/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from configs.schema.recaption import GuardRules, MixRules, RecaptionRules
from transforms.fingerprints import chance
from transforms.ledger import ROLE, chosen_caption, recaption_of
from transforms.limits import check_above, check_below
from transforms.records import Drop, Sample, Text, texts, with_measures

FAILED = "recaption_failed"
PURPOSE = "recaption_mix"
TEXT_FROM = "text_from"
"""The measure of a sample that names the role of the text that goes out: `caption` or `recaption`."""


def originals_of(sample: Sample) -> tuple[str, ...]:
    """The captions no rule has marked: what is refined and what a refined text is held against."""
    return tuple(text.value for text in texts(sample) if text.drop is None)


def judge_recaption(sample: Sample, rules: RecaptionRules, seed: int) -> Sample:
    """`sample` with its refined text's fate, and with the role of the text that goes out; a row that was not asked
    about passes as it is."""
    if not sample.alive or recaption_of(sample) is None:
        return sample
    pieces = tuple(
        replace(piece, drop=check_recaption(piece, rules.guard))
        if isinstance(piece, Text) and piece.role == ROLE
        else piece
        for piece in sample.pieces
    )
    judged = replace(sample, pieces=pieces)
    return with_measures(judged, text_from=ROLE if takes_recaption(judged, rules.mix, seed) else "caption")


def judge_again(before: Sample, now: Sample, rules: RecaptionRules, seed: int) -> Sample:
    """`now`, decided again without recaptions, with that of `before`, judged.

    A row that was never asked about, or about other originals, carries the measure `unasked`: only a run can tell.
    """
    if not now.alive:
        return now
    refined = recaption_of(before)
    if refined is None or originals_of(before) != originals_of(now):
        return with_measures(now, unasked=1)
    return judge_recaption(replace(now, pieces=(*now.pieces, refined)), rules, seed)


def without_recaption(sample: Sample) -> Sample:
    """The row as it was before anybody was asked."""
    measures = {name: value for name, value in sample.measures.items() if name != TEXT_FROM}
    pieces = tuple(piece for piece in sample.pieces if not (isinstance(piece, Text) and piece.role == ROLE))
    return replace(sample, pieces=pieces, measures=measures)


def refined_text(sample: Sample) -> Text | None:
    """The refined text that was accepted."""
    found = recaption_of(sample)
    return found if found is not None and found.drop is None and found.value else None


def takes_recaption(sample: Sample, mix: MixRules, seed: int) -> bool:
    """Whether the refined text becomes the text: it was accepted, and the key's chance is below the share."""
    return refined_text(sample) is not None and chance(seed, sample.key, PURPOSE) < mix.recaption_share


def shown_text(sample: Sample) -> Text | None:
    """The text of `{key}.txt`, as the row itself says; None where no caption is left."""
    return refined_text(sample) if sample.measures.get(TEXT_FROM) == ROLE else chosen_caption(sample)


def member_text(sample: Sample, document: bool) -> str | None:
    """What `{key}.txt` holds; None for a document, which has none."""
    if document:
        return None
    text = shown_text(sample)
    return text.value if text else ""


def tally_recaptions(samples: Iterable[Sample]) -> Counter[str]:
    """Of living rows: asked, accepted, those whose text they became, tokens, and the rest by rule."""
    found: Counter[str] = Counter()
    for sample in samples:
        text = recaption_of(sample) if sample.alive else None
        if text is not None:
            found["asked"] += 1
            found["accepted" if text.drop is None else text.drop.rule] += 1
            found["text"] += sample.measures.get(TEXT_FROM) == ROLE
            for name in ("tokens_in", "tokens_out"):
                found[name] += int(text.measures.get(name, 0))
    return found


def check_recaption(text: Text, rules: GuardRules) -> Drop | None:
    """The first rule that fires on a text with the guard's measures; a value at its limit stays."""
    return next((drop for check in CHECKS if (drop := check(text, rules))), None)


def check_failed(text: Text, rules: GuardRules) -> Drop | None:
    """The captioner gave no text: how often it was asked, and why."""
    error, message = text.measures.get("error"), text.measures.get("message", "")
    return Drop(FAILED, _number(text, "attempts"), 0, f"{error}: {message}") if error else None


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
    return drop and replace(drop, detail=str(text.measures.get("lost", "")))


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


def _number(text: Text, measure: str) -> int:
    found: Any = text.measures.get(measure, 0)
    return int(found)


CHECKS: tuple[Callable[[Text, GuardRules], Drop | None], ...] = (
    check_failed,
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
