"""Verifying a finished run: every law that can be checked without its inputs, each as a line of a table.

Memory: 48 bytes a kept row, but for the last check, which holds all rows as what-if does.
Left out on purpose: whether the inputs are still there (the shards are whole without them).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig
from pipelines.checks import Check, Problem, differ, make_check
from pipelines.concept_table import check_concepts
from pipelines.decisions import disagreements, load_measured
from pipelines.errors import LedgerBroken
from pipelines.finish import finished_manifest, unfinished_files
from pipelines.ledger import ledger_files, run_config
from pipelines.plain_text import plain, show_text
from pipelines.tables import show
from pipelines.verify_ledger import KeptRows, check_ledger, read_kept
from pipelines.verify_shards import check_places, check_unique, read_shards
from transforms.document_counts import sum_documents, tally_documents
from transforms.ledger import ledger_name
from transforms.records import Sample
from transforms.shards import Manifest, shard_files, wids_index
from transforms.storage import join, local_path, storage_for
from transforms.vocabulary import VocabularyError

VIEWS = ("index.json", "report.html", "README.md", "croissant.json")


def verify(output: str) -> int:
    """Prints the table; 0 where all is well, 1 where a check found something. Raises NotFinished."""
    checks = list(run_checks(output))
    show(checks_table(checks))
    for check in checks:
        print_problems(check)
    return 1 if any(check.problems for check in checks) else 0


def run_checks(output: str) -> Iterator[Check]:
    try:
        manifest = finished_manifest(output)
    except ValueError as error:
        yield make_check("manifest", "manifest.json", [Problem("manifest.json", "a manifest", str(error))])
        return
    yield make_check("manifest adds up", "manifest.json", check_manifest(manifest))
    yield make_check("files", "shards, ledger", check_files(output, manifest))
    yield make_check("views", ", ".join(VIEWS), check_views(output, manifest))
    try:
        yield from _check_rows(output, manifest)
    except (LedgerBroken, ConfigError, VocabularyError) as error:
        yield make_check("ledger readable", "ledger", [Problem("ledger", "a ledger of this manifest", str(error))])


def _check_rows(output: str, manifest: Manifest) -> Iterator[Check]:
    ledger, rows = ledger_files(output), f"{manifest.counts['read']:,} rows"
    for name, problems in check_ledger(output, manifest, ledger).items():
        yield make_check(name, rows, problems)
    yield from _check_shards(output, manifest, read_kept(output, manifest, ledger))
    measured = load_measured(output, ledger)
    cfg = run_config(manifest, output)
    again = disagreements(measured, cfg)
    unlawful = (Problem(f"ledger, key {one.key}", one.again, one.ledger) for one in again)
    yield make_check("fates follow from measures", rows, unlawful)
    if isinstance(cfg, WebConfig):
        counted = check_pictures(manifest, measured.samples, cfg)
        yield make_check("pictures add up", f"{manifest.counts['pictures']['read']:,} pictures", counted)


def check_pictures(manifest: Manifest, samples: Sequence[Sample], cfg: WebConfig) -> Iterator[Problem]:
    """What the manifest states of documents, and of their pictures, is what stands on the ledger."""
    sums = sum_documents(tally_documents(samples), cfg)
    stated, found = manifest.counts["pictures"], sums.pop("pictures")
    fates = stated["kept"] + sum(stated["dropped"].values()) + sum(stated["failed"].values())
    yield from differ("counts.pictures", f"{stated['read']} pictures read", f"{fates} pictures read")
    for name in ("read", "kept", "dropped", "failed"):
        yield from differ(f"counts.pictures, {name}", stated[name], found[name])
    for name, told in sums.items():
        yield from differ(f"counts.{name}", manifest.counts.get(name), told)


def _check_shards(output: str, manifest: Manifest, kept: KeptRows) -> Iterator[Check]:
    found = read_shards(output, manifest.shards, kept)
    shards, samples = f"{len(found):,} shards", f"{sum(one.samples for one in found):,} samples"
    yield make_check("shard sizes and sha256", shards, (p for one in found for p in one.bytes))
    yield make_check("member indexes", shards, (p for one in found for p in one.places))
    yield make_check("shard format", samples, (p for one in found for p in one.format))
    yield make_check("shard keys unique", samples, check_unique(found))
    yield make_check("samples where the plan puts them", samples, check_places(found, kept))
    yield make_check("samples hold what the ledger says", samples, (p for one in found for p in one.contents))


def check_manifest(manifest: Manifest) -> Iterator[Problem]:
    counts = manifest.counts
    fates = counts["kept"] + sum(counts["dropped"].values()) + sum(counts["failed"].values())
    yield from differ("counts", f"{counts['read']} rows read", f"{fates} rows read")
    yield from differ(
        "shards", f"{counts['kept']} samples", f"{sum(shard.samples for shard in manifest.shards)} samples"
    )
    for field, name in (("rows", "read"), ("kept", "kept")):
        total = sum(one[field] for one in manifest.inputs)
        yield from differ("inputs", f"{counts[name]} {field}", f"{total} {field}")


def check_files(output: str, manifest: Manifest) -> Iterator[Problem]:
    """Every listed file is there, and nothing else; no unfinished file anywhere."""
    storage = storage_for(output)
    listed = set(shard_files(manifest.shards))
    listed |= {ledger_name(unit) for unit in range(len(manifest.inputs))}
    present = {
        f"{folder}/{file.uri.rpartition('/')[2]}"
        for folder in ("shards", "ledger")
        for file in storage.list(join(output, folder))
    }
    for name in sorted(listed - present):
        yield Problem(name, "a file", "none")
    for name in sorted(present - listed):
        yield Problem(name, "no file that the manifest does not list", "a file")
    for path in unfinished_files(output):
        yield Problem(os.path.relpath(path, local_path(output)), "no unfinished file", "one that a writer left")


def check_views(output: str, manifest: Manifest) -> Iterator[Problem]:
    storage = storage_for(output)
    if manifest.concepts:
        yield from check_concepts(output, manifest)
    for name in VIEWS:
        if not storage.exists(join(output, name)):
            yield Problem(name, "a file", "none")
        elif name.endswith(".json"):
            found = _json(join(output, name))
            if found is None:
                yield Problem(name, "a JSON object", "something else")
            elif name == "index.json":
                yield from _check_index(found, manifest)


def _check_index(found: dict[str, Any], manifest: Manifest) -> Iterator[Problem]:
    stated = json.loads(wids_index(manifest.shards, ""))
    for field in ("__kind__", "wids_version"):
        yield from differ("index.json", f"{field} {stated[field]}", f"{field} {found.get(field)}")
    rows = found.get("shardlist") or []
    yield from differ("index.json", f"{len(stated['shardlist'])} shards", f"{len(rows)} shards")
    for expected, row in zip(stated["shardlist"], rows, strict=False):
        yield from differ("index.json", expected, row)


def _json(uri: str) -> dict[str, Any] | None:
    with storage_for(uri).open(uri) as file:
        try:
            found = json.loads(file.read())
        except ValueError:
            return None
    return found if isinstance(found, dict) else None


def checks_table(checks: list[Check]) -> Table:
    table = Table("check", "looked at", "result", title=Text("verify"), title_justify="left")
    for check in checks:
        count = len(check.problems) + check.more
        result = Text("ok", "green") if not count else Text(f"{count:,} wrong", "bold red")
        table.add_row(Text(check.name), Text(plain(check.examined)), result)
    return table


def print_problems(check: Check) -> None:
    for place, expected, found in check.problems:
        show_text(f"{check.name}: {place}: expected {expected}, found {found}")
    if check.more:
        show_text(f"{check.name}: {check.more:,} more")
