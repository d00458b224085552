"""WriteLedger: the last fold. Every row gets its fate; the ledger says why, the kept rows wait for their shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import apache_beam as beam
import msgspec
import pyarrow.parquet as pq
from apache_beam.pvalue import PCollection
from msgspec.structs import replace

from transforms.beam.verbs import Labelled, Rows, Site, open_site
from transforms.fingerprints import fingerprint
from transforms.ledger import Measure, ledger_name, ledger_schema, ledger_table
from transforms.loaded import batched
from transforms.recaptions import tally_recaptions
from transforms.records import Sample, encode_sample
from transforms.rows import Fold, RowsRef, joined_sidecars, rows_of, sidecar_uri
from transforms.sidecars import Clock, SidecarWriter, create_sidecar, read_totals
from transforms.storage import Storage, join

ROWS_PER_GROUP = 4096
"""Rows of one Parquet row group: what a writer holds in memory."""


class Tally(msgspec.Struct, frozen=True):
    """What became of one unit's rows."""

    unit: int
    uri: str
    part: int
    read: int
    kept: int
    dropped: dict[str, int]
    failed: dict[str, int]
    rows: str
    """URI of the sidecar of kept rows."""
    stages: dict[str, dict[str, float]]
    counted: dict[str, int] = {}
    """What a pipeline counts beside rows: what became of refined texts, or of documents' pictures."""
    records: dict[str, int] = {}
    """Records of an archive by what they are, where the unit is one."""


Count = Callable[[Iterable[Sample]], Counter[str]]


@dataclass(frozen=True)
class WriteLedger(Labelled):
    """Rows to one encoded Tally a unit."""

    measures: Mapping[str, Measure]
    count: Count = tally_recaptions
    """What is counted of the rows beside their fates."""
    documents: bool = False
    """Whether samples are documents."""

    def extend(self, rows: Rows) -> PCollection:
        settle = SettleUnit(self.measures, rows.site, rows.fold, (self.count, self.documents))
        return rows.refs | self.label >> beam.ParDo(settle).with_output_types(bytes)


def ledger_uri(output: str, unit: int) -> str:
    return join(output, ledger_name(unit))


class SettleUnit(beam.DoFn):
    def __init__(
        self,
        measures: Mapping[str, Measure],
        site: Site,
        fold: Fold,
        of: tuple[Count, bool] = (tally_recaptions, False),
    ) -> None:
        """`of` is what is counted, and whether samples are documents."""
        self._measures, self._site, self._fold = measures, site, fold
        self._count, self._documents = of

    def process(self, ref: RowsRef) -> Iterator[bytes]:
        storage = open_site(self._site)
        kept, ledger = sidecar_uri(self._site.output, "kept", ref.unit), ledger_uri(self._site.output, ref.unit.index)
        made_by = fingerprint(ref.made_by, ref.unit.index, self._site.recipe, list(self._measures.items()))
        totals = read_totals(storage, kept, made_by)
        if totals is None or ledger_fingerprint(storage, ledger) != made_by:
            with create_sidecar(storage, kept, made_by) as sidecar, storage.create(ledger) as file:
                sidecar.totals = {"tally": self._settle(ref, sidecar, file, made_by)}
            totals = sidecar.totals
        yield msgspec.json.encode(totals["tally"])

    def _settle(self, ref: RowsRef, sidecar: SidecarWriter, ledger: BinaryIO, made_by: str) -> dict[str, Any]:
        clock, storage = Clock(), open_site(self._site)
        fates: Counter[tuple[str, str]] = Counter()
        counted: Counter[str] = Counter()
        schema = ledger_schema(self._measures).with_metadata({"fingerprint": made_by})
        with pq.ParquetWriter(ledger, schema, compression="zstd") as writer:
            for group in batched(rows_of(ref, self._fold, storage), ROWS_PER_GROUP):
                writer.write_table(ledger_table(group, self._measures, self._documents).cast(schema))
                fates.update((sample.fate, reason(sample)) for sample in group)
                counted.update(self._count(group))
                for sample in filter(_alive, group):
                    sidecar.append(encode_sample(sample))
        stages = {**stage_seconds(ref, storage), "settle": clock.seconds()}
        kept = sidecar_uri(self._site.output, "kept", ref.unit)
        records = (read_totals(storage, ref.scan) or {}).get("records", {})
        tally = make_tally(ref, fates, kept, stages)
        return msgspec.to_builtins(replace(tally, counted=dict(sorted(counted.items())), records=records))


def make_tally(ref: RowsRef, fates: Counter[tuple[str, str]], kept: str, stages: dict[str, dict[str, float]]) -> Tally:
    by_fate = {fate: {why: n for (f, why), n in sorted(fates.items()) if f == fate} for fate in ("dropped", "failed")}
    unit = ref.unit
    return Tally(unit.index, unit.uri, unit.part, fates.total(), fates["kept", ""], **by_fate, rows=kept, stages=stages)


def stage_seconds(ref: RowsRef, storage: Storage) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds that the unit's sidecars say they cost, also where a resume took them over."""
    sidecars = {"scan": ref.scan, **joined_sidecars(ref)}
    totals = {stage: read_totals(storage, uri) or {} for stage, uri in sidecars.items()}
    return {stage: {name: t[name] for name in ("wall_seconds", "cpu_seconds")} for stage, t in totals.items()}


def ledger_fingerprint(storage: Storage, uri: str) -> str | None:
    try:
        with storage.open(uri) as file:
            return str((pq.read_schema(file).metadata or {}).get(b"fingerprint", b"").decode())
    except FileNotFoundError:
        return None


def reason(sample: Sample) -> str:
    """The rule that dropped a row, the class of its failure; empty for a kept one."""
    if sample.failure is not None:
        return sample.failure.error
    return sample.drop.rule if sample.drop is not None else ""


def _alive(sample: Sample) -> bool:
    return sample.alive
