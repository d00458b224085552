"""The kinds of data: of each pipeline its config, its rules and measures, and how its finished runs are decided again.

What the command line and the readers of a finished run need; it imports no Beam. How a run is made: makings.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from configs.schema.caption import CaptionConfig
from configs.schema.sft import SftConfig
from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig
from pipelines import caption_rules, sft_rules, web_rules
from pipelines.recaption_rules import RECAPTION_RULES
from pipelines.report_spec import ReportSpec, RuleSpec
from transforms import caption_pairs, responses_rules, web_documents
from transforms.document_counts import tally_documents
from transforms.knowledge import order_measure
from transforms.ledger import Measure
from transforms.picture_classes import RULE
from transforms.recaptions import tally_recaptions
from transforms.records import Sample
from transforms.vocabulary import Vocabulary

Config = CaptionConfig | WebConfig | SftConfig
DecideAgain = Callable[[Sequence[Sample], Sequence[int], Any, Vocabulary | None], list[Sample]]


@dataclass(frozen=True)
class Kind:
    """`report` holds the rules that drop rows, and the measures that are columns of the ledger."""

    name: str
    config: type[Config]
    report: ReportSpec
    decide_again: DecideAgain
    scan_reads: Callable[[Any], dict[str, Any]]
    look_keys: Mapping[str, frozenset[str]]
    """Keys of the config, by section, that change what is measured after the scan."""
    tally: Callable[[Iterable[Sample]], Counter[str]]
    """What is counted beside rows: what became of refined texts, or of the pictures of documents."""
    tallied: str
    verdicts: Callable[[set[str]], list[tuple[str, str]]]
    """(name, words for people) of what was counted of it, in the order of a table."""
    specials: Callable[[Any], dict[str, bool]]
    """Rules whose section alone does not tell whether they are on."""
    piece_measures: Mapping[str, Measure] = field(default_factory=dict)
    """Of pictures and texts inside a row, where they are no columns of the ledger."""
    is_document: bool = False
    """Whether a sample is a document: its texts are pieces of its JSON, and it has no `.txt`."""
    ordered_by: Callable[[Any], str] = field(default=lambda cfg: "")
    """The measure by which the written set is ordered; empty for the pool's order."""

    @property
    def rules(self) -> list[RuleSpec]:
        """Those on rows, then those on texts or pictures inside a row, none of which drops it."""
        return [*self.report.rules, *self.report.text_rules, *self.report.picture_rules]

    @property
    def measures(self) -> dict[str, Measure]:
        return {**self.piece_measures, **self.report.measures}


def _caption_specials(cfg: CaptionConfig) -> dict[str, bool]:
    return {
        "image_animated": cfg.image.enabled and not cfg.image.allow_animated,
        "caption_missing": cfg.caption.enabled,
        "caption_language": cfg.language.enabled and bool(cfg.language.allowed),
        "image_known": bool(cfg.against.runs),
        "image_duplicate": cfg.duplicates.enabled,
        "image_near_duplicate": cfg.near_duplicates.enabled,
    }


def _recaption_verdicts(found: set[str]) -> list[tuple[str, str]]:
    turned = [spec.rule for spec in RECAPTION_RULES if spec.rule in found]
    return [("accepted", "accepted"), ("text", "  become the text"), *((rule, rule) for rule in turned)]


def _picture_verdicts(found: set[str]) -> list[tuple[str, str]]:
    """Fates in the order of the rules, then kept documents by weight; what no decision moves is left out."""
    order = ["kept", *(f"dropped {spec.rule}" for spec in web_rules.PICTURE_RULES)]
    fates = {name for name in found if name.partition(" ")[0] in ("kept", "dropped", "failed")}
    told = [(name, name) for name in [*(one for one in order if one in fates), *sorted(fates - set(order))]]
    weights = sorted(int(name.partition(" ")[2]) for name in found if name.startswith("weight "))
    return told + [(f"weight {low}", f"documents of weight {low} to {low + 1}") for low in weights]


def _web_specials(cfg: WebConfig) -> dict[str, bool]:
    return {
        "image_animated": cfg.content.enabled and not cfg.content.allow_animated,
        "document_language": cfg.text.enabled and bool(cfg.text.languages),
        "document_without_pictures": cfg.album.enabled and cfg.album.require_picture,
        "document_few_pictures": cfg.album.enabled and cfg.album.max_words_per_picture > 0,
        **{
            f"{RULE}{name}": cfg.classifier.enabled and name in cfg.classifier.max_probability
            for name in web_rules.CLASSES
        },
        "document_unsafe_words": bool(cfg.safety.words),
        "document_unsafe_share": bool(cfg.safety.words),
        "document_known": bool(cfg.against.runs),
    }


def _sft_specials(cfg: SftConfig) -> dict[str, bool]:
    return {
        "response_tags": cfg.tags.enabled,
        "response_plain": cfg.tags.enabled and not cfg.tags.allow_plain,
        **{f"box_{name}": cfg.box.enabled and cfg.box.require for name in ("missing", "twice", "in_thought")},
        "answer_wrong": cfg.box.enabled and cfg.box.check_reference,
    }


KINDS: dict[str, Kind] = {
    "caption": Kind(
        "caption",
        CaptionConfig,
        caption_rules.REPORT,
        caption_pairs.decide_again,
        caption_pairs.scan_reads,
        {},
        tally_recaptions,
        "refined texts",
        _recaption_verdicts,
        _caption_specials,
    ),
    "interleaved_web": Kind(
        "interleaved_web",
        WebConfig,
        web_rules.REPORT,
        web_documents.decide_again,
        web_documents.scan_reads,
        web_documents.LOOK_KEYS,
        tally_documents,
        "pictures",
        _picture_verdicts,
        _web_specials,
        web_rules.PICTURE_MEASURES,
        is_document=True,
        ordered_by=lambda cfg: order_measure(cfg.knowledge),
    ),
    "sft": Kind(
        "sft",
        SftConfig,
        sft_rules.REPORT,
        responses_rules.decide_again,
        responses_rules.scan_reads,
        {},
        web_documents.tally_pictures,
        "pictures",
        _picture_verdicts,
        _sft_specials,
        is_document=True,
    ),
}


def kind_named(name: str) -> Kind:
    """Raises ConfigError for a pipeline that this version does not know."""
    if name not in KINDS:
        raise ConfigError(f"pipeline: expected one of {' '.join(KINDS)}, found {name!r}")
    return KINDS[name]


def kind_of(cfg: Config) -> Kind:
    return next(kind for kind in KINDS.values() if isinstance(cfg, kind.config))


def captions_only(cfg: Config, what: str) -> CaptionConfig:
    """`cfg` where it is one of captions. Raises ConfigError: `what` knows no other pipeline."""
    if not isinstance(cfg, CaptionConfig):
        raise ConfigError(f"{what}: expected the pipeline caption, found {kind_of(cfg).name}")
    return cfg
