"""A second look at the pictures of documents: which are opened, what is kept of it, and how it comes back to the row.

Opened is every picture that was found and stands in its page's content, whatever the thresholds: so that another
threshold never needs a picture (law 3).
Left out on purpose: what is measured (transforms/pictures.py), and the sidecar (transforms/beam/look.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from transforms.materialise import SpanReader, materialise
from transforms.records import Failure, Measures, Picture, Recipe, Sample
from transforms.storage import StoreUnavailable
from transforms.web_resources import open_reference

LOOKED = ("format", "width", "height", "sha256", "pixels", "likeness", "look", "measures", "failure")
Looked = Sequence[Any]
"""The fields of LOOKED as they travel, of a picture that was opened; `measures` without those of the page."""


def wanted_pictures(sample: Sample) -> Iterator[tuple[int, Picture]]:
    """(piece, picture) of what is opened: found, not refused by its reader, and not removed with its block."""
    for index, piece in enumerate(sample.pieces):
        if not isinstance(piece, Picture) or piece.failure is not None or "removed" in piece.measures:
            continue
        if open_reference(piece) is None:
            yield index, piece


def look_at(picture: Picture, spans: SpanReader, measure: Callable[[Picture, bytes], Picture]) -> Looked:
    """A picture opened, of which what its page says is not looked at.

    Raises OSError where the bytes that an archive held are gone: then the input changed, and the run stops.
    """
    bare = replace(picture, measures={})
    try:
        bare = measure(bare, materialise(picture.source, spans))
    except StoreUnavailable:
        raise
    except (OSError, ValueError) as error:
        if not isinstance(picture.source, Recipe):
            raise
        place = f"{picture.source.inputs[0].uri}@{picture.source.inputs[0].start}-{picture.source.inputs[0].end}"
        bare = replace(bare, failure=Failure("PictureUndecodable", f"expected a picture's bytes, found {error}", place))
    return [getattr(bare, name) for name in LOOKED]


def apply_looks(sample: Sample, answers: Sequence[tuple[int, Looked]]) -> Sample:
    pieces = list(sample.pieces)
    for index, told in answers:
        piece = pieces[index]
        if isinstance(piece, Picture):
            pieces[index] = with_look(piece, told)
    return replace(sample, pieces=tuple(pieces))


def with_look(picture: Picture, told: Looked) -> Picture:
    found = dict(zip(LOOKED, told, strict=True))
    failure = msgspec.convert(found.pop("failure"), Failure | None)
    return replace(picture, **found | {"measures": picture.measures | found["measures"]}, failure=failure)


def with_signs(told: Looked, signs: Measures) -> Looked:
    """`told` with further measures."""
    index = LOOKED.index("measures")
    return [*told[:index], told[index] | signs, *told[index + 1 :]]
