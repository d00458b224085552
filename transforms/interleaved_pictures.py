"""Where the bytes of a document's pictures lie: in a tar or in files beside the records that name them.

Left out on purpose: bytes inside the records (interleaved_reader), members of a document's own tar (interleaved_tars).
"""

from __future__ import annotations

import json
import mmap
import os
from functools import partial
from typing import Any

from msgspec.structs import replace

from configs.schema.caption import ReadRules
from transforms.data_uris import data_uri_recipe, decode_data_uri, is_data_uri
from transforms.interleaved_documents import Document, RecordBroken, is_reference
from transforms.loaded import Loaded
from transforms.picture_files import find_file
from transforms.records import Picture, Piece, Recipe, Sample, Span, Unit
from transforms.storage import folder_of, is_of_file, join, local_path, scheme_of, storage_for
from transforms.tar_index import TarMember, TarProblem, index_headers

Bytes = tuple[Span | Recipe, bytes | memoryview] | None
"""A source and what it holds now; None where nothing was found."""


class Beside:
    """The pictures beside one file of records. Its tar's index is held: about 200 bytes a picture of that file.

    A tar in an object store is copied into `staging` and mapped; the copy is gone when the last picture is.
    """

    problems: list[TarProblem]
    """What of the tar cannot be read; a picture that lies there is not found."""

    def __init__(self, unit: Unit, rules: ReadRules, staging: str, *, asks: bool = False) -> None:
        """`asks`: whether single files are looked for in an object store, with a request for each name."""
        self._unit, self.rules, self._asks = unit, rules, asks
        self._local = scheme_of(unit.uri) in ("", "file")
        self._storage = storage_for(unit.uri)
        self.uri = self._tar_uri()
        self._data: mmap.mmap | bytes = self._map(staging) if self.uri else b""
        self._members: dict[str, TarMember] = {}
        self._numbered: dict[str, TarMember] = {}
        index = index_headers(self._data)
        self.problems = list(index.problems) if self.uri else []
        for member in index.members:
            self._members.setdefault(member.name, member)
            self._numbered.setdefault(member.name.rpartition(".")[0], member)

    def _tar_uri(self) -> str:
        tars = tars_beside(self._unit.uri)
        return next((uri for uri in tars if self._storage.exists(uri) and self._storage.stat(uri).size), "")

    def _map(self, staging: str) -> mmap.mmap:
        if not self._local:
            os.makedirs(staging, exist_ok=True)
        path = self._storage.fetch(self.uri, staging)
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if not self._local:
            os.unlink(path)
        return data

    def find(self, document: Document, row: int) -> list[Bytes]:
        """For each picture of the document at `row` of the file what was found of it."""
        pictures = [piece for piece in document.pieces if isinstance(piece, Picture)]
        return [
            self._in_tar(picture, f"{row:06d}.{n}") or self._in_folder(picture) for n, picture in enumerate(pictures)
        ]

    def _in_tar(self, picture: Picture, number: str) -> Bytes:
        named = (self._members.get(name) for name in _names(picture))
        member = self._numbered.get(number) or next((found for found in named if found is not None), None)
        if member is None or not member.size:
            return None
        end = member.start + member.size
        return Span(self.uri, member.start, end, "tar", member.name), memoryview(self._data)[member.start : end]

    def _in_folder(self, picture: Picture) -> Bytes:
        if not (self._local or self._asks):  # most names of web documents are of no file
            return None
        folder, paths = folder_of(self._unit.uri), (p for name in _names(picture) for p in (name, f"images/{name}"))
        find = _map_file if self._local else partial(_fetch_file, most=self.rules.max_picture_bytes)
        return next(filter(None, (find(folder, path) for path in paths)), None)


def tars_beside(uri: str) -> tuple[str, str]:
    """Where a file of records may have the tar of its pictures, best first."""
    folder, name = folder_of(uri), f"{uri.rpartition('/')[2].rpartition('.')[0]}.tar"
    return join(folder_of(folder), "pictures", name), join(folder, name)


def place_inline(document: Document, line: bytes, span: Span, most: int) -> tuple[Document, list[Bytes]]:
    """Pictures that stand in their record's line as `data:` URIs, and None for each other one of the document.

    A URI is not kept as a name: the ledger would hold the picture as text. Raises RecordBroken.
    """
    pieces, found = list[Piece](), list[Bytes]()
    for piece in document.pieces:
        if isinstance(piece, Picture):
            inline = is_data_uri(piece.url)
            found.append(_inline(piece.url, line, span, most) if inline else None)
            piece = replace(piece, url="") if inline else piece
        pieces.append(piece)
    return Document(tuple(pieces), document.meta), found


def _inline(uri: str, line: bytes, span: Span, most: int) -> Bytes:
    if uri.encode() not in line:
        raise RecordBroken("expected a data: URI that JSON writes as it is, found one with escapes in it")
    try:
        return data_uri_recipe(uri, span), decode_data_uri(uri, most)
    except ValueError as error:
        raise RecordBroken(str(error)) from error


def _map_file(folder: str, path: str) -> Bytes:
    """A local file's bytes, of which none is read before somebody asks."""
    try:
        span = find_file(folder, path)
        if not span.end:
            return span, b""
        with open(local_path(span.uri), "rb") as file:
            return span, memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError) and not is_of_file(error):
            raise
        return None


def _fetch_file(folder: str, path: str, *, most: int) -> Bytes:
    """An object's bytes; of one over `most` so many that it is known to be over."""
    try:
        span = find_file(folder, path)
        return span, storage_for(span.uri).read(span.uri, 0, min(span.end, most + 1))
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and not is_of_file(error):
            raise
        return None


def _names(picture: Picture) -> list[str]:
    """Names of files that a record gives a picture; an address is none."""
    said: Any = json.loads(picture.meta) if picture.meta else {}
    found = (said.get("image_name"), picture.url)
    named = (name for name in found if isinstance(name, str) and name and not is_data_uri(name))
    return [name for name in named if "://" not in name and "\0" not in name]


def place_bytes(document: Document, meta: str, found: list[Bytes], sample: Sample) -> Loaded:
    """The row of a document whose pictures have the sources and bytes of `found`, in order."""
    waiting = iter(found)
    pieces, data = [], []
    for piece in document.pieces:
        bytes_of = next(waiting) if isinstance(piece, Picture) else None
        if isinstance(piece, Picture) and bytes_of is not None and is_reference(piece):
            piece = replace(piece, source=bytes_of[0])
        pieces.append(piece)
        data.append(bytes_of[1] if bytes_of else None)
    return Loaded(replace(sample, pieces=tuple(pieces), meta=meta), list(data), [None] * len(pieces))
