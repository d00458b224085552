"""ScanArchives: reads each web archive once; its pages become rows, its pictures and redirects an index beside them.

Saved pages and documents of foreign sets become rows as well, with an index of nothing.
Two sidecars a unit: `work/web_index` with what the archive says of addresses, and the rows in `work/scan`, whose totals
count every record of the archive, so that what was read adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection

from configs.schema.web import WebConfig
from transforms.beam.scan import scan_fingerprint
from transforms.beam.verbs import Site, open_site
from transforms.document_rows import document_row, read_documents
from transforms.records import Unit, encode_sample
from transforms.rows import RowsRef, sidecar_uri, staging_folder
from transforms.sidecars import Clock, SidecarWriter, create_sidecar, read_records, read_totals
from transforms.storage import Storage
from transforms.warc_reader import Capture, Page, Redirect, Refused, Resource
from transforms.web_redirects import Hop, first_hop
from transforms.web_resources import Entry, capture_entry
from transforms.web_rows import name_capture, read_captures, row_of

INDEX = "web_index"


@dataclass
class ScanArchives(beam.PTransform):
    """Units to refs of their rows. `reads` is the config they depend on."""

    cfg: WebConfig
    reads: Any
    site: Site

    def expand(self, units: PCollection) -> PCollection:
        scan = beam.ParDo(ScanArchive(self.cfg, self.reads, self.site)).with_output_types(RowsRef)
        return units | "Spread" >> beam.Reshuffle() | "Read" >> scan  # one bundle would hold every unit otherwise


class ScanArchive(beam.DoFn):
    def __init__(self, cfg: WebConfig, reads: Any, site: Site) -> None:
        self._cfg, self._reads, self._site = cfg, reads, site

    def process(self, unit: Unit) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        made_by = scan_fingerprint(self._site, self._reads, unit)
        index, rows = (sidecar_uri(self._site.output, stage, unit) for stage in (INDEX, "scan"))
        if any(read_totals(storage, uri, made_by) is None for uri in (index, rows)):
            with create_sidecar(storage, index, made_by) as entries, create_sidecar(storage, rows, made_by) as sidecar:
                self._scan_into(entries, sidecar, unit)
        yield RowsRef(unit, rows, made_by)

    def _scan_into(self, entries: SidecarWriter, rows: SidecarWriter, unit: Unit) -> None:
        clock = Clock()
        scan = self._scan_documents if unit.schema else self._scan_captures
        records = scan(entries, rows, unit)
        rows.totals = {**clock.seconds(), "records": dict(sorted(records.items()))}

    def _scan_documents(self, entries: SidecarWriter, rows: SidecarWriter, unit: Unit) -> Counter[str]:
        records = Counter[str]()
        for loaded in read_documents(unit, self._cfg, staging_folder(self._site.output)):
            records["documents" if loaded.sample.failure is None else "refused"] += 1
            rows.append(encode_sample(document_row(loaded, unit, self._cfg)))
        return records

    def _scan_captures(self, entries: SidecarWriter, rows: SidecarWriter, unit: Unit) -> Counter[str]:
        records = Counter[str]()
        for capture in read_captures(unit, self._cfg.read, staging_folder(self._site.output)):
            records[name_capture(capture)] += 1
            if isinstance(capture, Page | Refused):
                if rows.rows != unit.limit:
                    rows.append(encode_sample(row_of(capture, rows.rows, unit, self._cfg)))
            elif (entry := self._entry(capture)) is not None:
                entries.append(msgspec.msgpack.encode(entry))
        return records

    def _entry(self, capture: Capture) -> tuple[Entry | None, Hop | None] | None:
        if isinstance(capture, Resource) and (entry := capture_entry(capture)):
            return entry, None
        if isinstance(capture, Redirect) and (hop := first_hop(capture, self._cfg.read)):
            return None, hop
        return None


def index_of(ref: RowsRef, site: Site) -> Iterator[tuple[Entry | None, Hop | None]]:
    """What a unit's archive says of addresses: a capture, or a redirect."""
    storage: Storage = open_site(site)
    for record in read_records(storage, sidecar_uri(site.output, INDEX, ref.unit)):
        yield msgspec.msgpack.decode(record, type=tuple[Entry | None, Hop | None])
