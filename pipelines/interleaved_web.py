"""Interleaved web pages (GLM-4.1V-Thinking, section 3.1).

From web archives, pages as texts and pictures in reading order. Navigation, headers, advertisements and what else is no
content go first; the pictures a page names are found among the records of all archives. Then pictures: those of too
low a resolution, of odd shapes, of a solid colour leave their documents. Last documents: those that are left with
next to no text, with no picture, or with too many.

The order of the steps is this file; the numbers are configs/schema/web.py; the rules are transforms/.
Left out on purpose: all input and output (pipelines/run.py).
"""

from __future__ import annotations

from functools import partial

from apache_beam.pvalue import PCollection

from configs.schema.web import WebConfig
from transforms.beam.look import Look
from transforms.beam.match import Match
from transforms.beam.resolve_pictures import ResolvePictures
from transforms.beam.scan_archives import ScanArchives
from transforms.beam.verbs import Keep, Rows, Site
from transforms.unique_keys import UniqueKeys
from transforms.web_documents import look_reads, mark_document, mark_found, mark_sound, measures_pictures, scan_reads


def build(units: PCollection, cfg: WebConfig, site: Site, buckets: int) -> Rows:
    """Rows of the pool, a page each, marked with their fates."""
    rows = Rows(units | "Scan" >> ScanArchives(cfg, scan_reads(cfg), site), site)
    rows = rows | "UniqueKeys" >> Match(UniqueKeys(), buckets)
    rows = rows | "Resolve" >> ResolvePictures(cfg.read, buckets)
    rows = rows | "Look" >> Look(measures_pictures(cfg), look_reads(cfg))
    rows = rows | "KeepFound" >> Keep(partial(mark_found, cfg=cfg))
    rows = rows | "KeepSound" >> Keep(partial(mark_sound, cfg=cfg))
    return rows | "KeepDocuments" >> Keep(partial(mark_document, cfg=cfg))
