"""What a fuzzer runs: each target takes any bytes, and fails where they break what beamsift promises.

The promise: every row is accounted for, bad bytes end in a declared class with a place, and nothing else is raised.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from configs.schema.caption import LanguageRules, ReadRules
from pipelines.plain_text import plain
from pipelines.report_pages.markup import esc, foreign
from transforms.caption_quality import measure_captions
from transforms.folder_reader import is_csv, split_index
from transforms.guarded_decoding import DecodeLimits
from transforms.loaded import Loaded
from transforms.parquet_reader import Broken, row_groups
from transforms.pictures import PictureError, decode, read_header
from transforms.raw_sample import RawSample, add_caption_fields, add_captions, load_sample, parse_caption, parse_meta
from transforms.reading import Kind, read_unit
from transforms.records import Failure, Sample, Unit, decode_sample, encode_sample
from transforms.tar_index import index_headers

RULES = ReadRules(max_picture_bytes=1 << 20, max_json_bytes=1 << 16, max_caption_bytes=1 << 12, rows_per_chunk=3)
LIMITS = DecodeLimits(seconds=5, bytes=1 << 29)
MAX_PIXELS = 1_000_000

OF_TEXT = {"CaptionNotUtf8", "CaptionSurrogate", "CaptionTooLarge", "JsonBroken", "JsonTooLarge"}
OF_TAR = {"TarLink", "TarDevice", "TarTruncated", "TarBroken", "UnitEmpty", "PictureMissing", "PictureTooLarge"}
OF_INDEX = {"IndexBroken", "UnitEmpty", "FileMissing", "PictureMissing", "PictureTooLarge"}
OF_PARQUET = {"ParquetBroken", "UnitEmpty", "FileMissing", "PictureMissing", "PictureTooLarge"}
OF_PICTURE = {"PictureEmpty", "PictureUndecodable", "PictureTruncated", "PictureTooLarge"}
OF_GUARDED = OF_PICTURE | {"PictureTimeout", "PictureMemory", "PictureCrashed"}


def fuzz_tar(data: bytes) -> None:
    index = index_headers(data)
    assert all(0 <= member.start <= member.start + member.size <= len(data) for member in index.members)
    _check_file(data, "pool.tar", "tar", OF_TAR | OF_TEXT)


def fuzz_gzip(data: bytes) -> None:
    """Bytes as a gzip, and as what a whole gzip unpacks to."""
    for zipped in (b"\x1f\x8b" + data[2:], gzip.compress(data, 1)):
        _check_file(zipped, "pool.tar.gz", "tar", OF_TAR | OF_TEXT)


def fuzz_csv(data: bytes) -> None:
    _check_file(data, "pool.csv", "folder", OF_INDEX | OF_TEXT)


def fuzz_jsonl(data: bytes) -> None:
    _check_file(data, "pool.jsonl", "folder", OF_INDEX | OF_TEXT)


def fuzz_parquet(data: bytes) -> None:
    _check_file(data, "pool.parquet", "parquet", OF_PARQUET | OF_TEXT)


def fuzz_record(data: bytes) -> None:
    try:
        sample = decode_sample(data)
    except msgspec.DecodeError:
        return
    assert encode_sample(decode_sample(encode_sample(sample))) == encode_sample(sample)


def fuzz_json(data: bytes) -> None:
    parsed = parse_meta(data, "pool#a.json", RULES)
    if isinstance(parsed, Failure):
        _check_failure(parsed, OF_TEXT)
        return
    raw = RawSample(_unit("pool.tar", "tar"), 0, "a")
    add_caption_fields(raw, parsed[1], "pool#a.json", RULES)
    raw.meta = parsed[0]
    _check_row(load_sample(raw), 0, OF_TEXT)


def fuzz_caption(data: bytes) -> None:
    caption = parse_caption(data, "pool#a.txt", RULES)
    if isinstance(caption, Failure):
        _check_failure(caption, OF_TEXT)
        return
    raw = RawSample(_unit("pool.tar", "tar"), 0, caption)
    add_captions(raw, [caption], "pool#a.txt", RULES)
    _check_row(load_sample(raw), 0, OF_TEXT)
    (measured,) = measure_captions([load_sample(raw)], LanguageRules())
    _check_row(measured, 0, OF_TEXT)
    page = esc(caption) + foreign(caption)
    assert not set('<"') & set(page.replace('<bdi dir="auto">', "").replace("</bdi>", ""))
    assert not any(ord(c) < 32 and c != "\n" for c in page + plain(caption))
    (page + plain(caption)).encode()


def fuzz_picture(data: bytes) -> None:
    try:
        header = read_header(data)
    except PictureError as error:
        assert error.error in OF_PICTURE, error
        return
    try:
        pixels = decode(data, MAX_PIXELS, LIMITS)
    except PictureError as error:
        assert error.error in OF_GUARDED, error
        return
    assert pixels.dtype == np.uint8 and pixels.shape[2] in (3, 4)
    assert pixels.shape[:2] == (header.height, header.width), (pixels.shape, header)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "tar": fuzz_tar,
    "gzip": fuzz_gzip,
    "csv": fuzz_csv,
    "jsonl": fuzz_jsonl,
    "parquet": fuzz_parquet,
    "record": fuzz_record,
    "json": fuzz_json,
    "caption": fuzz_caption,
    "picture": fuzz_picture,
}


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """One for a process; with a picture that an index may name."""
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    Path(folder.name, "a.jpg").write_bytes(b"AA")
    return folder


def _check_file(data: bytes, name: str, kind: Kind, declared: set[str]) -> None:
    path = os.path.join(_folder().name, name)
    Path(path).write_bytes(data)
    for unit in _units(path, kind):
        for position, row in enumerate(read_unit(path, unit, RULES, _folder().name)):
            _check_row(row, position, declared)


def _units(path: str, kind: Kind) -> list[Unit]:
    whole = _unit(path, kind)
    if kind == "tar":
        return [whole]
    if kind == "folder":
        parts = split_index(path, RULES.rows_per_chunk)
        assert not is_csv(path) or parts == sorted(parts)
    else:
        try:
            parts = row_groups(path)
        except Broken:
            parts = []
    return [msgspec.structs.replace(whole, part=n, start=a, end=b) for n, (a, b) in enumerate(parts or [(0, 0)])]


def _unit(path: str, kind: Kind) -> Unit:
    return Unit(0, path, kind, size=os.path.getsize(path) if os.path.exists(path) else 0)


def _check_row(row: Loaded, position: int, declared: set[str]) -> None:
    sample: Sample = row.sample
    assert sample.position == position, (sample.position, position)
    assert len(row.data) == len(row.pixels) == len(sample.pieces)
    assert sample.key and all(c.isascii() and (c.isalnum() or c in "_-") for c in sample.key), sample.key
    assert decode_sample(encode_sample(sample)) == sample
    if sample.failure is not None:
        _check_failure(sample.failure, declared)


def _check_failure(failure: Failure, declared: set[str]) -> None:
    assert failure.error in declared, failure
    assert failure.place and failure.message.startswith("expected "), failure
