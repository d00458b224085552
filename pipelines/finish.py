"""Finishing an output: views of the data for people and tools, leftovers removed, and the manifest last."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import starmap
from pathlib import Path
from typing import cast

from pipelines.concept_summary import summarise
from pipelines.concept_table import TABLE, publish_concepts, read_concepts
from pipelines.data_card import croissant, data_card
from pipelines.errors import NotFinished
from pipelines.lock import OutputLock
from transforms.data_uris import FUNCTION, INLINE
from transforms.ledger import ledger_name
from transforms.materialise import SpanReader, materialise
from transforms.records import Container, Recipe, Span
from transforms.rows import staging_folder
from transforms.shards import Manifest, format_manifest, parse_manifest, shard_files, wids_index
from transforms.storage import TEMPORARY, join, local_path, scheme_of, storage_for


def read_manifest(output: str) -> Manifest | None:
    """The manifest of a finished run; None where there is none. Raises ValueError for something else of that name."""
    uri = join(output, "manifest.json")
    try:
        with storage_for(uri).open(uri) as file:
            return parse_manifest(file.read())
    except FileNotFoundError:
        return None


def finished_manifest(output: str) -> Manifest:
    """The manifest of a run that must be finished. Raises NotFinished."""
    manifest = read_manifest(output)
    if manifest is None:
        raise NotFinished(
            f"{output}: expected a finished run, found no manifest.json; run the command that made it again"
        )
    return manifest


def finish_output(output: str, manifest: Manifest, say: Callable[[str], None]) -> None:
    storage = storage_for(output)
    remove_leftovers(output, manifest)
    if manifest.concepts:
        publish_concepts(output)
    name = output.rstrip("/").rsplit("/", 1)[-1]
    storage.write(join(output, "index.json"), wids_index(manifest.shards, name))
    counted = summarise(table) if manifest.concepts and (table := read_concepts(output)) else None
    storage.write(join(output, "README.md"), data_card(manifest, counted).encode())
    storage.write(join(output, "croissant.json"), json.dumps(croissant(manifest), indent=1).encode() + b"\n")
    say("writing the report")
    write_report(output, manifest)
    storage.write(join(output, "manifest.json"), format_manifest(manifest))


def clean(output: str, say: Callable[[str], None]) -> None:
    """Removes what a killed run left in a finished output. Raises OutputBusy while a run is at work on it."""
    manifest = finished_manifest(output)
    with OutputLock(output):
        for uri in remove_leftovers(output, manifest):
            say(f"removed {uri}")


def remove_leftovers(output: str, manifest: Manifest) -> list[str]:
    """Shards and ledgers of an abandoned attempt with another recipe, and the unfinished files of a killed one: nothing
    may lie there that no manifest lists. Gives the URIs of what was removed."""
    storage = storage_for(output)
    listed = {join(output, name) for name in shard_files(manifest.shards)}
    listed |= {join(output, ledger_name(unit)) for unit in range(len(manifest.inputs))}
    found = [file.uri for folder in ("shards", "ledger") for file in storage.list(join(output, folder))]
    found += [join(output, TABLE)] if not manifest.concepts and storage.exists(join(output, TABLE)) else []
    leftovers = [*unfinished_files(output), *(uri for uri in found if uri not in listed)]
    for uri in leftovers:
        storage.delete(uri)
    return leftovers


def unfinished_files(output: str) -> list[str]:
    """Temporary files below a local output. An object store shows none: an object appears only when it is whole."""
    if scheme_of(output) not in ("", "file"):
        return []
    return sorted(str(path) for path in Path(local_path(output)).rglob(f"{TEMPORARY}*"))


def write_report(output: str, manifest: Manifest) -> None:
    """Imports the report only here: duckdb and Pillow are no business of a run that is still going."""
    from pipelines.kinds import kind_named
    from pipelines.report import build_report

    with SpanReader(staging_folder(output)) as spans:
        build_report(
            output,
            manifest,
            kind_named(manifest.pipeline).report,
            fetch=lambda *place: materialise(picture_source(*place), spans),
            expect=lambda asked: spans.expect(starmap(picture_source, asked)),
        )


def picture_source(uri: str, container: str, start: int, end: int, member: str) -> Span | Recipe:
    """What a thumbnail calls a picture: one inside its page or record has the container behind `data:`."""
    inner = cast(Container, container.removeprefix(INLINE))
    if inner == container:
        return Span(uri, start, end, inner, member)
    return Recipe(FUNCTION, {"digest": member}, (Span(uri, start, end, inner),))
