"""Scan: reads each unit once, in order, and leaves its rows in a sidecar.

Left out on purpose: what is read (transforms/reading.py) and what is measured (the steps a pipeline passes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from msgspec.structs import replace

from configs.schema.caption import ReadRules
from transforms.beam.verbs import Site, open_site
from transforms.fingerprints import fingerprint
from transforms.loaded import Loaded, Step, batched
from transforms.reading import Reader, read_input
from transforms.records import Unit, encode_sample
from transforms.rows import RowsRef, sidecar_uri, staging_folder
from transforms.sidecars import Clock, SidecarWriter, create_sidecar, read_totals

BATCH = 64
"""Samples decoded before the first is let go: bounds the memory of a scan to 64 pictures."""


@dataclass
class Scan(beam.PTransform):
    """Units to refs of their rows. `steps` map batches of loaded samples; `reads` is the config they depend on."""

    steps: Sequence[Step]
    rules: ReadRules
    reads: Any
    site: Site
    readers: Mapping[str, Reader] | None = None
    """By kind of unit; those of image–caption pairs where none are given."""

    def expand(self, units: PCollection) -> PCollection:
        scan = beam.ParDo(ScanUnit(self.steps, self.rules, self.reads, self.site, self.readers)).with_output_types(
            RowsRef
        )
        return units | "Spread" >> beam.Reshuffle() | "Read" >> scan  # one bundle would hold every unit otherwise


def scan_fingerprint(site: Site, reads: Any, unit: Unit) -> str:
    """What a unit's scan depends on; not its rank, which moves when other inputs come and go."""
    return fingerprint(site.code, reads, replace(unit, index=0))


class ScanUnit(beam.DoFn):
    def __init__(
        self,
        steps: Sequence[Step],
        rules: ReadRules,
        reads: Any,
        site: Site,
        readers: Mapping[str, Reader] | None = None,
    ) -> None:
        self._steps, self._rules, self._reads, self._site, self._readers = steps, rules, reads, site, readers

    def process(self, unit: Unit) -> Iterator[RowsRef]:
        storage = open_site(self._site)
        made_by = scan_fingerprint(self._site, self._reads, unit)
        uri = sidecar_uri(self._site.output, "scan", unit)
        if read_totals(storage, uri, made_by) is None:
            with create_sidecar(storage, uri, made_by) as sidecar:
                self._scan_into(sidecar, unit)
        yield RowsRef(unit, uri, made_by)

    def _scan_into(self, sidecar: SidecarWriter, unit: Unit) -> None:
        clock = Clock()
        rows = read_input(unit, self._rules, staging_folder(self._site.output), self._readers)
        for batch in batched(rows, BATCH):
            for loaded in self._measure(batch):
                sidecar.append(encode_sample(loaded.sample))
        sidecar.totals = clock.seconds()

    def _measure(self, batch: list[Loaded]) -> list[Loaded]:
        for step in self._steps:
            measured = step(batch)
            if len(measured) != len(batch):
                raise ValueError(f"{step}: expected {len(batch)} samples back, got {len(measured)}")
            batch = measured
        return batch
