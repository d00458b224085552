"""How a run of each pipeline is made: what lists its units, builds its graph, and adds up what it counts.

Apart from pipelines/kinds.py because it imports Beam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.pvalue import PCollection

from configs.schema.caption import CaptionConfig
from configs.schema.sft import SftConfig, reading_rules
from configs.schema.web import WebConfig, asks_clip, asks_heads
from pipelines import caption, interleaved_web, sft
from pipelines.against import run_fingerprints, write_known
from pipelines.recaption_sums import sum_recaptions
from pipelines.web_inputs import limit_web_units, list_web_units
from transforms.beam.count_concepts import CONCEPTS, MATCHES
from transforms.beam.verbs import Rows, Site
from transforms.concept_fates import LIMIT
from transforms.document_counts import sum_documents
from transforms.reading import limit_units, list_units
from transforms.records import Unit
from transforms.responses_reading import KINDS as CONVERSATIONS
from transforms.responses_reading import readers
from transforms.web_documents import sum_pictures

Counts = Iterable[Mapping[str, int]]


@dataclass(frozen=True)
class Making:
    build: Callable[[PCollection, Any, Site, int], Rows]
    list_units: Callable[[Sequence[str], Any], list[Unit]]
    limit_units: Callable[[list[Unit], int, Any, str], list[Unit]]
    """(units, rows, config, staging folder)."""
    stages: Callable[[Any], list[str]]
    """Folders of sidecars in the order in which a run fills them."""
    fingerprints: Callable[[Any], list[Any]]
    """What a finished output is known by beside code, config and inputs: weights, vocabulary, other runs."""
    check_models: Callable[[Any], None]
    """Raises ModelError where this machine cannot run what the config asks for."""
    prepare: Callable[[str, Any], None]
    """(output, config): what the graph reads and is written before it runs."""
    sum_counted: Callable[[Counts, Counts, Any], dict[str, Any]]
    """The manifest's counts beside rows, from what the units counted of their pieces and of their records."""


def caption_stages(cfg: CaptionConfig) -> list[str]:
    balance = [MATCHES, CONCEPTS, *([LIMIT] if cfg.concepts.target else [])]
    scored, asked = ["clip"] * cfg.relevance.enabled, ["recaption", "recaption_check"] * cfg.recaption.enabled
    return ["scan", *scored, *(balance if cfg.concepts.enabled else []), *asked, "kept"]


def caption_fingerprints(cfg: CaptionConfig) -> list[Any]:
    return [caption.models_fingerprint(cfg), caption.concepts_fingerprint(cfg), run_fingerprints(cfg.against.runs)]


def sum_caption(pieces: Counts, records: Counts, cfg: CaptionConfig) -> dict[str, Any]:
    return {"recaption": sum_recaptions(pieces, cfg.recaption.captioner)} if cfg.recaption.enabled else {}


def web_stages(cfg: WebConfig) -> list[str]:
    return ["scan", "look", *["clip"] * asks_clip(cfg), *["heads"] * asks_heads(cfg), "kept"]


def sum_web(pieces: Counts, records: Counts, cfg: WebConfig) -> dict[str, Any]:
    """`records` of the archives by what they are, and what is counted of documents."""
    return {"records": _sum(records), **sum_documents(_sum(pieces), cfg)}


def limit_conversations(units: list[Unit], limit: int, cfg: SftConfig, staging: str) -> list[Unit]:
    return limit_units(units, limit, reading_rules(cfg.read), staging, readers(cfg.read))


def _sum(parts: Counts) -> dict[str, int]:
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return dict(sorted(found.items()))


MAKINGS: dict[str, Making] = {
    "caption": Making(
        caption.build,
        lambda inputs, cfg: list_units(list(inputs), cfg.read),
        lambda units, limit, cfg, staging: limit_units(units, limit, cfg.read, staging),
        caption_stages,
        caption_fingerprints,
        caption.check_models,
        write_known,
        sum_caption,
    ),
    "interleaved_web": Making(
        interleaved_web.build,
        list_web_units,
        limit_web_units,
        web_stages,
        interleaved_web.run_fingerprints,
        interleaved_web.check_installed,
        write_known,
        sum_web,
    ),
    "sft": Making(
        sft.build,
        lambda inputs, cfg: list_units(list(inputs), reading_rules(cfg.read), kinds=CONVERSATIONS),
        limit_conversations,
        lambda cfg: ["scan", "kept"],
        lambda cfg: [],
        lambda cfg: None,
        lambda output, cfg: None,
        lambda pieces, records, cfg: {"pictures": sum_pictures(_sum(pieces))},
    ),
}
