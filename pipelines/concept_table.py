"""OUT/concepts.parquet: every entry of the vocabulary a run counted, how many captions name it before and after.

Also the vocabulary itself, so that `what-if` and `verify` need no file outside OUT.
Left out on purpose: what of it people are shown (pipelines/concept_summary.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from pipelines.checks import Problem, differ
from transforms.concept_counts import CAPTIONS, ConceptTable, parse_table, table_uri
from transforms.shards import Manifest
from transforms.storage import join, storage_for

TABLE = "concepts.parquet"


def describe_concepts(output: str) -> dict[str, Any]:
    """What the manifest says of the table that the pipeline left in work/."""
    data = _read(table_uri(output))
    table = parse_table(data, table_uri(output))
    told = table.settings
    return {
        "table": TABLE,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "vocabulary_sha256": told["vocabulary"],
        "padding": told["padding"],
        "entries": len(table.vocabulary),
        "named": int((table.before > 0).sum()),
        "t": float(told["t"]),
        **{name: int(told[name]) for name in CAPTIONS},
    }


def publish_concepts(output: str) -> None:
    """Puts the table where it stays when work/ goes, and removes the vectors of counts: one for each pool tried."""
    storage = storage_for(output)
    storage.write(join(output, TABLE), _read(table_uri(output)))
    for file in storage.list(table_uri(output).rpartition("/")[0]):
        if file.uri.endswith(".msgpack"):
            storage.delete(file.uri)


def read_concepts(output: str) -> ConceptTable | None:
    """The table of a finished run; None where it balanced no concepts. Raises VocabularyError for a broken one."""
    uri = join(output, TABLE)
    return parse_table(_read(uri), uri) if storage_for(uri).exists(uri) else None


def check_concepts(output: str, manifest: Manifest) -> Iterator[Problem]:
    uri = join(output, TABLE)
    if not storage_for(uri).exists(uri):
        yield Problem(TABLE, "a file", "none")
        return
    stated, found = manifest.concepts["sha256"], hashlib.sha256(_read(uri)).hexdigest()
    yield from differ(TABLE, f"sha256 {stated}", f"sha256 {found}")


def _read(uri: str) -> bytes:
    storage = storage_for(uri)
    return storage.read(uri, 0, storage.stat(uri).size)
