"""Verifying a ledger: that it adds up to the manifest, and which samples it says the shards hold, in which order.

Memory: 32 bytes a kept row (two digests), 8 more where a measure is the order; the rest is SQL that spills to disk.
Left out on purpose: reading shards (pipelines/verify_shards.py) and deciding again (pipelines/decisions.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np

from pipelines.checks import Problem, differ
from pipelines.kinds import kind_named
from pipelines.ledger import LedgerRow, open_ledger, run_config, samples_by_unit, unit_of_file
from transforms.fingerprints import digest
from transforms.planning import plan_shards
from transforms.recaptions import member_text
from transforms.records import Sample, Text, pictures
from transforms.shards import Manifest

KEY = 16
"""Bytes of a digest."""
Digests = np.ndarray[Any, np.dtype[np.uint8]]
COUNT_BY_FATE = "SELECT fate, coalesce(error, rule, ''), count(*) FROM ledger GROUP BY ALL ORDER BY ALL"
COUNT_BY_UNIT = "SELECT source, part, count(*), count(*) FILTER (fate = 'kept'), max(position) FROM ledger GROUP BY ALL"
RECAPTIONS = "SELECT recaption_rule, count(*) FROM ledger WHERE fate = 'kept' AND recaption IS NOT NULL GROUP BY 1"
TWICE = 'SELECT "key", count(*) FROM ledger GROUP BY "key" HAVING count(*) > 1 ORDER BY "key"'


class KeptRows(NamedTuple):
    """Digests of kept rows as they must lie in the shards: of the key, and of pictures and caption."""

    keys: Digests
    contents: Digests
    key_at: Callable[[int], str]
    """The key that belongs at a rank; reads the whole ledger, so it is asked only for messages."""
    documents: bool = False
    """Whether samples are documents, which have no `.txt`."""


def key_digest(key: str) -> bytes:
    return digest(key.encode())


def content_digest(sha256s: Sequence[bytes], text: bytes) -> bytes:
    """16 bytes over a sample's picture hashes, in order, and the bytes of its text."""
    return digest(b"".join([*sha256s, digest(text)]))


def join_texts(values: Sequence[str]) -> str:
    """The texts of a document as one that no other list of texts gives."""
    return "".join(f"{len(value)}:{value}" for value in values)


def check_counts(manifest: Manifest, connection: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    """Fates by rule and class, and rows and kept rows of each input, as the manifest states them."""
    found = {(fate, why): rows for fate, why, rows in connection.execute(COUNT_BY_FATE).fetchall()}
    counts = manifest.counts
    stated = {("kept", ""): counts["kept"]} if counts["kept"] else {}
    for fate in ("dropped", "failed"):
        stated |= {(fate, why): rows for why, rows in counts[fate].items()}
    yield from differ("ledger", f"{counts['read']} rows", f"{sum(found.values())} rows")
    for fate, why in sorted({*stated, *found}):
        place = f"ledger, {fate} {why}".rstrip()
        yield from differ(place, f"{stated.get((fate, why), 0)} rows", f"{found.get((fate, why), 0)} rows")
    yield from _check_units(manifest, connection)
    if stated_texts := counts.get("recaption"):
        by_rule = dict(connection.execute(RECAPTIONS).fetchall())
        told = {None: stated_texts["accepted"], **stated_texts["turned_away"]}
        for why in sorted({*told, *by_rule}, key=str):
            place = f"ledger, recaptions {why or 'accepted'}"
            yield from differ(place, f"{told.get(why, 0)} rows", f"{by_rule.get(why, 0)} rows")


def _check_units(manifest: Manifest, connection: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    found = {(uri, part): tuple(rest) for uri, part, *rest in connection.execute(COUNT_BY_UNIT).fetchall()}
    for one in manifest.inputs:
        rows, kept, last = found.pop((one["uri"], one["part"]), (0, 0, -1))
        place = f"ledger, {one['uri']} part {one['part']}"
        yield from differ(place, f"{one['rows']} rows, {one['kept']} kept", f"{rows} rows, {kept} kept")
        yield from differ(place, f"last position {rows - 1}", f"last position {last}")
    for uri, part in sorted(found):
        yield Problem(f"ledger, {uri} part {part}", "an input of the manifest", "rows of no input")


def check_keys(connection: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    for key, rows in connection.execute(TWICE).fetchall():
        yield Problem(f"ledger, key {key}", "1 row", f"{rows} rows")


def check_order(output: str, manifest: Manifest, ledger: Sequence[str]) -> Iterator[Problem]:
    """Rows lie in the file of their unit, in the order of their positions."""
    files = [unit_of_file(uri) for uri in ledger]
    yield from differ("ledger", f"files of units 0 to {len(manifest.inputs) - 1}", _run_text(files))
    places = [(one["uri"], one["part"]) for one in manifest.inputs]
    last = (-1, -1)
    for unit, row in samples_by_unit(output, ledger):
        place = f"ledger of unit {unit}, key {row.key}"
        if unit < len(places):
            yield from differ(place, f"a row of {places[unit]}", f"a row of {(row.source, row.part)}")
        if (unit, row.position) <= last:
            yield Problem(place, f"a position after {last[1]}", f"position {row.position}")
        last = (unit, row.position)


def _run_text(units: list[int]) -> str:
    whole = units == list(range(len(units)))
    return f"files of units 0 to {len(units) - 1}" if whole else f"files of units {units[:20]}"


def read_kept(output: str, manifest: Manifest, ledger: Sequence[str]) -> KeptRows:
    """Kept rows of the ledger in the order the shards must have, by the plan that the config states."""
    keys, contents = bytearray(), bytearray()
    kind = kind_named(manifest.pipeline)
    document, ordered_by = kind.is_document, kind.ordered_by(run_config(manifest, output))
    counts, orders = [0] * len(manifest.inputs), array("d")
    for unit, sample in _kept(output, ledger):
        orders.extend([float(sample.measures.get(ordered_by, 0))] * bool(ordered_by))
        keys += key_digest(sample.key)
        contents += _content(sample, document)
        counts.extend([0] * (unit + 1 - len(counts)))
        counts[unit] += 1
    order = np.argsort(orders, kind="stable") if ordered_by else planned_order(counts, manifest)
    ranked = [np.frombuffer(bytes(data), np.uint8).reshape(-1, KEY)[order] for data in (keys, contents)]
    return KeptRows(ranked[0], ranked[1], lambda rank: _key_at(_kept(output, ledger), order, rank), document)


def planned_order(counts: Sequence[int], manifest: Manifest) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each rank in the set, which kept row of the pool (counted over units with `counts` kept rows) lies there."""
    first = np.cumsum([0, *counts])
    order = np.zeros(int(first[-1]), np.int64)
    rules = manifest.config["output"]
    kept = [(unit, count, "") for unit, count in enumerate(counts)]
    for _, part in plan_shards(kept, rules["samples_per_shard"], rules["shuffle_run"], manifest.config["seed"]):
        start = int(first[part.unit]) + part.first
        order[part.rank : part.rank + part.count] = np.arange(start, start + part.count)
    return order


def _kept(output: str, ledger: Sequence[str]) -> Iterator[LedgerRow]:
    return (row for row in samples_by_unit(output, ledger) if row.sample.alive)


def _content(sample: Sample, document: bool) -> bytes:
    """Of a document its texts stand for what its `.txt` would hold."""
    values = [piece.value for piece in sample.pieces if isinstance(piece, Text)]
    text = join_texts(values) if document else member_text(sample, document)
    shown = [picture.sha256 for picture in pictures(sample) if picture.drop is None and picture.failure is None]
    return content_digest(shown, (text or "").encode())


def _key_at(kept: Iterator[LedgerRow], order: np.ndarray[Any, np.dtype[np.int64]], rank: int) -> str:
    """Empty behind the last kept row."""
    row = int(order[rank]) if rank < len(order) else -1
    return next((one.sample.key for i, one in enumerate(kept) if i == row), "")


def check_ledger(output: str, manifest: Manifest, ledger: Sequence[str]) -> dict[str, list[Problem]]:
    """Problems of each check of the ledger by the check's name. Raises LedgerBroken where it cannot be read.

    `ledger` are its files, listed once for all that `verify` asks.
    """
    with open_ledger(output, ledger) as connection:
        counts = list(check_counts(manifest, connection))
        keys = list(check_keys(connection))
    return {
        "ledger adds up to the manifest": counts,
        "ledger keys unique": keys,
        "ledger rows in pool order": list(check_order(output, manifest, ledger)),
    }
