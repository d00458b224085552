"""The shard format: tar members of a sample, a writer whose bytes are a function of its input, the manifest.

A shard is a plain USTAR file: `{key}.jpg` (original bytes), `{key}.txt`, `{key}.json`; with several pictures
`{key}.0.jpg`, `{key}.1.jpg`, … in the order of the JSON's pieces. Members of a sample are adjacent, keys hold no dot,
mtime, uid, gid and mode are fixed. webdataset and wids open it as it is. A document has no `.txt`: its texts stand
among the pieces, and pictures that were dropped, failed or never fetched stand there without a member.
Left out on purpose: reading (transforms/tar_reader.py) and deciding which sample goes where (transforms/planning.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from transforms.records import Drop, Picture, Piece, Sample, Span, Text

FORMAT = "beamsift-1"
BLOCK = 512
MAX_NAME = 100
"""Bytes of a USTAR name without prefix; a key and its longest suffix must fit."""
EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp", "gif": "gif", "bmp": "bmp", "tiff": "tiff"}

Member = tuple[str, bytes]


class IndexInfo(msgspec.Struct, frozen=True):
    """The member index beside a shard (transforms/member_index.py)."""

    name: str
    bytes: int
    sha256: str


class ShardInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    samples: int
    bytes: int
    sha256: str
    index: IndexInfo | None = None
    """None in sets that were written without one; whoever needs it builds it from the tar."""


class Manifest(msgspec.Struct, frozen=True):
    """The commit of a run: what it made, from what, how. A folder without it is not a data set."""

    format: str
    pipeline: str
    shards: list[ShardInfo]
    counts: dict[str, Any]
    fingerprint: str
    config: dict[str, Any]
    inputs: list[dict[str, Any]]
    versions: dict[str, str]
    stages: dict[str, dict[str, float]]
    measures: dict[str, dict[str, str]]
    concepts: dict[str, Any] = {}
    """Of concept balance: the vocabulary's sha256, t, counts of captions, the table of entries; empty without it."""


def format_manifest(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Raises ValueError where `data` is not a manifest of this format."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"manifest.json: expected a {FORMAT} manifest: {error}") from error
    if manifest.format != FORMAT:
        raise ValueError(f"manifest.json: expected format {FORMAT!r}, found {manifest.format!r}")
    return manifest


def shard_files(shards: Iterable[ShardInfo]) -> Iterator[str]:
    """Names of all that lies in `shards/`."""
    for shard in shards:
        yield shard.name
        if shard.index:
            yield shard.index.name


def wids_index(shards: Sequence[ShardInfo], name: str) -> bytes:
    """The wids shard index of a set, so that `wids.ShardListDataset("index.json")` opens it."""
    listed = [{"url": s.name, "nsamples": s.samples, "filesize": s.bytes} for s in shards]
    index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": name, "shardlist": listed}
    return json.dumps(index, indent=1).encode() + b"\n"


def sample_members(sample: Sample, data: Sequence[bytes | None], json_bytes: bytes, text: str | None) -> list[Member]:
    """A sample's members in order. `data[i]` is the file of `pieces[i]` where that is a picture that stays.

    `text` is None for a document, whose texts are pieces in the JSON.
    """
    shown = [(piece, item) for piece, item in zip(sample.pieces, data, strict=True) if item is not None]
    names = [picture_suffix(piece, index, len(shown)) for index, (piece, _) in enumerate(shown)]
    members = [(f"{sample.key}.{name}", item) for name, (_, item) in zip(names, shown, strict=True)]
    if text is not None:
        members.append((f"{sample.key}.txt", text.encode()))
    return [*members, (f"{sample.key}.json", json_bytes)]


def picture_suffix(piece: Piece, index: int, count: int) -> str:
    if isinstance(piece, Text):
        raise TypeError("expected a Picture, found a Text")
    extension = EXTENSIONS[piece.format]
    return extension if count == 1 else f"{index}.{extension}"


def sample_json(sample: Sample) -> bytes:
    """The `.json` member: the pool's own fields, and under `beamsift` the pieces in order with what was measured.

    It names no path of the machine that made it: the same pool elsewhere gives the same bytes.
    """
    pool = json.loads(sample.meta) if sample.meta else {}
    ours = {
        "source": sample.source.rsplit("/", 1)[-1],
        "source_key": sample.source_key,
        "pieces": [_piece_json(piece) for piece in sample.pieces],
        "measures": sample.measures,
    }
    merged = {**pool, "key": sample.key, "beamsift": ours}
    return json.dumps(merged, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _piece_json(piece: Piece) -> dict[str, Any]:
    shared: dict[str, Any] = {"measures": piece.measures}
    if piece.drop is not None:
        shared["drop"] = _drop_json(piece.drop)
    if isinstance(piece, Text):
        return {"text": piece.value, "role": piece.role, **shared}
    size = {"format": piece.format, "width": piece.width, "height": piece.height, "sha256": piece.sha256.hex()}
    return {"picture": size, **shared, **_origin_json(piece)}


def _origin_json(picture: Picture) -> dict[str, Any]:
    """What only some pictures have: an origin, and the reason why no member holds their bytes."""
    found: dict[str, Any] = {"url": picture.url} if picture.url else {}
    if picture.meta:
        found["meta"] = json.loads(picture.meta)
    if picture.failure is not None:
        found["failure"] = picture.failure.error  # the message may name a path of this machine
    if isinstance(picture.source, Span) and picture.source.container == "url":
        found["reference"] = True
    return found


def _drop_json(drop: Drop) -> dict[str, Any]:
    return {name: getattr(drop, name) for name in drop.__struct_fields__}


# What is the same in every header of ours: mode, uid, gid before the size; mtime, a blank checksum, the type of a
# regular file, an empty link name, the magic of POSIX USTAR and empty owner names after it.
_BEFORE_SIZE = b"\0".join((b"0000644", b"0000000", b"0000000", b""))
_AFTER_SIZE = b"".join((b"0" * 11, b"\0", b" " * 8, b"0", bytes(100), b"ustar\0", b"00", bytes(247)))
_CHECKSUM = slice(148, 156)


def tar_header(name: str, size: int) -> bytes:
    """A USTAR header of a regular file with fixed metadata. Raises ValueError where the name or size does not fit."""
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= MAX_NAME or size >= 8**11:
        raise ValueError(f"tar member {name!r} of {size} bytes: expected a name of 1..{MAX_NAME} bytes, under 8 GiB")
    block = b"".join((encoded.ljust(MAX_NAME, b"\0"), _BEFORE_SIZE, b"%011o\0" % size, _AFTER_SIZE))
    return b"".join((block[: _CHECKSUM.start], b"%06o\0 " % sum(block), block[_CHECKSUM.stop :]))


class ShardWriter:
    """Writes samples into an open binary file and keeps count; `finish` closes the archive and says what it is."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self.members: list[tuple[str, int, int]] = []
        """(name, start, size) of every member so far."""
        self._hash, self._bytes, self._samples = hashlib.sha256(), 0, 0

    def add(self, members: Iterable[Member]) -> None:
        for name, data in members:
            self.members.append((name, self._bytes + BLOCK, len(data)))
            self._put(b"".join((tar_header(name, len(data)), data, b"\0" * (-len(data) % BLOCK))))
        self._samples += 1

    def finish(self) -> ShardInfo:
        # The end mark is two zero blocks; GNU tar and tarfile then fill a record of 20 blocks.
        self._put(b"\0" * (2 * BLOCK + (-(self._bytes + 2 * BLOCK) % (20 * BLOCK))))
        return ShardInfo(self._name, self._samples, self._bytes, self._hash.hexdigest())

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)
