"""The scan of a web archive without Beam and without a model, step by step as a run takes it: what benchmarks time.

Left out on purpose: sidecars and shuffles, which bench the disk; the decisions (transforms/web_documents.py).
"""

from __future__ import annotations

from configs.schema.web import WebConfig
from transforms.materialise import SpanReader
from transforms.picture_looks import Looked, apply_looks, look_at, wanted_pictures, with_look, with_signs
from transforms.records import Picture, Sample, Unit, pictures
from transforms.warc_reader import Page, Refused, Resource, read_warc
from transforms.web_documents import measures_pictures, page_signs
from transforms.web_redirects import resolve_in_memory
from transforms.web_resources import Entry, capture_entry, open_reference
from transforms.web_rows import row_of


def scan_pages(archive: str, cfg: WebConfig) -> tuple[list[Sample], list[Entry]]:
    """Rows of an archive's pages, and where its pictures lie."""
    rows, entries, unit = list[Sample](), list[Entry](), Unit(0, archive, "warc")
    for capture in read_warc(archive, archive, cfg.read):
        if isinstance(capture, Page | Refused):
            rows.append(row_of(capture, len(rows), unit, cfg))
        elif isinstance(capture, Resource) and (entry := capture_entry(capture)):
            entries.append(entry)
    return rows, entries


def resolve_pictures(rows: list[Sample], entries: list[Entry], cfg: WebConfig) -> list[Sample]:
    return resolve_in_memory((rows, [0] * len(rows)), {0: entries}, {}, cfg.read)


def look_at_pictures(rows: list[Sample], cfg: WebConfig, staging: str, everywhere: bool = False) -> list[Sample]:
    """Each picture that was found opened once and measured; `everywhere`: also those outside the content."""
    measure, signs, known = measures_pictures(cfg), page_signs(cfg), dict[str, Looked]()
    looked = []
    with SpanReader(staging) as spans:
        for row in rows:
            wanted = list(enumerate(row.pieces)) if everywhere else list(wanted_pictures(row))
            answers = []
            for index, picture in wanted:
                if not isinstance(picture, Picture) or open_reference(picture) is not None:
                    continue
                key = str(picture.source)
                if key not in known:
                    known[key] = look_at(picture, spans, measure)
                seen = with_look(picture, known[key])
                answers.append((index, with_signs(known[key], signs.measure(seen, row))))
            looked.append(apply_looks(row, answers))
    return looked


def count_found(rows: list[Sample]) -> int:
    """Pictures in the content that were opened."""
    return sum("short_side" in one.measures for row in rows for one in pictures(row))
