"""`beamsift lint`: what is wrong with any WebDataset set, as findings with a class, a place and a sentence.

A path is a tar (also .tar.gz), a glob, a folder with its index, or an `index.json` or `manifest.json` whose shards are
looked at; all paths of a command are one set, in which a key may stand once (webdataset #327).
Left out on purpose: hashes (`verify` has those of our own sets) and mending anything.
"""

from __future__ import annotations

import argparse
import json
import mmap
from collections import Counter
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from configs.schema.strict import ConfigError
from pipelines.ledger import fetched, reach
from pipelines.plain_text import show_text
from transforms.set_keys import Place, SetKeys
from transforms.set_lint import Finding, lint_shard
from transforms.storage import Storage, StoreUnavailable, folder_of, join, local_path, scheme_of, storage_for
from transforms.tar_reader import open_tar

ENDINGS = (".tar", ".tar.gz", ".tgz")
INDEXES = ("index.json", "manifest.json")
TOLD = 5
"""Findings of a class that are shown."""
KEPT = 1000
"""Findings of a class that `--json` lists; the rest is counted."""


class Listed(NamedTuple):
    """What an index says of a shard; None where it says nothing."""

    uri: str
    samples: int | None
    bytes: int | None
    listed_in: str


class _Report:
    """Findings of a set: counted by class, the first of each kept."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.shards = self.samples = self.members = self.bytes = 0

    def add(self, *findings: Finding) -> None:
        for finding in findings:
            self.counts[finding.fault] += 1
            if self.counts[finding.fault] <= KEPT:
                self.findings.append(finding)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="tars, globs, folders, index.json; s3:// and gs:// too"
    )
    parser.add_argument("--json", action="store_true", help="the findings as one JSON object")
    parser.add_argument("--headers-only", action="store_true", help="read no member, only the tars' headers")


def run(args: argparse.Namespace) -> int:
    """0 where nothing was found, else 1. Raises ConfigError for a path that names nothing."""
    report = lint(args.paths, contents=not args.headers_only)
    (_show_json if args.json else _show)(report)
    return 1 if report.counts else 0


def lint(paths: list[str], *, contents: bool = True) -> _Report:
    report = _Report()
    shards, listed = find_shards(paths, report)
    with TemporaryDirectory(prefix="beamsift-lint-") as folder:
        keys = SetKeys(folder)
        for number, uri in enumerate(shards):
            found = _lint_file(uri, report, contents=contents)
            keys.add(number, found)
            report.add(*_check_listed(uri, len(found), listed.get(uri, [])))
        for earlier, later in keys.repeated():
            named = report.counts["key_in_two_shards"] < TOLD
            report.add(_repeated(shards, earlier, later, named=named))
    return report


def find_shards(paths: list[str], report: _Report) -> tuple[list[str], dict[str, list[Listed]]]:
    """The shards in order, and what indexes say of each. ConfigError for a path that names nothing."""
    shards: dict[str, None] = {}
    listed: dict[str, list[Listed]] = {}
    for path in paths:
        found, entries = _expand(path, report)
        shards |= dict.fromkeys(found)
        for entry in entries:
            listed.setdefault(entry.uri, []).append(entry)
    present = set(shards)
    for uri, entries in sorted(listed.items()):
        if uri not in present:
            report.add(Finding("shard_missing", entries[0].listed_in, f"it lists {uri}, and there is no such file"))
    return list(shards), listed


def _expand(path: str, report: _Report) -> tuple[list[str], list[Listed]]:
    storage = _storage(path)
    if path.rpartition("/")[2] in INDEXES:
        entries = _read_index(path, storage, report)
        return [entry.uri for entry in entries if storage.exists(entry.uri)], entries
    files = [file.uri for file in storage.match(path)]
    if files:
        return sorted(files), []
    folders = (path, join(path, "shards"))
    tars = [file.uri for folder in folders for file in storage.list(folder) if file.uri.lower().endswith(ENDINGS)]
    indexes = [join(path, name) for name in INDEXES if storage.exists(join(path, name))]
    if not tars and not indexes:
        raise ConfigError(f"{path}: expected a tar, a glob or a folder of tars, found none")
    entries = [entry for index in indexes for entry in _read_index(index, storage, report)]
    for index in indexes:
        named = {entry.uri for entry in entries if entry.listed_in == index}
        for uri in (uri for uri in tars if named and uri not in named):
            report.add(Finding("shard_unlisted", uri, f"the file stands beside {index}, which does not list it"))
    return sorted(tars), entries


def _storage(path: str) -> Storage:
    reach(path)
    try:
        return storage_for(path)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _read_index(uri: str, storage: Storage, report: _Report) -> list[Listed]:
    """The shards of a wids index or of a manifest of ours; a file that is neither is a finding."""
    try:
        with storage.open(uri) as file:
            found = json.loads(file.read())
        rows = found["shardlist" if "shardlist" in found else "shards"]
        return [_listed(row, uri) for row in rows]
    except StoreUnavailable:
        raise
    except OSError as error:
        raise ConfigError(f"{uri}: expected a readable file, found: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        report.add(Finding("index_broken", uri, f"expected a wids index or a manifest, found {error!r:.200}"))
        return []


def _listed(row: dict[str, Any], index: str) -> Listed:
    name = row["url"] if "url" in row else row["name"]
    uri = name if scheme_of(name) or name.startswith("/") else join(folder_of(index), name)
    return Listed(uri, row.get("nsamples", row.get("samples")), row.get("filesize", row.get("bytes")), index)


def _lint_file(uri: str, report: _Report, *, contents: bool) -> list[str]:
    """The keys of the shard's samples."""
    report.shards += 1
    try:
        with fetched(uri) as path, TemporaryDirectory(prefix="beamsift-lint-") as staging:
            tar = open_tar(path, staging)
            found = lint_shard(tar.data, uri, contents=contents)
            report.bytes += len(tar.data)
            if isinstance(tar.data, mmap.mmap):
                tar.data.close()
    except StoreUnavailable:
        raise
    except OSError as error:
        report.add(Finding("shard_unreadable", uri, f"expected a readable tar, found: {error}"))
        return []
    if tar.problem is not None:
        report.add(
            Finding("tar_truncated" if tar.problem.error == "TarTruncated" else "tar_broken", uri, tar.problem.message)
        )
    report.add(*found.findings)
    report.samples += len(found.keys)
    report.members += found.members
    return found.keys


def _check_listed(uri: str, samples: int, entries: list[Listed]) -> Iterator[Finding]:
    for entry in entries:
        if entry.samples is not None and entry.samples != samples:
            message = f"{entry.listed_in} says {entry.samples} samples, the shard has {samples}"
            yield Finding("count_wrong", uri, message)
        if entry.bytes is not None and entry.bytes != (size := storage_for(uri).stat(uri).size):
            yield Finding("size_wrong", uri, f"{entry.listed_in} says {entry.bytes} bytes, the file has {size}")


def _repeated(shards: list[str], earlier: Place, later: Place, *, named: bool) -> Finding:
    place = f"{shards[later.shard]} sample {later.sample}"
    if named and scheme_of(shards[later.shard]) in ("", "file"):  # read again only where that costs no download
        with TemporaryDirectory(prefix="beamsift-lint-") as staging:
            tar = open_tar(local_path(shards[later.shard]), staging)
            place = f"{shards[later.shard]}#{lint_shard(tar.data, '', contents=False).keys[later.sample]}"
    message = f"{shards[earlier.shard]} has a sample of this key already (number {earlier.sample})"
    return Finding("key_in_two_shards", place, message)


def _show(report: _Report) -> None:
    told: Counter[str] = Counter()
    for finding in sorted(report.findings, key=lambda finding: finding.fault):
        told[finding.fault] += 1
        if told[finding.fault] <= TOLD:
            show_text(f"{finding.fault}  {finding.place}  {finding.message}")
        if told[finding.fault] == TOLD < report.counts[finding.fault]:
            show_text(f"{finding.fault}  … and {report.counts[finding.fault] - TOLD:,} more")
    found = ", ".join(f"{fault} {count:,}" for fault, count in sorted(report.counts.items())) or "clean"
    show_text(f"{report.shards:,} shards, {report.samples:,} samples, {report.bytes:,} bytes: {found}")


def _show_json(report: _Report) -> None:
    totals = {name: getattr(report, name) for name in ("shards", "samples", "members", "bytes")}
    findings = [finding._asdict() for finding in report.findings]
    print(json.dumps({**totals, "counts": dict(sorted(report.counts.items())), "findings": findings}, indent=1))
