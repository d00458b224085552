"""`--against`: the kept pictures of finished runs as one table, read from their ledgers' columns, never from pictures.

The table lies in the new output and is named by the fingerprints of the runs, which enter the new run's recipe.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.schema.strict import ConfigError
from pipelines.finish import finished_manifest
from transforms.fingerprints import fingerprint
from transforms.known_pictures import SCHEMA
from transforms.storage import join, storage_for


def run_fingerprints(runs: Sequence[str]) -> list[str]:
    """Raises NotFinished for an output that is no finished run."""
    return [finished_manifest(run).fingerprint for run in runs]


def known_uri(output: str, runs: Sequence[str]) -> str:
    return join(output, "work", "against", f"known-{fingerprint(run_fingerprints(runs))}.arrow")


def write_known(output: str, runs: Sequence[str]) -> None:
    """Writes the table where it is not there yet. Raises ConfigError for a ledger without the columns."""
    from pipelines.ledger import fetched, ledger_files  # duckdb is no business of a run's graph

    uri, storage = known_uri(output, runs), storage_for(output)
    if storage.exists(uri):
        return
    with storage.create(uri) as file, pa.ipc.new_file(file, SCHEMA) as writer:
        for number, run in enumerate(runs):
            for ledger in ledger_files(run):
                with fetched(ledger) as path:
                    writer.write_table(_kept(path, number, run))


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
