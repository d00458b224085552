"""Image–caption pairs (GLM-4.1V-Thinking, section 3.1).

From a large pool of pairs, first simple heuristics: pictures of too low a resolution, of a solid colour, captions out
of length bounds, repeated pictures, the same or nearly. Then relevance: pairs whose CLIP score is below 0.3 go, and by
the same model's embeddings pictures that mean the same.
Then concept balance: captions of concepts that the pool has in plenty are thinned out, rare ones stay.
Last factual recaptioning: what the noisy originals say is kept and enriched, and the final texts mix both.

The order of the steps is this file; the numbers are configs/schema/caption.py; the rules are transforms/.
Left out on purpose: all input and output (pipelines/run.py).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from apache_beam.pvalue import PCollection

from classifiers.clip import ClipScorer
from classifiers.text_reader import TextReader
from configs.schema.caption import CaptionConfig
from pipelines.against import known_uri
from recaption.asking import add_reply, ask_recaption, question_of
from recaption.checker import RecaptionChecker, add_check, ask_check
from recaption.local_model import LocalCaptioner
from recaption.openai_server import ServerCaptioner
from transforms.beam.count_concepts import BalanceConcepts, VocabularyFile
from transforms.beam.match import Match
from transforms.beam.match_known import MatchKnown
from transforms.beam.match_near import MatchNear
from transforms.beam.match_semantic import MatchSemantic
from transforms.beam.scan import Scan
from transforms.beam.tally_concepts import TallyConcepts
from transforms.beam.verbs import Keep, Rows, Site
from transforms.beam.visit import Visit
from transforms.caption_pairs import (
    MEANT_CAPTIONS,
    NEAR_CAPTIONS,
    apply_scores,
    ask_relevance,
    concept_t,
    mark_concepts,
    mark_duplicates,
    mark_irrelevant,
    mark_known,
    mark_near_duplicates,
    mark_recaption,
    mark_semantic_duplicates,
    mark_unsound,
    scan_reads,
    scan_steps,
)
from transforms.duplicates import ExactDuplicates
from transforms.near_duplicates import NearDuplicates
from transforms.semantic_duplicates import mark_asked
from transforms.shared_captions import SharedCaptions
from transforms.unique_keys import UniqueKeys
from transforms.vocabulary import vocabulary_sha256


def build(units: PCollection, cfg: CaptionConfig, site: Site, buckets: int) -> Rows:
    """Rows of the pool, each marked with its fate."""
    rows = Rows(units | "Scan" >> Scan(scan_steps(cfg), cfg.read, scan_reads(cfg), site), site)
    rows = rows | "UniqueKeys" >> Match(UniqueKeys(), buckets)
    rows = rows | "SharedCaptions" >> Match(SharedCaptions(), buckets)
    rows = rows | "KeepSound" >> Keep(partial(mark_unsound, cfg=cfg))
    rows = drop_copies(rows, cfg, buckets)
    if cfg.relevance.enabled:
        rows = rows | "Relevance" >> score_relevance(cfg)
        rows = rows | "KeepRelevant" >> Keep(partial(mark_irrelevant, cfg=cfg))
    if cfg.semantic_duplicates.enabled:
        rows = drop_same_meanings(rows, cfg, buckets)
    if cfg.concepts.enabled:
        rows = balance_concepts(rows, cfg)
    if cfg.recaption.enabled:
        rows = refine_captions(rows, cfg)
    return rows


def drop_copies(rows: Rows, cfg: CaptionConfig, buckets: int) -> Rows:
    """Pictures that finished runs keep, equal ones, and those that look the same."""
    if cfg.against.runs:
        known = known_uri(rows.site.output, cfg.against.runs)
        rows = rows | "Known" >> MatchKnown(known, cfg.against.runs, cfg)
        rows = rows | "KeepNew" >> Keep(partial(mark_known, cfg=cfg))
    rows = rows | "Duplicates" >> Match(ExactDuplicates(cfg.duplicates), buckets)
    rows = rows | "KeepUnique" >> Keep(partial(mark_duplicates, cfg=cfg))
    if cfg.near_duplicates.enabled:
        rows = rows | "NearDuplicates" >> MatchNear(NearDuplicates(cfg.near_duplicates), buckets)
        rows = rows | "KeepUnlike" >> Keep(partial(mark_near_duplicates, cfg=cfg))
        if cfg.near_duplicates.keep_captions:
            rows = rows | "NearCaptions" >> Match(NEAR_CAPTIONS, buckets)
    return rows


def drop_same_meanings(rows: Rows, cfg: CaptionConfig, buckets: int) -> Rows:
    """By the embeddings that relevance made."""
    rows = rows | "SemanticAsked" >> Keep(partial(mark_asked, rules=cfg.semantic_duplicates))
    rows = rows | "Semantic" >> MatchSemantic(cfg.semantic_duplicates, ClipScorer.name, cfg.seed)
    rows = rows | "KeepMeanings" >> Keep(partial(mark_semantic_duplicates, cfg=cfg))
    return rows | "MeantCaptions" >> Match(MEANT_CAPTIONS, buckets) if cfg.semantic_duplicates.keep_captions else rows


def refine_captions(rows: Rows, cfg: CaptionConfig) -> Rows:
    rows = rows | "Recaption" >> ask_captioner(cfg)
    rows = rows | "RecaptionCheck" >> check_recaptions(cfg)
    return rows | "KeepFactual" >> Keep(partial(mark_recaption, cfg=cfg))


def balance_concepts(rows: Rows, cfg: CaptionConfig) -> Rows:
    """Beside the rows' fates a table of counts is written, for the report and the data card."""
    rules = cfg.concepts
    vocabulary = VocabularyFile(rules.vocabulary, rules.padding, concepts_fingerprint(cfg))
    rows = rows | "Concepts" >> BalanceConcepts(vocabulary, cfg.seed, rules.target)
    rows | "ConceptTable" >> TallyConcepts(vocabulary, concept_t(cfg))
    return rows | "KeepBalanced" >> Keep(partial(mark_concepts, cfg=cfg))


def concepts_fingerprint(cfg: CaptionConfig) -> str:
    """sha256 of the vocabulary's content; empty where concepts are not balanced. Raises VocabularyError."""
    return vocabulary_sha256(cfg.concepts.vocabulary) if cfg.concepts.enabled else ""


def models_fingerprint(cfg: CaptionConfig) -> str:
    """What the models are known by; empty where none runs. Raises ModelError for local weights that are not there."""
    found = [score_relevance(cfg).model.fingerprint()] if cfg.relevance.enabled else []
    found += [captioner_of(cfg).fingerprint()] if cfg.recaption.enabled else []
    reader = reader_of(cfg)
    return "+".join(found + ([reader.fingerprint()] if reader else []))


def check_models(cfg: CaptionConfig) -> None:
    """Raises ModelError, before anything is read, where this machine cannot run what the config asks for."""
    if cfg.relevance.enabled:
        ClipScorer(cfg.relevance).check_installed()
    if cfg.recaption.enabled:
        captioner_of(cfg).check_installed()
    if reader := reader_of(cfg):
        reader.check_installed()


def score_relevance(cfg: CaptionConfig) -> Visit:
    """The first of the steps that run a model; none but these asks for an accelerator."""
    rules = cfg.relevance
    hints = {"accelerator": rules.accelerator} if rules.accelerator else {}
    scorer = ClipScorer(rules, keep_embeddings=cfg.semantic_duplicates.enabled)
    return Visit(scorer, ask_relevance, apply_scores, rules.batch_size, cfg.read.max_decode_pixels, hints)


def captioner_of(cfg: CaptionConfig) -> ServerCaptioner | LocalCaptioner:
    rules = cfg.recaption.captioner
    return ServerCaptioner(rules) if rules.backend == "server" else LocalCaptioner(rules)


def reader_of(cfg: CaptionConfig) -> TextReader | None:
    return TextReader() if cfg.recaption.enabled and cfg.recaption.guard.ocr else None


def ask_captioner(cfg: CaptionConfig) -> Visit:
    rules, pixels = cfg.recaption, cfg.read.max_decode_pixels
    accelerator = rules.captioner.local.accelerator if rules.captioner.backend == "local" else ""
    hints = {"accelerator": accelerator} if accelerator else {}
    return Visit(captioner_of(cfg), ask_recaption, add_reply, rules.batch_size, pixels, hints, question_of)


def check_recaptions(cfg: CaptionConfig) -> Visit:
    """What the refined texts are judged by: the guard's measures, and the score by the relevance step's model."""
    scorer, reader = ClipScorer(cfg.relevance) if cfg.relevance.enabled else None, reader_of(cfg)
    checker = RecaptionChecker(cfg.recaption.guard, scorer, reader)
    hints = {"accelerator": cfg.relevance.accelerator} if cfg.relevance.enabled and cfg.relevance.accelerator else {}
    visit = Visit(checker, ask_check, add_check, cfg.relevance.batch_size, cfg.read.max_decode_pixels, hints)
    return replace(visit, looks=scorer is not None or reader is not None)
