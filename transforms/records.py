"""Records: what a pipeline knows of a sample, small enough to travel through any shuffle.

No field can hold pixels (law 1): a picture is a `Span` of bytes or a `Recipe` that makes them again, and
`transforms.pictures.materialise` is the one way from there to bytes. Every struct is frozen; a step returns a changed
copy. Strings are valid UTF-8: readers turn a lone surrogate into a `Failure` before a record is made. No record can
hold itself, so none is the garbage collector's business, which would walk all those of a unit again and again.

Left out on purpose: how records reach Beam (transforms/beam/coders.py) and the ledger (transforms/ledger.py).
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

Container = Literal["tar", "tar.gz", "file", "parquet", "warc", "warc.gz", "pdf", "video", "url"]
Fate = Literal["kept", "dropped", "failed"]
Measures = dict[str, float | int | str]
"""Measured values by name; the names and units of a pipeline's measures are listed beside its rules."""


class Span(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="span"):
    """Where the bytes of one thing lie: `[start, end)` in the container at `uri`.

    For `tar` and `file` these are byte offsets in the file; for `tar.gz` in the decompressed stream; for `parquet`
    row numbers of the file, with the column in `member` (`images[2]` for the third of a list). For a tar `member` is
    the name the archive gave. For `warc` they hold a record's gzip member or plain record, for `warc.gz` a record of a
    decompressed stream; the bytes are what that record's HTTP message carries, and `member` is its address. `url` holds
    no bytes at all: a picture that was named and never fetched.
    """

    uri: str
    start: int
    end: int
    container: Container
    member: str = ""


class Recipe(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="recipe"):
    """How to make bytes again: a pure function by name, its arguments, and the spans it reads."""

    function: str
    arguments: dict[str, str | int | float | bool]
    inputs: tuple[Span, ...] = ()


class Box(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rectangle in the picture at `pieces[picture]`, as fractions of its width and height, origin top left."""

    x1: float
    y1: float
    x2: float
    y2: float
    picture: int = 0
    label: str = ""


class Drop(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a rule turned a sample away: the value it measured and the limit it was held against."""

    rule: str
    value: float | int
    limit: float | int
    detail: str = ""
    """What the two numbers cannot say: the key of the copy that was kept, the language that was found."""


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a sample could not be judged: an error class, what was expected and found, and the place."""

    error: str
    message: str
    place: str


class Picture(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="picture"):
    """One picture by reference. `sha256` is of the file's bytes, `pixels` an XXH3-128 of the decoded RGB(A) pixels."""

    source: Span | Recipe
    format: str = ""
    """As sniffed from the bytes, not from the name: jpeg, png, webp, gif, bmp, tiff."""
    width: int = 0
    height: int = 0
    sha256: bytes = b""
    pixels: bytes = b""
    measures: Measures = {}
    drop: Drop | None = None
    failure: Failure | None = None
    likeness: bytes = b""
    """The perceptual hash, 8 bytes; empty where none was asked for."""
    look: bytes = b""
    """What a second look at pictures of near hashes compares, 99 bytes (transforms/perceptual_hash.py)."""
    url: str = ""
    """Where the pool says it comes from: an address, or the name it has there."""
    meta: str = ""
    """The pool's own JSON object for this picture, as text. What was added later stands last: older records read."""


class Text(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="text"):
    """One text exactly as it was read. `role` says what it is to the pictures: caption, paragraph, heading, …"""

    value: str
    role: str = "caption"
    measures: Measures = {}
    boxes: tuple[Box, ...] = ()
    drop: Drop | None = None


Piece = Picture | Text


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row: pieces in reading order, all that was measured, and its fate.

    `(source, part, position)` is the row's place in the pool and its order in the output. `key` is safe for a tar
    member and unique in the whole set once `resolve_keys` has run; `source_key` is what the pool called it.
    """

    key: str
    source: str
    """URI of the file that was read: the tar, Parquet file, index, archive."""
    part: int
    """Row group or chunk of that file; 0 where the file is one unit of work."""
    position: int
    """Ordinal of the row in its part."""
    pieces: tuple[Piece, ...] = ()
    source_key: str = ""
    meta: str = ""
    """The pool's own JSON object for this sample, as text; empty where it has none."""
    measures: Measures = {}
    drop: Drop | None = None
    failure: Failure | None = None

    @property
    def fate(self) -> Fate:
        if self.failure is not None:
            return "failed"
        return "dropped" if self.drop is not None else "kept"

    @property
    def alive(self) -> bool:
        return self.drop is None and self.failure is None


def pictures(sample: Sample) -> list[Picture]:
    return [piece for piece in sample.pieces if isinstance(piece, Picture)]


def is_shown(picture: Picture) -> bool:
    """Whether no rule has turned the picture away, and it could be read."""
    return picture.drop is None and picture.failure is None


def texts(sample: Sample, role: str = "caption") -> list[Text]:
    return [piece for piece in sample.pieces if isinstance(piece, Text) and piece.role == role]


def with_measures(record: Sample, **measures: float | int | str) -> Sample:
    return replace(record, measures={**record.measures, **measures})


class Unit(msgspec.Struct, frozen=True, array_like=True):
    """What one call reads in order: a tar, a Parquet row group, a chunk of an index, some saved pages of a folder."""

    index: int
    """Rank among the run's units, ordered by (uri, part): independent of how the inputs were listed."""
    uri: str
    kind: Literal["tar", "parquet", "folder", "warc", "pages"]
    part: int = 0
    start: int = 0
    """First row (Parquet) or byte (index) of the part."""
    end: int = 0
    size: int = 0
    """Bytes of the whole file."""
    modified: float = 0.0
    """Seconds since the epoch, where the file system tells."""
    limit: int = -1
    """Rows to read at most; all where negative. How a trial run on the first rows is cut."""
    schema: str = ""
    """Of a foreign interleaved set the name of its schema (transforms/interleaved_schemas.py)."""
    pages: tuple[str, ...] = ()
    """The saved pages that the unit is of, relative to the folder at `uri`."""
    beside: str = ""
    """Fingerprint of the files beside it, where its reader looks for pictures: names, sizes and times."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Sample)


def encode_sample(sample: Sample) -> bytes:
    return _encoder.encode(sample)


def decode_sample(data: bytes) -> Sample:
    """Raises msgspec.DecodeError for bytes that `encode_sample` did not write."""
    try:
        return _decoder.decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
