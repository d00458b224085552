"""`beamsift convert`: an interleaved set from one schema to another, record by record, in memory that does not grow.

What the target cannot hold is counted under `lost`; a picture without bytes stays a reference and is counted; a record
that cannot be read costs one line of failed.jsonl. manifest.json is written last: without it there is no set.
Left out on purpose: rules (a run has those), fetching addresses, and Beam: reading and writing is what it waits for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from msgspec.structs import replace

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from pipelines.convert_output import COLUMNS, Files, RecordSink, Shown, Sink, TarSink, mint_members
from pipelines.errors import TooManyFailures
from pipelines.ledger import reach
from pipelines.plain_text import show_text
from transforms.interleaved_documents import Document, Losses, RecordBroken, is_reference
from transforms.interleaved_reader import read_interleaved
from transforms.interleaved_schemas import SCHEMAS, Schema
from transforms.loaded import Loaded
from transforms.picture_headers import PictureError, read_header
from transforms.raw_sample import load_failure
from transforms.reading import KINDS, list_units
from transforms.records import Failure, Picture, Piece, Unit
from transforms.shards import ShardInfo, sample_json, sample_members, wids_index
from transforms.staging import stage_unit
from transforms.storage import Storage, StoreUnavailable, join, local_path, storage_for

FORMAT = "beamsift-converted-1"
MAX_RECORD = 64 << 20
"""Bytes of one record's JSON."""
MAX_PICTURE = 64 << 20
"""Bytes of one picture; above it the picture fails, as in a run."""
INPUTS = ("shards", "records")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = sorted(SCHEMAS)
    parser.add_argument("inputs", nargs="+", metavar="IN", help="files, globs, or the folder of a run or conversion")
    parser.add_argument("--from", dest="source", choices=names, required=True, help="the schema of the input")
    parser.add_argument("--to", dest="target", choices=names, required=True, help="the schema of the output")
    parser.add_argument("--output", required=True, help="an empty folder or URI")
    parser.add_argument("--rows-per-file", type=int, default=1000, help="documents of a file (1000)")
    parser.add_argument("--max-failure-rate", type=float, default=0.05, help="of all records; above it, 3 (0.05)")


class _Counts:
    def __init__(self) -> None:
        self.read = self.written = 0
        self.failed: Counter[str] = Counter()
        self.pictures: Counter[str] = Counter()
        self.lost = Losses()

    def json(self) -> dict[str, Any]:
        lost = {name: count for name, count in sorted(self.lost.items()) if count}
        failed, pictures = dict(sorted(self.failed.items())), dict(sorted(self.pictures.items()))
        return {"read": self.read, "written": self.written, "failed": failed, "pictures": pictures, "lost": lost}


def run(args: argparse.Namespace) -> int:
    """Writes the set and prints what became of it. Raises ConfigError, TooManyFailures."""
    if args.rows_per_file < 1:
        raise ConfigError(f"--rows-per-file: expected 1 or more, found {args.rows_per_file}")
    for uri in (*args.inputs, args.output):
        reach(uri)
    check_empty(args.output)
    rules = ReadRules(max_json_bytes=MAX_RECORD)
    units = list_units([path for given in args.inputs for path in expand(given)], rules)
    counts = convert(units, args, rules)
    found = counts.json()
    show_text(f"{found['written']:,} of {found['read']:,} records written to {args.output}")
    for name in ("pictures", "lost", "failed"):
        show_text(f"{name}: " + (", ".join(f"{kind} {count:,}" for kind, count in found[name].items()) or "none"))
    return 0


def check_empty(output: str) -> None:
    """ConfigError where anything lies in the output: nothing is overwritten, nothing mixed into."""
    try:
        storage = storage_for(output)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--output {output!r}: {error}") from error
    for folder in (output, *(join(output, name) for name in ("shards", "records", "pictures"))):
        if files := storage.list(folder):
            raise ConfigError(f"--output: expected an empty folder, found {files[0].uri}")


def expand(given: str) -> list[str]:
    """The files of a folder that a run or a conversion made; anything else as it is."""
    try:
        storage = storage_for(given)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{given}: {error}") from error
    if not storage.exists(join(given, "manifest.json")):
        return [given]
    listed = [file.uri for name in INPUTS for file in storage.list(join(given, name))]
    found = [uri for uri in listed if uri.lower().endswith(tuple(KINDS))]  # beside shards lie indexes of theirs
    if not found:
        raise ConfigError(f"{given}: expected shards or records in the set, found none")
    return found


def convert(units: list[Unit], args: argparse.Namespace, rules: ReadRules) -> _Counts:
    counts, storage = _Counts(), storage_for(args.output)
    target = SCHEMAS[args.target]
    with ExitStack() as stack, TemporaryDirectory(prefix="beamsift-convert-") as staging:
        failed = stack.enter_context(storage.create(join(args.output, "failed.jsonl")))
        sink = _sink(target, Files(args.output, args.rows_per_file, stack))
        for unit in units:
            for row in read_rows(unit, rules, staging, args.source):
                counts.read += 1
                failure = row.sample.failure or _write(row, target, sink, counts)
                if failure is not None:
                    counts.failed[failure.error] += 1
                    line = {"key": row.sample.source_key, **msgspec.structs.asdict(failure)}
                    failed.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        infos = sink.close()
    wrong = sum(counts.failed.values())
    if wrong > args.max_failure_rate * counts.read:
        message = f"{wrong} of {counts.read} records failed, more than {args.max_failure_rate:.2%}"
        raise TooManyFailures(f"{message}: {join(args.output, 'failed.jsonl')} says why; no manifest was written")
    _finish(storage, args, infos, counts)
    return counts


def _sink(target: Schema, files: Files) -> Sink:
    return TarSink(files) if target.form == "tar" else RecordSink(files, COLUMNS.get(target.name))


def _finish(storage: Storage, args: argparse.Namespace, infos: list[ShardInfo], counts: _Counts) -> None:
    manifest = {
        "format": FORMAT,
        "from": args.source,
        "to": args.target,
        "shards": [msgspec.to_builtins(info) for info in infos],
        "counts": counts.json(),
    }
    if SCHEMAS[args.target].form == "tar":
        storage.write(join(args.output, "index.json"), wids_index(infos, args.target))
    storage.write(join(args.output, "manifest.json"), json.dumps(manifest, indent=1).encode() + b"\n")


def read_rows(unit: Unit, rules: ReadRules, staging: str, source: str) -> Iterator[Loaded]:
    """The rows of a unit wherever it lies; one that cannot be read, or read further, ends in a failed row."""
    storage, path, position = storage_for(unit.uri), "", 0
    try:
        path = stage_unit(storage, unit, staging)
        rows = read_interleaved(path, unit, rules, staging, schema=source)
        while (row := next(rows, None)) is not None:
            position = row.sample.position + 1
            yield row
    except StoreUnavailable:
        raise
    except OSError as error:
        message = f"expected a readable {unit.kind}, found {type(error).__name__}: {error}"
        yield load_failure(unit, position, Failure("UnitUnreadable", message, f"{unit.uri}@{unit.start}-{unit.end}"))
    finally:
        if path and path != local_path(unit.uri):
            os.unlink(path)


def _write(row: Loaded, target: Schema, sink: Sink, counts: _Counts) -> Failure | None:
    """Writes one document; the failure where it cannot be one of the target's records."""
    pieces, data = [], []
    for piece, bytes_of in zip(row.sample.pieces, row.data, strict=True):
        looked_at = _look_at(piece, bytes_of)
        pieces.append(looked_at)
        keep = isinstance(looked_at, Picture) and alive(looked_at)
        data.append(bytes(bytes_of) if keep and bytes_of is not None else None)
    sample = replace(row.sample, pieces=tuple(pieces))
    losses = Losses()
    try:
        if target.format is None:
            sink.add(sample_members(sample, data, sample_json(sample), None), [])
        else:
            document = Document(sample.pieces, json.loads(sample.meta) if sample.meta else {})
            record = target.format(document, sample.key, losses)
            shown = [
                Shown(p.format, d) for p, d in zip(pieces, data, strict=True) if isinstance(p, Picture) and alive(p)
            ]
            sink.add(mint_members(sample.key, record, shown) if target.form == "tar" else record, shown)
    except (RecordBroken, PictureError) as error:
        return Failure("RecordBroken", str(error), f"{sample.source}#{sample.source_key}")
    counts.written += 1
    counts.lost.update(losses)
    for piece, bytes_of in zip(pieces, data, strict=True):
        if isinstance(piece, Picture):
            counts.pictures[_kind(piece, bytes_of)] += 1
    return None


def alive(picture: Picture) -> bool:
    return picture.drop is None and picture.failure is None


def _kind(picture: Picture, data: bytes | None) -> str:
    if picture.failure is not None:
        return "failed"
    if picture.drop is not None:
        return "dropped"
    return "reference" if data is None else "with_bytes"


def _look_at(piece: Piece, data: bytes | memoryview | None) -> Piece:
    """A picture with what its own bytes say of it; bytes that are no picture are a failure that stays in its place."""
    if data is None or not isinstance(piece, Picture) or is_reference(piece):
        return piece
    try:
        if len(data) > MAX_PICTURE:
            raise PictureError("PictureTooLarge", f"expected at most {MAX_PICTURE} bytes, found {len(data)}")
        header = read_header(data)
    except PictureError as error:
        return replace(piece, failure=Failure(error.error, str(error), ""))
    sha256 = piece.sha256 or hashlib.sha256(data).digest()
    return replace(piece, format=header.format, width=header.width, height=header.height, sha256=sha256)
