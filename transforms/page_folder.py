"""Pages that a browser saved: `page.html` beside `page_files/`, its pictures found among the files of the folder.

A saved page may come from anybody: what is absolute, climbs out of the folder by "..", or passes through a symbolic
link is not followed, whatever lies there.
Left out on purpose: MHTML and SingleFile (its pictures are `data:` URIs), style sheets, references to the web, which
are resolved as those of any other page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote

from configs.schema.web_reading import WebReadRules
from transforms.records import Drop, Failure, Span
from transforms.storage import StoreUnavailable, folder_of, join, local_path, scheme_of, storage_for
from transforms.warc_reader import Page, Refused
from transforms.web_urls import resolve_url

SUFFIXES = (".html", ".htm", ".xhtml")
_SAVED_FROM = re.compile(rb"<!--\s*saved from url=\(\d+\)([^\s>]{1,4000})\s*-->", re.I)
"""Chrome's and Internet Explorer's note on top of what they save."""
_HEAD = 2048
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class OutsideFolder(ValueError):
    """A reference that leaves the folder of the saved pages."""


def list_saved_pages(folder: str) -> list[str]:
    """URIs of the pages in a folder and below it, in order. What `_files` folders hold are parts of pages."""
    if scheme_of(folder) in ("", "file"):
        # Not by a glob, which would follow links, out of the folder and in circles.
        walked = os.walk(local_path(folder))
        uris = [join(where, name) for where, _, names in walked for name in names]
        uris = [uri for uri in uris if not os.path.islink(uri)]
    else:
        uris = [file.uri for file in storage_for(folder).match(join(folder, "**"))]
    below = len(join(folder, "x")) - 1
    return sorted(uri for uri in uris if uri.lower().endswith(SUFFIXES) and "_files/" not in uri[below:])


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
    except StoreUnavailable:
        raise
    except OSError as error:
        return Refused(position, uri, Failure("FileMissing", f"expected a readable page, found: {error}", place))
    if not body:
        return Refused(position, uri, Failure("PageEmpty", "expected a page, found zero bytes", place))
    match = _SAVED_FROM.search(body, 0, _HEAD)
    url = resolve_url(str(match[1], "utf-8", "replace"), "") if match else ""
    return Page(position, url or uri, "", Span(uri, 0, size, "file"), body, "")


def find_saved_picture(addresses: Iterable[str], page_uri: str, root: str) -> Span | Drop | None:
    """The file that the first of a picture's addresses means that is there; `root` is the folder none may leave.

    A Drop where all are local and none is found; None where the web has to be asked. Passing faults of a store go up.
    """
    drop: Drop | None = None
    for address in addresses:
        try:
            path = local_reference(address, page_uri, root)
        except OutsideFolder:
            drop = drop or Drop("picture_outside_folder", 1, 0, address)
            continue
        if not path:
            return None
        if span := _span(root, path):
            return span
        drop = drop or Drop("picture_unresolved", 0, 1, address)
    return drop


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
    except StoreUnavailable:
        raise
    except OSError:
        return None
    return Span(uri, 0, size, "file", path)
