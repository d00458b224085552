"""How one measured value stands to every rule on it: passed or not, by how much, or the rule is off.

Left out on purpose: deciding (the rules are transforms/); this only tells, from the same measures and limits.
"""

from __future__ import annotations

from collections.abc import Iterator

from configs.schema.caption import CaptionConfig
from pipelines.kinds import Config, kind_of
from pipelines.plain_text import number
from pipelines.report_spec import RuleSpec, is_enabled, limit_of
from transforms.concept_fates import LIMIT, NOT_DRAWN
from transforms.records import Sample

CHOSEN = {
    "image_duplicate": "duplicate_of",
    "image_near_duplicate": "near_duplicate_of",
    "image_semantic_duplicate": "semantic_duplicate_of",
    "document_duplicate": "text_duplicate_of",
    "prompt_duplicate": "text_duplicate_of",
}
"""Which measure names the copy that a rule keeps."""


def standings(measure: str, value: float | int | str, sample: Sample, cfg: Config) -> Iterator[tuple[str, str]]:
    """Each rule on `measure` and what it says: `yes: ≥ 200 by 57`."""
    for rule in kind_of(cfg).rules:
        if rule.measure == measure:
            yield rule.rule, standing(rule, value, sample, cfg)
    if measure == "language" and isinstance(cfg, CaptionConfig):
        yield "caption_language", _language(str(value), cfg)


def standing(rule: RuleSpec, value: float | int | str, sample: Sample, cfg: Config) -> str:
    if not applies(rule, cfg):
        return "off"
    chosen = CHOSEN.get(rule.rule, "")
    if sample.measures.get(chosen) == sample.key:
        return "yes: the chosen copy"
    solved = sample.measures.get(LIMIT) if rule.rule == NOT_DRAWN else None
    limit = limit_of(rule, cfg.model_dump()) if solved is None else float(solved)
    if limit is None or isinstance(value, str):
        if rule.rule == "recaption_language":
            return f"NO: {value}" if value else "yes"
        return "see language" if rule.rule == "caption_language" else "no number"
    room = value - limit if rule.side == "min" else limit - value
    bound = "≥" if rule.side == "min" else "≤"
    return f"{'yes' if room >= 0 else 'NO'}: {bound} {number(limit)} by {number(abs(room))}"


def applies(rule: RuleSpec, cfg: Config) -> bool:
    """Whether the config has the rule at all."""
    return kind_of(cfg).specials(cfg).get(rule.rule, is_enabled(rule, cfg.model_dump()))


def _language(found: str, cfg: CaptionConfig) -> str:
    if not (cfg.language.enabled and cfg.language.allowed):
        return "off"
    return f"{'yes' if found in cfg.language.allowed else 'NO'}: one of {' '.join(cfg.language.allowed)}"
