"""Interleaved web pages (GLM-4.1V-Thinking, section 3.1).

From web archives, pages as texts and pictures in reading order. Navigation, headers and what else is no content go
first; the pictures a page names are found among the records of all archives. Then pictures leave their documents: the
small, long, blurred and empty, what only decorates or counts visits, what too many documents share or one shows
twice, QR codes and advertisements, and those that a CLIP model finds unlike the passages around them. Last documents
go: texts of poor quality, albums of dense pictures and sparse text, and of several of nearly the same text all but one.

The order of the steps is this file; the numbers are configs/schema/web.py; the rules are transforms/.
Left out on purpose: all input and output (pipelines/run.py).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.util import find_spec

from apache_beam.pvalue import PCollection

from classifiers.clip import ClipScorer
from classifiers.errors import ModelError
from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig, relevance_rules
from pipelines import against
from pipelines.against import known_uri
from transforms.beam.look import Look
from transforms.beam.match import Match
from transforms.beam.match_known import DOCUMENTS, MatchKnown
from transforms.beam.match_texts import MatchTexts
from transforms.beam.resolve_pictures import ResolvePictures
from transforms.beam.scan_archives import ScanArchives
from transforms.beam.verbs import Keep, Rows, Site
from transforms.beam.visit import Visit
from transforms.fingerprints import fingerprint
from transforms.passages import apply_passages, ask_passages, conclude_passages, picture_views
from transforms.repeated_pictures import SharedPictures
from transforms.text_duplicates import TextDuplicates
from transforms.unique_keys import UniqueKeys
from transforms.web_documents import (
    look_reads,
    mark_clean,
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
    if cfg.passages.enabled:
        rows = rows | "Passages" >> score_passages(cfg)
        rows = rows | "KeepNearText" >> Keep(partial(mark_near_text, cfg=cfg))
    rows = rows | "KeepDocuments" >> Keep(partial(mark_document, cfg=cfg))
    if cfg.against.runs:
        known = known_uri(site.output, cfg.against.runs, cfg.duplicates)
        rows = rows | "Known" >> MatchKnown(known, cfg.against.runs, cfg, DOCUMENTS)
        rows = rows | "KeepNew" >> Keep(partial(mark_new, cfg=cfg))
    if cfg.duplicates.enabled:
        rows = rows | "Texts" >> MatchTexts(TextDuplicates(cfg.duplicates), buckets)
        rows = rows | "KeepUnique" >> Keep(partial(mark_unique, cfg=cfg))
    return rows


def score_passages(cfg: WebConfig) -> Visit:
    """The one step that runs a model: each picture against the passages near it."""
    rules, pixels = cfg.passages, cfg.decode.max_decode_pixels
    hints = {"accelerator": rules.accelerator} if rules.accelerator else {}
    visit = Visit(passage_scorer(cfg), ask_passages, apply_passages, rules.batch_size, pixels, hints)
    views, conclude = partial(picture_views, rules=rules), partial(conclude_passages, rules=rules)
    return replace(visit, views=views, conclude=conclude, reads=[rules.window, rules.one_picture])


def passage_scorer(cfg: WebConfig) -> ClipScorer:
    return ClipScorer(relevance_rules(cfg.passages), name="passages")


def run_fingerprints(cfg: WebConfig) -> list[str]:
    """What a finished output is known by beside code, config and inputs: the user's lists, weights where a model runs,
    finished runs. Raises ConfigError, ModelError, NotFinished."""
    scorer = passage_scorer(cfg).fingerprint() if cfg.passages.enabled else ""
    return [*lists_fingerprints(cfg), scorer, *against.run_fingerprints(cfg.against.runs)]


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
    if cfg.passages.enabled:
        passage_scorer(cfg).check_installed()
    needed = {"zxingcpp": cfg.codes.enabled, "adblock": bool(cfg.adverts.lists)}
    for name in [name for name, asked in needed.items() if asked and find_spec(name) is None]:
        rule = "codes.enabled=false" if name == "zxingcpp" else "adverts.lists=[]"
        raise ModelError(f"expected the package {name}, found none: pip install 'beamsift[web]', or --set {rule}")
