"""The data card of a finished set: README.md with Hugging Face front matter, and Croissant 1.0 metadata.

Both are functions of the manifest, and of the counts of concepts, so that the same run writes the same card.
Left out on purpose: pictures and charts (pipelines/report.py), and publishing the set anywhere.
Sources: huggingface.co/docs/hub/datasets-cards; docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

from typing import Any

import yaml

from pipelines import document_card
from pipelines.concept_card import concept_file, concept_records, concept_section
from pipelines.concept_summary import Summary
from pipelines.document_card import is_document_set, picture_section
from pipelines.plain_text import cell
from pipelines.recaption_sums import recaption_card
from transforms.shards import Manifest

SIZES = [(10**exponent, name) for exponent, name in ((3, "1K"), (4, "10K"), (5, "100K"), (6, "1M"), (7, "10M"))]
SIZES += [(10**8, "100M"), (10**9, "1B"), (10**10, "10B"), (10**11, "100B"), (10**12, "1T")]
DOCUMENT_TASKS = ["image-text-to-text"]
TASKS = {"caption": ["image-to-text", "text-to-image"], "interleaved_web": DOCUMENT_TASKS, "sft": DOCUMENT_TASKS}
"""Hugging Face task categories by pipeline."""

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the Croissant 1.0 specification gives, as it stands there."""


def data_card(
    manifest: Manifest, counted: Summary | None = None, *, name: str = "", license_name: str = "other"
) -> str:
    """README.md of the set; `counted` is what concept balance counted.

    `license_name` is a Hugging Face licence identifier; beamsift does not know the pool's.
    """
    title = name or f"beamsift {manifest.pipeline} {manifest.fingerprint[:8]}"
    front = yaml.safe_dump(_front_matter(manifest, title, license_name), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{front}---\n",
        f"# {cell(title)}\n",
        _summary(manifest),
        f"## What was dropped\n\n{_drop_table(manifest)}",
        picture_section(manifest),
        concept_section(manifest, counted),
        *([refined] if (refined := recaption_card(manifest)) else []),
        f"## Loading\n\n{_loading(manifest)}",
        f"## Layout\n\n{_layout(manifest)}",
        f"## How it was made\n\n{_making(manifest)}",
    ]
    return "\n".join(part for part in parts if part)


def size_category(samples: int) -> str:
    """The Hugging Face size category of a set of `samples`: `n<1K`, `1K<n<10K`, … `n>1T`."""
    if samples < SIZES[0][0]:
        return f"n<{SIZES[0][1]}"
    for (_, low), (bound, high) in zip(SIZES, SIZES[1:], strict=False):
        if samples < bound:
            return f"{low}<n<{high}"
    return f"n>{SIZES[-1][1]}"


def croissant(manifest: Manifest, *, name: str = "", license_name: str = "other") -> dict[str, Any]:
    """Croissant 1.0 JSON-LD of the set: a FileObject for each shard, their members as FileSets, one record set."""
    title = name or f"beamsift-{manifest.pipeline}-{manifest.fingerprint[:8]}"
    kept, read = manifest.counts["kept"], manifest.counts["read"]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": title,
        "description": f"{kept:,} samples of the beamsift pipeline {manifest.pipeline}, out of {read:,} read.",
        "version": "1.0.0",
        "identifier": manifest.fingerprint,
        "license": license_name,
        "distribution": [*_file_objects(manifest), *_file_sets(manifest), *concept_file(manifest)],
        "recordSet": [*(_record_sets(manifest) if manifest.shards else []), *concept_records(manifest)],
    }


def _front_matter(manifest: Manifest, title: str, license_name: str) -> dict[str, Any]:
    front: dict[str, Any] = {
        "pretty_name": title,
        "license": license_name,
        "task_categories": TASKS.get(manifest.pipeline, []),
        "size_categories": [size_category(manifest.counts["kept"])],
        "tags": ["webdataset", "croissant", "beamsift"],
    }
    if manifest.shards:
        files = [{"split": "train", "path": "shards/*.tar"}]
        front["configs"] = [{"config_name": "default", "data_files": files}]
    return {key: value for key, value in front.items() if value}


def _summary(manifest: Manifest) -> str:
    counts = manifest.counts
    dropped, failed = sum(counts["dropped"].values()), sum(counts["failed"].values())
    size = sum(shard.bytes for shard in manifest.shards)
    shards = "1 WebDataset shard" if len(manifest.shards) == 1 else f"{len(manifest.shards):,} WebDataset shards"
    return (
        f"{counts['kept']:,} samples in {shards} ({size:,} bytes), kept out of"
        f" {counts['read']:,} that were read; {dropped:,} were dropped by a rule and {failed:,} could not be judged."
        " Every row that was read, and why it went, stands in `ledger/`; `report.html` shows it with pictures.\n"
    )


def _drop_table(manifest: Manifest) -> str:
    read = manifest.counts["read"]
    lines = ["| reason | rows | of all read |", "|---|---:|---:|"]
    for kind, prefix in (("dropped", ""), ("failed", "failed: ")):
        for reason, rows in sorted(manifest.counts[kind].items(), key=lambda item: (-item[1], item[0])):
            lines.append(f"| {prefix}`{cell(reason)}` | {rows:,} | {rows / (read or 1):.2%} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else "Nothing.\n"


def _loading(manifest: Manifest) -> str:
    if not manifest.shards:
        return "The set is empty: no row was kept.\n"
    last = len(manifest.shards) - 1
    urls = f"shards/{{{0:06d}..{last:06d}}}.tar" if last else manifest.shards[0].name
    return (document_card.loading(manifest) if is_document_set(manifest) else _LOADING).replace("URLS", urls)


def _layout(manifest: Manifest) -> str:
    return _LAYOUT.replace("SAMPLES", document_card.LAYOUT if is_document_set(manifest) else _PAIR)


def _making(manifest: Manifest) -> str:
    rows = [
        ("pipeline", manifest.pipeline),
        ("recipe (fingerprint)", manifest.fingerprint),
        ("seed", manifest.config.get("seed", "none")),
        ("format", manifest.format),
        *sorted(manifest.versions.items()),
    ]
    lines = ["| | |", "|---|---|", *(f"| {cell(key)} | `{cell(value)}` |" for key, value in rows)]
    config = yaml.safe_dump(dict(manifest.config), sort_keys=False, allow_unicode=True)
    fence = "`" * max(3, _longest_run(config, "`") + 1)
    table = "\n".join(lines)
    return f"{table}\n\n<details><summary>Resolved config</summary>\n\n{fence}yaml\n{config}{fence}\n\n</details>\n"


def _longest_run(text: str, mark: str) -> int:
    runs = 0
    while mark * (runs + 1) in text:
        runs += 1
    return runs


def _file_objects(manifest: Manifest) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": shard.name,
            "name": shard.name,
            "contentUrl": shard.name,
            "contentSize": f"{shard.bytes} B",
            "encodingFormat": "application/x-tar",
            "sha256": shard.sha256,
        }
        for shard in manifest.shards
    ]


def _file_sets(manifest: Manifest) -> list[dict[str, Any]]:
    """The members of all shards, by kind. A sample with several pictures names them KEY.0.jpg, KEY.1.jpg, …"""
    if not manifest.shards:
        return []
    inside = [{"@id": shard.name} for shard in manifest.shards]
    kinds = {"picture-files": ("image/*", _PICTURES), "text-files": ("text/plain", ["*.txt"])}
    kinds["json-files"] = ("application/json", ["*.json"])
    if is_document_set(manifest):
        del kinds["text-files"]
    return [
        {
            "@type": "cr:FileSet",
            "@id": name,
            "name": name,
            "containedIn": inside,
            "encodingFormat": encoding,
            "includes": patterns,
        }
        for name, (encoding, patterns) in kinds.items()
    ]


def _record_sets(manifest: Manifest) -> list[dict[str, Any]]:
    """One for each kind of member, joined by key: a sample may have several pictures, but has one text, or none."""
    own = {"field": {"@id": "samples/key"}}
    key = "What the members of a sample share; unique in the set"
    if document := is_document_set(manifest):
        samples = [_field("samples/key", "json-files", _KEY, key)]
    else:
        text = _field("samples/text", "text-files", _CONTENT, "Its text")
        samples = [_field("samples/key", "text-files", _KEY, key), text]
    sets = {
        "samples": samples,
        "pictures": [
            {**_field("pictures/key", "picture-files", _KEY, key), "references": own},
            {**_field("pictures/image", "picture-files", _CONTENT, "The original file"), "dataType": "sc:ImageObject"},
        ],
        "records": [
            {**_field("records/key", "json-files", _KEY, key), "references": own},
            _field("records/json", "json-files", _CONTENT, _DOCUMENT if document else _RECORD),
        ],
    }
    return [
        {"@type": "cr:RecordSet", "@id": name, "name": name, "key": {"@id": f"{name}/key"}, "field": fields}
        for name, fields in sets.items()
    ]


def _field(place: str, files: str, taken: dict[str, Any], meaning: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": place,
        "name": place.rpartition("/")[2],
        "description": meaning,
        "dataType": "sc:Text",
        "source": {"fileSet": {"@id": files}, **taken},
    }


_RECORD = "The pool's own fields and all that was measured"
_DOCUMENT = "Texts and pictures in reading order, the page's own fields, all that was measured"
_CONTENT = {"extract": {"fileProperty": "content"}}
_KEY = {"extract": {"fileProperty": "filename"}, "transform": {"regex": r"^([^./]+)\."}}
_PICTURES = ["*.jpg", "*.png", "*.webp", "*.gif", "*.bmp", "*.tiff"]

_PAIR = "samples: `KEY.jpg` (original bytes), `KEY.txt`, `KEY.json`"
_LAYOUT = """| file | what it is |
|---|---|
| `shards/*.tar` | SAMPLES |
| `shards/*.idx` | member indexes: where each sample lies in its shard |
| `index.json` | shard index of wids, for random access |
| `ledger/*.parquet` | one row for each sample read: its fate, the reason, every measurement |
| `manifest.json` | counts, sha256 of each shard, resolved config, versions |
| `report.html` | the run with pictures, one page that needs no network |
| `croissant.json` | this card for machines (Croissant 1.0) |
"""

_LOADING = """```python
import webdataset as wds                                     # streaming

samples = wds.WebDataset("URLS").decode("pil").to_tuple("jpg;png;webp", "txt", "json")
```

```python
import wids                                                  # random access

samples = wids.ShardListDataset("index.json")
```

```python
from datasets import load_dataset                            # Hugging Face

samples = load_dataset("webdataset", data_files="shards/*.tar", split="train", streaming=True)
```
"""
