"""Pictures for a classifier, with or without labels: folders of classes, folders of pictures, and pools.

    DIR/class/**/picture.jpg           labelled: the first folder below DIR is the class
    DIR/**/picture.jpg                 a pool of unlabelled pictures
    tars, Parquet, indexes             either; a label is a `.cls` member or a field of the sample's JSON

A picture is its sha256: copies count once, so that no picture is in two folds. What is no picture is named, not raised.
Left out on purpose: folders in object storage (tars and Parquet there are read); decoding (picture_embeddings.py).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from pipelines.label_files import NoLabel, parse_class
from pipelines.ledger import reach
from transforms.loaded import Loaded
from transforms.picture_headers import PictureError
from transforms.raw_sample import place_of
from transforms.reading import list_units, read_unit
from transforms.records import Picture, Span, Unit
from transforms.storage import storage_for
from transforms.tar_index import index_headers
from transforms.tar_reader import open_tar, split_name

CLS = "cls"
JSON = "json."


class Seen(NamedTuple):
    """One picture by reference. `label` is empty where it has none."""

    place: str
    sha256: str
    label: str
    span: Span


class LeftOut(NamedTuple):
    place: str
    error: str
    message: str


@dataclass
class Pictures:
    """What was found, in the order of places, and what was left out and why."""

    found: list[Seen] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, other: Pictures) -> None:
        self.found += other.found
        self.left_out += other.left_out


def read_labelled(inputs: Sequence[str], label: str, rules: ReadRules) -> Pictures:
    """Pictures with their classes; of a sample of a pool the first one. `label` is `cls` or `json.PATH`.

    Raises ConfigError for an input without any picture.
    """
    return _read(inputs, label, rules)


def read_unlabelled(inputs: Sequence[str], rules: ReadRules) -> Pictures:
    """All pictures of the inputs. Raises ConfigError as `read_labelled`."""
    return _read(inputs, "", rules)


def unite(labelled: Pictures, pool: Pictures, labels: Mapping[str, str]) -> Pictures:
    """Different pictures with one class each, by sha256; `labels` win over folders and shards.

    Copies are left out, and named. Raises ConfigError where one picture lies in two classes, or a label's picture in
    no input.
    """
    places = {one.sha256: one for one in reversed([*labelled.found, *(p for p in pool.found if p.sha256 in labels)])}
    if absent := sorted(set(labels) - set(places)):
        raise ConfigError(
            f"--labels: expected pictures of --input or --pool, found {len(absent)} of {len(labels)} in neither, "
            f"sha256 {absent[0]} first"
        )
    for one in labelled.found:
        first = places[one.sha256]
        if one.sha256 not in labels and one.label != first.label:
            raise ConfigError(
                f"expected one class for each picture, found {first.label!r} at {first.place} and {one.label!r} at "
                f"{one.place}, the same bytes"
            )
    united = [one._replace(label=labels.get(sha, one.label)) for sha, one in sorted(places.items())]
    kept = {one.place for one in united}
    copies = [LeftOut(p.place, "Copy", f"of {places[p.sha256].place}") for p in labelled.found if p.place not in kept]
    return Pictures(united, [*labelled.left_out, *copies, *pool.left_out])


def different(pictures: Pictures) -> Pictures:
    """Each picture once, by sha256, whatever its label."""
    first = {one.sha256: one for one in reversed(pictures.found)}
    return Pictures([first[sha] for sha in sorted(first)], pictures.left_out)


def check_label_field(label: str) -> str:
    """`label`, or ConfigError where it names no place of a label."""
    if label == CLS or (label.startswith(JSON) and all(label.split("."))):
        return label
    raise ConfigError(f"--label: expected cls or json.PATH (json.class, json.page.class), found {label!r}")


def _read(inputs: Sequence[str], label: str, rules: ReadRules) -> Pictures:
    pictures = Pictures()
    for uri in inputs:
        before = len(pictures.found) + len(pictures.left_out)
        if os.path.isdir(uri):
            pictures.add(_read_folder(uri, bool(label), rules))
        else:
            reach(uri)
            pictures.add(_read_pool(uri, label, rules))
        if len(pictures.found) + len(pictures.left_out) == before:
            wanted = f"{uri.rstrip('/')}/CLASS/PICTURE" if label else "pictures"
            raise ConfigError(f"{uri}: expected {wanted}, found an empty {'folder' if os.path.isdir(uri) else 'pool'}")
    return pictures


def _read_folder(folder: str, labelled: bool, rules: ReadRules) -> Pictures:
    pictures = Pictures()
    for path in _files(folder):
        try:
            pictures.found.append(_of_file(path, _folder_class(path, folder) if labelled else "", rules))
        except NoLabel as error:
            pictures.left_out.append(LeftOut(path, "LabelMissing", str(error)))
        except PictureError as error:
            pictures.left_out.append(LeftOut(path, error.error, str(error)))
        except OSError as error:
            pictures.left_out.append(LeftOut(path, "FileUnreadable", error.strerror or str(error)))
    return pictures


def _folder_class(path: str, folder: str) -> str:
    below = os.path.relpath(path, folder).split(os.sep)
    if len(below) == 1:
        raise NoLabel("expected it in the folder of a class")
    return parse_class(below[0])


def _of_file(path: str, label: str, rules: ReadRules) -> Seen:
    size = os.path.getsize(path)
    if size > rules.max_picture_bytes:
        message = f"expected a picture of at most {rules.max_picture_bytes} bytes, found {size}"
        raise PictureError("PictureTooLarge", message)
    with open(path, "rb") as file:
        return Seen(path, hashlib.file_digest(file, "sha256").hexdigest(), label, Span(path, 0, size, "file"))


def _files(folder: str) -> Iterator[str]:
    """Regular files below the folder that are not hidden, in a fixed order."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found = (os.path.join(path, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in found if os.path.isfile(file))


def _read_pool(uri: str, label: str, rules: ReadRules) -> Pictures:
    pictures = Pictures()
    for unit in list_units([uri], rules):
        with tempfile.TemporaryDirectory(prefix="beamsift-") as staging:
            path = storage_for(unit.uri).fetch(unit.uri, staging)
            classes = _classes_of(path, unit, staging) if label == CLS else {}
            for loaded in read_unit(path, unit, rules, staging):
                pictures.add(_of_sample(loaded, label, classes))
    return pictures


def _of_sample(loaded: Loaded, label: str, classes: Mapping[str, bytes]) -> Pictures:
    sample = loaded.sample
    place = f"{sample.source}#{sample.source_key}"
    if sample.failure is not None:
        return Pictures([], [LeftOut(sample.failure.place, sample.failure.error, sample.failure.message)])
    try:
        name = _label_of(sample.meta, classes.get(sample.source_key), label) if label else ""
    except NoLabel as error:
        return Pictures([], [LeftOut(place, "LabelMissing", str(error))])
    found = []
    for piece, data in zip(sample.pieces, loaded.data, strict=True):
        if isinstance(piece, Picture) and isinstance(piece.source, Span) and data is not None:
            found.append(Seen(place_of(piece.source), hashlib.sha256(data).hexdigest(), name, piece.source))
    return Pictures(found[:1] if label else found)


def _label_of(meta: str, member: bytes | None, label: str) -> str:
    if label == CLS:
        if member is None:
            raise NoLabel("expected a .cls member, found none")
        return parse_class(member.decode("utf-8", "replace"))
    found: Any = msgspec.json.decode(meta) if meta else None
    for name in label.removeprefix(JSON).split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise NoLabel(f"expected a class at {label}, found {type(found).__name__}")
    return parse_class(str(found))


def _classes_of(path: str, unit: Unit, staging: str) -> dict[str, bytes]:
    """The `.cls` members of a tar by key, which its reader leaves out."""
    if unit.kind != "tar":
        raise ConfigError(f"--label cls: expected a tar, found {unit.uri}; --label json.PATH reads other pools")
    data = open_tar(path, staging).data
    named: Iterable[tuple[tuple[str, str], int, int]] = (
        (split_name(member.name), member.start, member.size) for member in index_headers(data).members
    )
    return {key: bytes(data[at : at + min(size, 4096)]) for (key, suffix), at, size in named if suffix == CLS}
