"""What the data card and Croissant say of a set of documents, where a sample has many pictures and no `.txt`."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.plain_text import cell
from transforms.shards import Manifest

LAYOUT = "samples: `KEY.0.jpg`, `KEY.1.jpg`, … (original bytes; `KEY.jpg` where there is one), `KEY.json`"

LOADING = """```python
import webdataset as wds                                     # streaming

for sample in wds.WebDataset("URLS"):                        # "json", and "jpg" or "0.jpg", "1.png", …
    ...
```

```python
import wids                                                  # random access

samples = wids.ShardListDataset("index.json")
```

`json["beamsift"]["pieces"]` are the texts, with their roles, and the pictures in reading order. The members are the
pictures that have neither `drop` nor `failure`, in that order. MEANING
"""
_MARKDOWN = "Headings, lists, tables, code and formulas are Markdown."
_TURNS = "A turn is the pieces from a text of its role up to the next role; none of the assistant's shows pictures."


def is_document_set(manifest: Manifest) -> bool:
    return "pictures" in manifest.counts


def loading(manifest: Manifest) -> str:
    """How the set is read; URLS stands for its shards."""
    return LOADING.replace("MEANING", _TURNS if manifest.pipeline == "sft" else _MARKDOWN)


def picture_section(manifest: Manifest) -> str:
    """What became of the pictures that the documents name; empty for samples that are no documents."""
    if not is_document_set(manifest):
        return ""
    counts = manifest.counts["pictures"]
    fates = {"kept": counts["kept"], **counts["dropped"]} | {f"failed: {k}": n for k, n in counts["failed"].items()}
    ranked = sorted(fates.items(), key=lambda one: (-one[1], one[0]))
    lines = [f"| `{cell(name)}` | {n:,} | {n / (counts['read'] or 1):.2%} |" for name, n in ranked]
    head = f"{counts['read']:,} pictures are named by the pages that were read, those outside their content among them."
    if manifest.pipeline == "sft":
        head = f"{counts['read']:,} pictures and frames are shown by the conversations that were read."
    table = ["| fate | pictures | of all |", "|---|---:|---:|", *lines, ""]
    return "\n".join([f"## Pictures\n\n{head}\n", *table, *_knowledge(manifest)])


def _knowledge(manifest: Manifest) -> Iterator[str]:
    """How often a document is meant to be drawn, where knowledge density was asked for."""
    if counted := manifest.counts.get("knowledge"):
        mean = counted["weight"] / (counted["documents"] or 1)
        yield "## Knowledge density\n"
        yield (
            '`json["beamsift"]["measures"]["knowledge_weight"]` says how many times as readily a document is to be'
            f" drawn as one without knowledge in its pictures: {mean:.2f} on average of {counted['documents']:,}."
        )
        if manifest.config["knowledge"]["order"] == "weighted":
            yield "The set lies in an order drawn by these weights: its first n documents are a weighted sample of n."
        yield ""
