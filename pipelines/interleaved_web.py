"""Interleaved web pages (GLM-4.1V-Thinking, section 3.1).

From web archives, pages as texts and pictures in reading order. Navigation, headers and what else is no content go
first; the pictures a page names are found among the records of all archives. Then pictures leave their documents: the
small, long, blurred and empty, what only decorates or counts visits, what too many documents share or one shows
twice, QR codes and advertisements, by rules and by a classifier, and those that a CLIP model finds unlike the passages
around them. Pictures that carry knowledge raise the weight of their document. Last documents go: texts of poor quality,
albums of dense pictures and sparse text, and of several of nearly the same text all but one.

The order of the steps is this file; the numbers are configs/schema/web.py; the rules are transforms/.
Left out on purpose: all input and output (pipelines/run.py).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.util import find_spec

from apache_beam.pvalue import PCollection

from classifiers.clip import ClipScorer
from classifiers.clip_source import fingerprint_source, parse_source
from classifiers.errors import ModelError
from classifiers.head_set import HeadSet
from classifiers.heads import load_head
from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig, asks_clip, asks_heads, relevance_rules
from pipelines import against
from pipelines.against import known_uri
from transforms.beam.ask_heads import AskHeads
from transforms.beam.look import Look
from transforms.beam.match import Match
from transforms.beam.match_known import DOCUMENTS, MatchKnown
from transforms.beam.match_texts import MatchTexts
from transforms.beam.resolve_pictures import ResolvePictures
from transforms.beam.scan_archives import ScanArchives
from transforms.beam.verbs import Keep, Rows, Site
from transforms.beam.visit import Visit
from transforms.fingerprints import fingerprint
from transforms.passages import apply_pictures, ask_passages, conclude_pictures, picture_views
from transforms.picture_classes import CLASS, KNOWLEDGE, check_known
from transforms.repeated_pictures import SharedPictures
from transforms.text_duplicates import TextDuplicates
from transforms.unique_keys import UniqueKeys
from transforms.web_documents import (
    look_reads,
    mark_class,
    mark_clean,
    mark_dense,
    mark_document,
    mark_found,
    mark_near_text,
    mark_new,
    mark_single,
    mark_sound,
    mark_unique,
    measures_pictures,
    page_signs,
    scan_reads,
)
from transforms.web_rows import read_text

CLIP = "clip"
"""Name of the Visit and of its sidecars."""


def build(units: PCollection, cfg: WebConfig, site: Site, buckets: int) -> Rows:
    """Rows of the pool, a page each, marked with their fates."""
    words, lists = lists_fingerprints(cfg)
    rows = Rows(units | "Scan" >> ScanArchives(cfg, [scan_reads(cfg), words], site), site)
    rows = rows | "UniqueKeys" >> Match(UniqueKeys(), buckets)
    rows = rows | "Resolve" >> ResolvePictures(cfg.read, buckets)
    rows = rows | "Look" >> Look(measures_pictures(cfg), page_signs(cfg).measure, [look_reads(cfg), lists])
    rows = rows | "SharedPictures" >> Match(SharedPictures(), buckets)
    rows = rows | "KeepFound" >> Keep(partial(mark_found, cfg=cfg))
    rows = rows | "KeepSound" >> Keep(partial(mark_sound, cfg=cfg))
    rows = rows | "KeepSingle" >> Keep(partial(mark_single, cfg=cfg))
    rows = rows | "KeepClean" >> Keep(partial(mark_clean, cfg=cfg))
    rows = ask_models(rows, cfg) if asks_clip(cfg) else rows
    rows = rows | "KeepDocuments" >> Keep(partial(mark_document, cfg=cfg))
    if cfg.against.runs:
        known = known_uri(site.output, cfg.against.runs, cfg.duplicates)
        rows = rows | "Known" >> MatchKnown(known, cfg.against.runs, cfg, DOCUMENTS)
        rows = rows | "KeepNew" >> Keep(partial(mark_new, cfg=cfg))
    if cfg.duplicates.enabled:
        rows = rows | "Texts" >> MatchTexts(TextDuplicates(cfg.duplicates), buckets)
        rows = rows | "KeepUnique" >> Keep(partial(mark_unique, cfg=cfg))
    return rows


def ask_models(rows: Rows, cfg: WebConfig) -> Rows:
    """What the pictures show: the classes of heads, their likeness to the text, the knowledge that they carry."""
    rows = rows | "Clip" >> show_pictures(cfg)
    if asks_heads(cfg):
        rows = rows | "Heads" >> AskHeads(heads_of(cfg), CLIP)
    if cfg.classifier.enabled:
        rows = rows | "KeepClasses" >> Keep(partial(mark_class, cfg=cfg))
    if cfg.passages.enabled:
        rows = rows | "KeepNearText" >> Keep(partial(mark_near_text, cfg=cfg))
    if cfg.knowledge.enabled:
        rows = rows | "Knowledge" >> Keep(partial(mark_dense, cfg=cfg))
    return rows


def show_pictures(cfg: WebConfig) -> Visit:
    """The one step that runs CLIP: each picture once, against the passages near it and for all heads."""
    rules, pixels = cfg.passages, cfg.decode.max_decode_pixels
    hints = {"accelerator": rules.accelerator} if rules.accelerator else {}
    visit = Visit(clip_scorer(cfg), ask_passages, apply_pictures, rules.batch_size, pixels, hints)
    near = rules if rules.enabled else None
    views = partial(picture_views, rules=near)
    conclude = partial(conclude_pictures, rules=near, embedded=asks_heads(cfg))
    return replace(visit, views=views, conclude=conclude, reads=near and [near.window, near.one_picture])


def clip_scorer(cfg: WebConfig) -> ClipScorer:
    return ClipScorer(relevance_rules(cfg.passages), name=CLIP, keep_embeddings=asks_heads(cfg))


def heads_of(cfg: WebConfig, clip: str | None = None) -> HeadSet:
    """The heads that the config asks, by the names of their measures. Raises ModelError for one that cannot be read or
    is not of the CLIP model `clip`, ConfigError where a rule names a class that its head does not know."""
    asked = [(CLASS, cfg.classifier.head, "classifier.max_probability", tuple(cfg.classifier.max_probability))]
    asked = asked * cfg.classifier.enabled
    asked += [(KNOWLEDGE, cfg.knowledge.head, "knowledge.classes", cfg.knowledge.classes)] * cfg.knowledge.enabled
    heads = {name: load_head(uri, clip) for name, uri, _, _ in asked}
    for name, _, place, classes in asked:
        check_known(classes, heads[name].classes, place)
    return HeadSet({name: uri for name, uri, _, _ in asked}, {name: one.fingerprint() for name, one in heads.items()})


def run_fingerprints(cfg: WebConfig) -> list[str]:
    """What a finished output is known by beside code, config and inputs: the user's lists, weights where a model runs,
    finished runs. Raises ConfigError, ModelError, NotFinished."""
    return [*lists_fingerprints(cfg), *_models_fingerprints(cfg), *against.run_fingerprints(cfg.against.runs)]


def _models_fingerprints(cfg: WebConfig) -> list[str]:
    """Of CLIP and of the heads, empty for what is not asked."""
    if not asks_clip(cfg):
        return ["", ""]
    heads = heads_of(cfg, fingerprint_source(parse_source(relevance_rules(cfg.passages)))) if asks_heads(cfg) else None
    return [clip_scorer(cfg).fingerprint(), heads.fingerprint() if heads else ""]


def lists_fingerprints(cfg: WebConfig) -> list[str]:
    """Of the user's list of words, and of the lists of adverts, by content; empty where there are none.

    Raises ConfigError for one that cannot be read, before anything else is.
    """
    return [_content(tuple(filter(None, [cfg.safety.words]))), _content(cfg.adverts.lists)]


def _content(uris: tuple[str, ...]) -> str:
    try:
        return fingerprint([read_text(uri) for uri in uris]) if uris else ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected readable lists in UTF-8, found {error}") from error


def check_installed(cfg: WebConfig) -> None:
    """Raises ModelError where a package is missing that only some rules need."""
    if asks_clip(cfg):
        clip_scorer(cfg).check_installed()
    needed = {"zxingcpp": cfg.codes.enabled, "adblock": bool(cfg.adverts.lists)}
    for name in [name for name, asked in needed.items() if asked and find_spec(name) is None]:
        rule = "codes.enabled=false" if name == "zxingcpp" else "adverts.lists=[]"
        raise ModelError(f"expected the package {name}, found none: pip install 'beamsift[web]', or --set {rule}")
