"""Concept balance in the data card and in Croissant: which vocabulary, which t, and each entry's count."""

from __future__ import annotations

from typing import Any

from pipelines.concept_summary import Band, Summary
from pipelines.plain_text import cell, number
from transforms.shards import Manifest


def concept_section(manifest: Manifest, found: Summary | None) -> str:
    """Markdown; empty where concepts were not balanced. Tables of entries only where the counts are at hand."""
    told = manifest.concepts
    if not told:
        return ""
    solved = " (solved for a target size)" if manifest.config.get("concepts", {}).get("target") else ""
    captions = max(told["captions"], 1)
    lines = [
        "Captions were resampled by the concepts they name, as MetaCLIP does, over a vocabulary of"
        f" {told['entries']:,} entries (sha256 `{told['vocabulary_sha256']}`, padding `{told['padding']}`) at"
        f" t = {number(told['t'])}{solved}.",
        f"Of {told['captions']:,} captions {told['unmatched']:,} ({told['unmatched'] / captions:.2%}) name no entry"
        f" and {told['kept']:,} ({told['kept'] / captions:.2%}) stay.",
        f"Every entry with its count before (`count`) and after (`kept`): [`{told['table']}`]({told['table']}).",
    ]
    tables = [_head(found), _bands(found.bands)] if found and found.named else []
    return "## Concepts\n\n" + "\n\n".join([" ".join(lines), *tables]) + "\n"


def _head(found: Summary) -> str:
    rows = [(one.entry, one.kind.replace("_", " "), one.before, one.after) for one in found.head]
    head = "| most frequent entry | kind | captions before | after |\n|---|---|---:|---:|"
    return "\n".join([head, *(f"| `{cell(e)}` | {cell(kind)} | {n:,} | {m:,} |" for e, kind, n, m in rows)])


def _bands(bands: list[Band]) -> str:
    head = "| captions that name an entry | entries | captions before | after |\n|---|---:|---:|---:|"
    return "\n".join([head, *(f"| {b.label} | {b.entries:,} | {b.before:,} | {b.after:,} |" for b in bands)])


def concept_file(manifest: Manifest) -> list[dict[str, Any]]:
    """The table as a FileObject of Croissant."""
    told = manifest.concepts
    if not told:
        return []
    description = (
        f"Entries of the vocabulary (sha256 {told['vocabulary_sha256']}) with their counts before and after concept"
        f" balance at t {number(told['t'])}"
    )
    return [
        {
            "@type": "cr:FileObject",
            "@id": told["table"],
            "name": told["table"],
            "description": description,
            "contentUrl": told["table"],
            "contentSize": f"{told['bytes']} B",
            "encodingFormat": "application/x-parquet",
            "sha256": told["sha256"],
        }
    ]


def concept_records(manifest: Manifest) -> list[dict[str, Any]]:
    """Entry, count and kept of the table as a record set of Croissant."""
    if not manifest.concepts:
        return []
    columns = (
        ("entry", "sc:Text", "What a caption names"),
        ("weight", "sc:Float", "Above 1 boosted or protected; 0 keeps nothing"),
        ("count", "sc:Integer", "Captions that name it before the balance"),
        ("kept", "sc:Integer", "Captions that name it and stay"),
    )
    source = {"fileObject": {"@id": manifest.concepts["table"]}}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"concepts/{name}",
            "name": name,
            "description": meaning,
            "dataType": kind,
            "source": {**source, "extract": {"column": name}},
        }
        for name, kind, meaning in columns
    ]
    key = {"@id": "concepts/entry"}
    return [{"@type": "cr:RecordSet", "@id": "concepts", "name": "concepts", "key": key, "field": fields}]
