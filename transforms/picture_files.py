"""Pictures that an index or a Parquet row names by a path: files beside it, and never outside its folder.

A pool may come from anybody, so a path that is absolute, climbs out by "..", or leads out through a symbolic link is
not followed.
"""

from __future__ import annotations

import os
from typing import Any

from configs.schema.caption import ReadRules
from transforms.raw_sample import RawSample, add_large_picture, add_picture
from transforms.records import Failure, Span
from transforms.storage import StoreUnavailable, folder_of, join, local_path, scheme_of, storage_for


def add_picture_files(raw: RawSample, paths: Any, place: str, rules: ReadRules) -> None:
    """The files at `paths` (one text, or a list of texts; None is no picture), relative to the unit's own folder."""
    for path in paths if isinstance(paths, list) else [] if paths is None else [paths]:
        if isinstance(path, str):
            _add_file(raw, path, place, rules)
        else:
            message = f"expected a picture's path as text, found {type(path).__name__}"
            raw.failures.append(Failure("FileMissing", message, place))


def find_file(folder: str, path: str) -> Span:
    """All of the file at `path` in `folder`. OSError or ValueError where it leaves the folder, or there is none."""
    _check_inside(folder, path)
    uri = join(folder, path)
    return Span(uri, 0, storage_for(uri).stat(uri).size, "file", path)


def _add_file(raw: RawSample, path: str, place: str, rules: ReadRules) -> None:
    try:
        span = find_file(folder_of(raw.unit.uri), path)
        if span.end > rules.max_picture_bytes:
            add_large_picture(raw, span, span.end, rules)
        else:
            add_picture(raw, span, storage_for(span.uri).read(span.uri, 0, span.end), rules)
    except StoreUnavailable:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        message = f"expected a readable file at {path!r} in the folder of the index, found: {error}"
        raw.failures.append(Failure("FileMissing", message, place))


def _check_inside(folder: str, path: str) -> None:
    """ValueError where `path` leaves `folder`, by its own text or through a link."""
    if not path or path.startswith("/") or scheme_of(path) or ".." in path.replace("\\", "/").split("/"):
        raise ValueError("a path that leaves the folder")
    if scheme_of(folder) in ("", "file"):
        root = os.path.realpath(local_path(folder))
        if os.path.commonpath([root, os.path.realpath(join(root, path))]) != root:
            raise ValueError("a link that leaves the folder")
