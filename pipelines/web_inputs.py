"""Inputs of `run interleaved_web` by how they are named: web archives, saved pages, foreign interleaved sets.

`crawl/*.warc.gz` are archives, `saved:FOLDER` is a folder of saved pages, `obelics:FILES` (or another schema) a set;
`FILES` may be the folder that a conversion or a run made. All kinds may come together.
Left out on purpose: guessing the schema of a set: a file may answer to two, and to look would cost a request each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice

from msgspec.structs import replace

from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig, decoding_rules, document_rules
from pipelines.convert import expand
from transforms.document_rows import read_documents
from transforms.fingerprints import fingerprint
from transforms.interleaved_pictures import tars_beside
from transforms.interleaved_schemas import SCHEMAS
from transforms.page_folder import list_page_units
from transforms.raw_sample import PICTURE_SUFFIXES
from transforms.reading import ARCHIVES, KINDS, file_identity, list_units
from transforms.records import Unit
from transforms.storage import FileStat, StoreUnavailable, folder_of, join, scheme_of, storage_for
from transforms.web_rows import count_pages

SAVED = "saved"
SETS = {ending: kind for ending, kind in KINDS.items() if ending != ".csv"}
_NAMED = re.compile(rf"({SAVED}|{'|'.join(map(re.escape, SCHEMAS))}):(?!//)(.+)", re.DOTALL)


def list_web_units(inputs: Sequence[str], cfg: WebConfig) -> list[Unit]:
    """The units of all inputs by (uri, part), whatever their kind and the order they are named in.

    Raises ConfigError for an input that names nothing, or a file that two inputs name as different things.
    """
    units = [unit for name, places in _by_name(inputs).items() for unit in _list_named(name, places, cfg)]
    _check_named_once(units)
    return _ranked(sorted(units, key=lambda unit: (unit.uri, unit.part)))


def limit_web_units(units: list[Unit], limit: int, cfg: WebConfig, staging: str) -> list[Unit]:
    """The first `limit` pages and documents; the pictures of all archives stay, because any page may mean them."""
    cut = []
    for unit in units:
        if limit or unit.kind == "warc":
            cut.append(unit := replace(unit, limit=limit))
            limit -= _count_rows(unit, cfg, staging) if limit else 0
    return _ranked(cut)


def _count_rows(unit: Unit, cfg: WebConfig, staging: str) -> int:
    if unit.schema:
        return sum(1 for _ in islice(read_documents(unit, cfg, staging), unit.limit))
    return count_pages(unit, cfg.read, staging, unit.limit)


def _ranked(units: list[Unit]) -> list[Unit]:
    return [replace(unit, index=index) for index, unit in enumerate(units)]


def _by_name(inputs: Sequence[str]) -> dict[str, list[str]]:
    """Places by what they are said to be; archives without a name."""
    found: dict[str, list[str]] = {}
    for given in inputs:
        match = _NAMED.fullmatch(given)
        name, place = (match[1], match[2]) if match else ("", given)
        found.setdefault(name, []).append(place)
    return found


def _list_named(name: str, places: list[str], cfg: WebConfig) -> list[Unit]:
    if name == SAVED:
        return [unit for place in dict.fromkeys(places) for unit in _list_pages(place, cfg)]
    if name:
        files = [path for place in places for path in expand(place)]
        return _with_schema(list_units(files, document_rules(cfg), kinds=SETS), name)
    try:
        return list_units(places, decoding_rules(cfg), kinds=ARCHIVES)
    except ConfigError as error:
        others = f"saved pages are named {SAVED}:FOLDER, a set SCHEMA:FILES with one of {' '.join(SCHEMAS)}"
        raise ConfigError(f"{error}; {others}") from error


def _list_pages(folder: str, cfg: WebConfig) -> list[Unit]:
    try:
        units = list_page_units(folder, cfg.read)
    except (StoreUnavailable, ConfigError):
        raise
    except (ImportError, OSError, ValueError) as error:  # also no such bucket, or no leave to list it
        raise ConfigError(f"input {SAVED}:{folder}: {error}") from error
    if not units:
        raise ConfigError(f"input {SAVED}:{folder}: expected a folder with saved pages, found none")
    return units


class _Beside:
    """What lies beside the files of sets: tars, and on this machine pictures as files. A folder is listed once."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, FileStat]] = {}
        self._pictures: dict[str, str] = {}

    def fingerprint(self, uri: str) -> str:
        tars = [self._files(folder_of(tar)).get(tar) for tar in tars_beside(uri)]
        return fingerprint(tars, "" if scheme_of(uri) else self._loose(folder_of(uri)))

    def _files(self, folder: str) -> dict[str, FileStat]:
        if folder not in self._listed:
            self._listed[folder] = {file.uri: file for file in storage_for(folder).list(folder)}
        return self._listed[folder]

    def _loose(self, folder: str) -> str:
        if folder not in self._pictures:
            files = [file for one in (folder, join(folder, "images")) for file in self._files(one).values()]
            self._pictures[folder] = fingerprint(
                [
                    (os.fsencode(file.uri), file.size, file.modified)
                    for file in files
                    if file.uri.rpartition(".")[2].lower() in PICTURE_SUFFIXES
                ]
            )
        return self._pictures[folder]


def _with_schema(units: list[Unit], schema: str) -> list[Unit]:
    beside = _Beside()
    return [
        replace(unit, schema=schema, beside="" if unit.kind == "tar" else beside.fingerprint(unit.uri))
        for unit in units
    ]


def _check_named_once(units: list[Unit]) -> None:
    """ConfigError where a file is named as two things, or a folder of saved pages lies in another."""
    named: dict[str, str] = {}
    for unit in units:
        name = unit.schema or unit.kind
        if named.setdefault(file_identity(unit.uri), name) != name:
            raise ConfigError(
                f"input {unit.uri!r}: expected one name for it, found {named[file_identity(unit.uri)]} and {name}"
            )
    folders = sorted({f"{file_identity(unit.uri)}/" for unit in units if unit.kind == "pages"})
    for outer, inner in zip(folders, folders[1:], strict=False):
        if inner.startswith(outer):
            raise ConfigError(f"input {SAVED}:{inner}: expected folders apart, found it in {outer}")
