"""Documents known from finished runs: pages of a new pool whose address, or nearly whose text, one of them keeps.

The kept documents of the finished runs are one table that every worker holds: a signature and its bands, a kilobyte a
document. All readable rows are compared, whatever the rules think of them, so that what is known of a row does not move
with their thresholds.
Left out on purpose: reading finished runs (pipelines/against.py); pictures, which documents share rightly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from configs.schema.web import WebConfig
from configs.schema.web_rules import TextDuplicateRules
from transforms.minhash import Values, estimate_similarity, hash_bands, read_signatures
from transforms.records import Drop, Sample, with_measures
from transforms.text_duplicates import TextDuplicates
from transforms.web_urls import url_digest

RULE = "document_known"
SCHEMA = pa.schema([("run", pa.int32()), ("key", pa.string()), ("address", pa.binary()), ("signature", pa.binary())])
MOST = 256
"""Documents under one value of a band that are compared; a band of more is a phrase, and like ones meet in others."""

Told = tuple[int, str, str, float]
"""Which run, the key there, whether by `address` or `text`, and the similarity of the texts (1.0 by address)."""


@dataclass(frozen=True)
class KnownDocuments:
    """Documents in the order of the runs and of the rows in each: of equally like ones the first is named."""

    runs: list[int]
    keys: list[str]
    addresses: dict[bytes, int]
    """First row of each address."""
    values: Values
    """Signatures, of the documents that have one; `rows` says which they are."""
    rows: list[int]
    bands: np.ndarray[Any, np.dtype[np.uint64]]
    """Hashes of all bands of all signatures, sorted, and beside them places in `values`."""
    places: np.ndarray[Any, np.dtype[np.int64]]


def known_row(sample: Sample, rules: TextDuplicateRules) -> tuple[bytes, bytes]:
    """Address and signature of a document; empty where it has none, or texts are not compared."""
    return url_digest(sample.source_key), TextDuplicates(rules).signature(sample) if rules.enabled else b""


def make_known_documents(table: pa.Table, cfg: WebConfig) -> KnownDocuments:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    addresses: dict[bytes, int] = {}
    for row, address in enumerate(columns["address"]):
        if address:
            addresses.setdefault(address, row)
    rows = [row for row, value in enumerate(columns["signature"]) if value]
    values = _read(b"".join([columns["signature"][row] for row in rows]), cfg)
    hashes = hash_bands(values, cfg.duplicates.bands, cfg.duplicates.rows).ravel()
    order = np.argsort(hashes, kind="stable")
    return KnownDocuments(
        columns["run"], columns["key"], addresses, values, rows, hashes[order], order // cfg.duplicates.bands
    )


def compare_documents(samples: Iterable[Sample], known: KnownDocuments, cfg: WebConfig) -> dict[int, Told]:
    """By position, what is known of a row: by its address, else by its text."""
    told: dict[int, Told] = {}
    for sample in samples:
        if sample.failure is not None:
            continue
        address, signature = known_row(sample, cfg.duplicates)
        row = known.addresses.get(address) if address else None
        if row is not None:
            told[sample.position] = known.runs[row], known.keys[row], "address", 1.0
        elif signature and (found := _most_like(_read(signature, cfg), known, cfg)):
            told[sample.position] = known.runs[found[0]], known.keys[found[0]], "text", found[1]
    return told


def _most_like(one: Values, known: KnownDocuments, cfg: WebConfig) -> tuple[int, float] | None:
    hashes = hash_bands(one, cfg.duplicates.bands, cfg.duplicates.rows)[0]
    starts, ends = (np.searchsorted(known.bands, hashes, side) for side in ("left", "right"))
    met = [known.places[start : min(end, start + MOST)] for start, end in zip(starts, ends, strict=True) if start < end]
    if not met:
        return None
    places = np.unique(np.concatenate(met))
    alike = estimate_similarity(one[0], known.values[places])
    best = int(alike.argmax())
    return (known.rows[places[best]], float(alike[best])) if alike[best] >= cfg.duplicates.min_similarity else None


def apply_known_document(sample: Sample, answer: Sequence[Any], runs: Sequence[str]) -> Sample:
    run, key, by, similarity = answer
    return with_measures(sample, known_run=runs[run], known_as=key, known_by=by, known_similarity=similarity)


def check_known_document(sample: Sample, cfg: WebConfig) -> Drop | None:
    """Drop every document that a finished run keeps already: the old one always stays."""
    if not cfg.against.runs or "known_as" not in sample.measures:
        return None
    said = {name: sample.measures[f"known_{name}"] for name in ("by", "run", "as", "similarity")}
    limit = cfg.duplicates.min_similarity if said["by"] == "text" else 1.0
    return Drop(RULE, float(said["similarity"]), limit, f"{said['by']} of {said['run']} {said['as']}")


def _read(signatures: bytes, cfg: WebConfig) -> Values:
    return read_signatures(signatures, cfg.duplicates.bands * cfg.duplicates.rows)
