"""Pages that a browser saved: `page.html` beside `page_files/`, its pictures found among the files of the folder.

A folder is read like an archive: its units are some pages each, and what stands in any of its files enters their
fingerprint.

A saved page may come from anybody: what is absolute, climbs out of the folder by "..", or passes through a symbolic
link is not followed, whatever lies there.
Left out on purpose: MHTML and SingleFile (its pictures are `data:` URIs), style sheets, references to the web, which
are resolved as those of any other page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import unquote

import msgspec

from configs.schema.strict import ConfigError
from configs.schema.web_reading import WebReadRules
from transforms.fingerprints import fingerprint
from transforms.records import Drop, Failure, Span, Unit
from transforms.storage import FileStat, folder_of, is_of_file, join, local_path, scheme_of, storage_for
from transforms.warc_reader import Page, Refused
from transforms.web_urls import resolve_url

SUFFIXES = (".html", ".htm", ".xhtml")
OWN_FOLDERS = (
    "_files", ".files", "-Dateien", "_fichiers", "_bestanden", "_file", "_archivos", "-filer", "_tiedostot", "_pliki",
    "_soubory", "_elemei", "_ficheiros", "_arquivos", "_dosyalar", "_datoteke", "_fitxers", "_failid", "_fails",
    "_bylos", "_fajlovi", "_fitxategiak",
)  # fmt: skip
"""How the name of a page's own folder ends, by the browser's language: Windows' list of connected files."""
_SAVED_FROM = re.compile(rb"<!--\s*saved from url=\(\d+\)([^\s>]{1,4000})\s*-->", re.I)
"""Chrome's and Internet Explorer's note on top of what they save."""
_HEAD = 2048
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class OutsideFolder(ValueError):
    """A reference that leaves the folder of the saved pages."""


def list_page_units(folder: str, rules: WebReadRules) -> list[Unit]:
    """The units of a folder of saved pages, in order; their rank is for the caller. None where it holds no page.

    Raises ConfigError for a page whose name is not UTF-8.
    """
    root = _named_root(folder)
    files = list_files(root)
    below = len(join(root, "x")) - 1
    beside = fingerprint([(os.fsencode(file.uri[below:]), file.size, file.modified) for file in files])
    pages = saved_pages(files, root)
    units = []
    for part, start in enumerate(range(0, len(pages), rules.pages_per_unit)):
        chunk = pages[start : start + rules.pages_per_unit]
        names = tuple(page.uri[below:] for page in chunk)
        _check_names(names)
        place, size = (part, start, start + len(chunk)), sum(page.size for page in chunk)
        units.append(Unit(0, root, "pages", *place, size=size, pages=names, beside=beside))
    return units


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"input {name!r}: expected a name in UTF-8") from error


def _named_root(folder: str) -> str:
    """The folder in one spelling, by a name of its own: samples say the name of what they were read from."""
    if scheme_of(folder) not in ("", "file"):
        return folder.rstrip("/")
    path = os.path.normpath(local_path(folder))
    return path if os.path.basename(path) not in ("", ".", "..") else os.path.abspath(path)


def list_files(folder: str) -> list[FileStat]:
    """The regular files in a folder and below it, by URI. Raises OSError where one of its folders cannot be listed."""
    if scheme_of(folder) not in ("", "file"):
        return sorted(storage_for(folder).match(join(folder, "**")))
    found = []
    # Not by a glob, which would follow links, out of the folder and in circles.
    for where, _, names in os.walk(local_path(folder), onerror=_not_listed):
        for path in (join(where, name) for name in names):
            with suppress(OSError):  # a FIFO, or gone since
                if not os.path.islink(path):
                    found.append(storage_for(path).stat(path))
    return sorted(found)


def _not_listed(error: OSError) -> None:
    """Pages behind a closed door would be lost unnoticed; what is gone since has none."""
    if not isinstance(error, FileNotFoundError):
        raise error


def saved_pages(files: Sequence[FileStat], folder: str) -> list[FileStat]:
    """The pages among the files of a folder. What a page's own folder holds, `page_files`, are parts of it."""
    below = len(join(folder, "x")) - 1
    pages = [file for file in files if file.uri.lower().endswith(SUFFIXES)]
    stems = {page.uri.rpartition(".")[0] for page in pages}
    return [page for page in pages if not _is_part(page.uri, below, stems)]


def _is_part(uri: str, below: int, stems: set[str]) -> bool:
    """Whether a file lies in a page's folder: one named `_files`, or named so in another language beside the page."""
    end = uri.find("/", below)
    while end >= 0:
        folder = uri[:end]
        if folder.endswith(OWN_FOLDERS[0]) or any(
            folder.endswith(name) and folder.removesuffix(name) in stems for name in OWN_FOLDERS
        ):
            return True
        end = uri.find("/", end + 1)
    return False


def list_saved_pages(folder: str) -> list[str]:
    """URIs of the pages in a folder and below it, in order."""
    return [page.uri for page in saved_pages(list_files(folder), folder)]


def read_saved_pages(unit: Unit, rules: WebReadRules) -> Iterator[Page | Refused]:
    """The pages of a unit, known by their address, else by their path in the folder, which their span names too."""
    names = unit.pages if unit.limit < 0 else unit.pages[: unit.limit]
    for position, name in enumerate(names):
        uri = join(unit.uri, name)
        found = read_saved_page(uri, position, rules)
        if isinstance(found, Page):
            found = found._replace(span=msgspec.structs.replace(found.span, member=name))
        yield found._replace(url=name) if found.url == uri else found


def saved_root(page: Span) -> str:
    """The folder that no picture of the page may leave."""
    return page.uri.removesuffix(page.member).rstrip("/")


def read_saved_page(uri: str, position: int, rules: WebReadRules) -> Page | Refused:
    """The page in a file, at the address it was saved from where it says so. Passing faults of a store go up."""
    place = f"{uri}@0-0"
    try:
        storage = storage_for(uri)
        size = storage.stat(uri).size
        if size > rules.max_page_bytes:
            message = f"expected a page of at most {rules.max_page_bytes} bytes, found {size}"
            return Refused(position, uri, Failure("PageTooLarge", message, uri))
        body = storage.read(uri, 0, size)
    except OSError as error:
        if not is_of_file(error):
            raise
        return Refused(position, uri, Failure("FileMissing", f"expected a readable page, found: {error}", place))
    if not body:
        return Refused(position, uri, Failure("PageEmpty", "expected a page, found zero bytes", place))
    match = _SAVED_FROM.search(body, 0, _HEAD)
    url = resolve_url(str(match[1], "utf-8", "replace"), "") if match else ""
    return Page(position, url or uri, "", Span(uri, 0, size, "file"), body, "")


def find_saved_picture(addresses: Iterable[str], page_uri: str, root: str) -> Span | Drop | None:
    """The file that the first of a picture's addresses means that is there; `root` is the folder none may leave.

    Addresses of the web come last: a browser leaves the larger sizes of a `srcset` there when it saves the page. A Drop
    where all are local and none is found; None where the web has to be asked. Passing faults of a store go up.
    """
    drop: Drop | None = None
    asked = False
    for address in addresses:
        try:
            path = local_reference(address, page_uri, root)
        except OutsideFolder:
            drop = drop or Drop("picture_outside_folder", 1, 0, address)
            continue
        if not path:
            asked = True
        elif span := _span(root, path):
            return span
        else:
            drop = drop or Drop("picture_unresolved", 0, 1, address)
    return None if asked else drop


def local_reference(address: str, page_uri: str, root: str) -> str:
    """The path below `root` that a page's relative address means; empty for an address of the web, or of no file.

    Raises OutsideFolder.
    """
    address = address.strip("\t\n\f\r ")
    if _SCHEME.match(address) or address.startswith("//") or not address:
        return ""
    path = unquote(re.split(r"[?#]", address, maxsplit=1)[0])
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise OutsideFolder(f"expected a path relative to the page, found {address!r}")
    inside = folder_of(page_uri)[len(root.rstrip("/")) :].strip("/")
    parts: list[str] = inside.split("/") if inside else []
    for part in path.split("/"):
        if part == ".." and not parts:
            raise OutsideFolder(f"expected a path inside {root!r}, found {address!r}")
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _span(root: str, path: str) -> Span | None:
    uri = join(root, path)
    try:
        if scheme_of(root) in ("", "file"):
            folder = os.path.realpath(local_path(root))
            if os.path.realpath(os.path.join(folder, path)) != os.path.join(folder, path):
                return None  # a link on the way: even one that stays inside may be swapped for one that does not
            uri = join(local_path(root), path)
        size = storage_for(uri).stat(uri).size
    except OSError as error:
        if not is_of_file(error):
            raise
        return None
    return Span(uri, 0, size, "file", path)
