"""`--against`: what finished runs keep as one table, read from their ledgers, never from pictures or pages.

The table lies in the new output and is named by the fingerprints of the runs, which enter the new run's recipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig
from configs.schema.web_rules import TextDuplicateRules
from pipelines.finish import finished_manifest
from transforms.fingerprints import code_fingerprint, fingerprint
from transforms.known_documents import SCHEMA as DOCUMENTS
from transforms.known_documents import known_row
from transforms.known_pictures import SCHEMA
from transforms.loaded import batched
from transforms.records import Sample
from transforms.storage import join, storage_for

ROWS_PER_TABLE = 4096


def run_fingerprints(runs: Sequence[str]) -> list[str]:
    """Raises NotFinished for an output that is no finished run."""
    return [finished_manifest(run).fingerprint for run in runs]


def known_uri(output: str, runs: Sequence[str], rules: TextDuplicateRules | None = None) -> str:
    """`rules` are those by which a table of documents was made, from texts and by our code."""
    name = [*run_fingerprints(runs), *([rules.model_dump(), code_fingerprint()] if rules else [])]
    return join(output, "work", "against", f"known-{fingerprint(name)}.arrow")


def write_known(output: str, cfg: CaptionConfig | WebConfig) -> None:
    """Writes the table where runs are named and it is not there yet. Raises ConfigError for a run of another pipeline,
    or a ledger without the columns."""
    if not (runs := cfg.against.runs):
        return
    rules = cfg.duplicates if isinstance(cfg, WebConfig) else None
    uri, storage = known_uri(output, runs, rules), storage_for(output)
    if storage.exists(uri):
        return
    with storage.create(uri) as file, pa.ipc.new_file(file, DOCUMENTS if rules else SCHEMA) as writer:
        for number, run in enumerate(runs):
            for table in _documents(number, run, rules) if rules else _pictures(number, run):
                writer.write_table(table)


def _pictures(number: int, run: str) -> Iterator[pa.Table]:
    from pipelines.ledger import fetched, ledger_files  # duckdb is no business of a run's graph

    for ledger in ledger_files(run):
        with fetched(ledger) as path:
            yield _kept(path, number, run)


def _documents(number: int, run: str, rules: TextDuplicateRules) -> Iterator[pa.Table]:
    from pipelines.ledger import samples_by_unit

    if (found := finished_manifest(run).pipeline) != "interleaved_web":
        raise ConfigError(f"--against {run}: expected a run of interleaved_web, found one of {found}")
    kept = (row.sample for row in samples_by_unit(run) if row.sample.alive)
    for samples in batched(kept, ROWS_PER_TABLE):
        rows = [{"run": number, "key": one.key, **_known(one, rules)} for one in samples]
        yield pa.Table.from_pylist(rows, DOCUMENTS)


def _known(sample: Sample, rules: TextDuplicateRules) -> dict[str, bytes]:
    address, signature = known_row(sample, rules)
    return {"address": address, "signature": signature}


def _kept(path: str, number: int, run: str) -> pa.Table:
    names = [name for name in SCHEMA.names if name != "run"]
    missing = {*names} - {*pq.read_schema(path).names}
    if missing:
        raise ConfigError(
            f"--against {run}: expected the columns {sorted(missing)}, found a ledger of an older version"
        )
    table = pq.read_table(path, columns=["fate", *names])
    table = table.filter(pc.equal(table.column("fate"), "kept")).drop_columns(["fate"])
    return table.add_column(0, "run", pa.array([number] * len(table), pa.int32())).cast(SCHEMA)
