"""How a run of each pipeline is planned: what is checked before, how its rows are tried, and what it does in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from classifiers.clip import ClipScorer
from configs.schema.caption import CaptionConfig, RelevanceRules
from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig, asks_clip, asks_heads, relevance_rules
from pipelines import interleaved_web
from pipelines.kinds import Config, kind_of
from pipelines.plan_checks import Finding, check_captioner, check_vocabulary
from pipelines.plan_trial import Trial, run_trial
from pipelines.plan_web import run_web_trial
from transforms import caption_pairs, web_documents
from transforms.records import Unit


@dataclass(frozen=True)
class Planning:
    model: Callable[[Any], RelevanceRules | None]
    """The CLIP model that is to be loaded; None where none is asked."""
    reads: Callable[[Any], Any]
    """What of the config a scan's sidecar is known by."""
    try_rows: Callable[[Sequence[Unit], Any, str, ClipScorer | None], Trial]
    before: Callable[[Any], Iterator[Finding]]
    after: Callable[[Any, float], Iterator[Finding]]
    """(config, rows that are kept)."""
    steps: Callable[[Any], list[str]]
    unknown: str
    """What no trial can know."""


def planning_of(cfg: Config) -> Planning:
    """Raises ConfigError for a pipeline that has no plan yet."""
    name = kind_of(cfg).name
    if name not in PLANNINGS:
        raise ConfigError(f"plan: expected the pipeline {' or '.join(PLANNINGS)}, found {name}")
    return PLANNINGS[name]


def _caption_steps(cfg: CaptionConfig) -> list[str]:
    steps = ["scan", "unique keys", "shared captions", "picture and caption rules", "duplicates"]
    steps += ["relevance"] * cfg.relevance.enabled + ["concepts"] * cfg.concepts.enabled
    return [*steps, *["recaption"] * cfg.recaption.enabled, "ledger", "shards"]


def _web_steps(cfg: WebConfig) -> list[str]:
    steps = ["scan", "unique keys", "pictures by address", "look", "shared pictures", "picture rules"]
    steps += (
        ["clip"] * asks_clip(cfg)
        + ["heads"] * asks_heads(cfg)
        + ["document rules"]
        + ["known documents"] * bool(cfg.against.runs)
    )
    steps += ["texts"] * cfg.duplicates.enabled
    return [*steps, "ledger", "shards"]


def _nothing(*of: Any) -> Iterator[Finding]:
    return iter(())


PLANNINGS: dict[str, Planning] = {
    "caption": Planning(
        lambda cfg: cfg.relevance if cfg.relevance.enabled else None,
        caption_pairs.scan_reads,
        run_trial,
        lambda cfg: check_vocabulary(cfg.concepts),
        check_captioner,
        _caption_steps,
        "copies and shared captions of the whole pool are unknown and lower what is kept",
    ),
    "interleaved_web": Planning(
        lambda cfg: relevance_rules(cfg.passages) if asks_clip(cfg) else None,
        lambda cfg: [web_documents.scan_reads(cfg), interleaved_web.lists_fingerprints(cfg)[0]],
        run_web_trial,
        _nothing,
        _nothing,
        _web_steps,
        "copies of the whole pool are unknown and lower what is kept, pictures in parts of archives that were not read "
        "raise it",
    ),
}
