"""Valid inputs to mutate, made on the fly: small, and one for each kind of thing a target knows."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.transforms.drawn import FORMATS, photo, save
from tests.transforms.pools import tar_bytes
from tests.transforms.tar_blocks import header, pax_member, sealed
from transforms.records import Drop, Failure, Picture, Sample, Span, Text, encode_sample

CAPTIONS = [
    "a cat on a mat",
    "一只黑色的狗在草地上奔跑",
    "IMG_2041.JPG http://a.b/c",
    "<script>x</script>",
    "\u202e a\x1b[0m",
    "ha " * 20,
]


def seeds(target: str) -> list[bytes]:
    return _SEEDS[target]()


def _tars() -> list[bytes]:
    meta = json.dumps({"caption": "of the json"}).encode()
    members = {"a.jpg": b"1" * 600, "a.txt": b"a cat", "b/c.0.png": b"2", "b/c.1.png": b"3", "b/c.json": meta}
    tars = [tar_bytes(members, format=kind) for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    long = tar_bytes({"d" * 120 + ".jpg": b"1"}, format=tarfile.GNU_FORMAT)
    pax = pax_member(
        {b"path": b"p.jpg", b"size": b"3"}, bytes(header(size=b"00000000003\0")) + b"abc".ljust(512, b"\0")
    )
    sparse = sealed(header(b"s.jpg", kind=b"S"))
    return [*tars, long, pax, bytes(sparse), pax_member({b"comment": b"x"}, tars[0], kind=b"g")]


def _gzips() -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in _tars()]


def _records() -> list[bytes]:
    picture = Picture(Span("a.tar", 0, 9, "tar", "a.jpg"), "jpeg", 9, 9, bytes(32), bytes(16), {"bytes": 9})
    pieces = (picture, Text("a cat", measures={"words": 2}, drop=Drop("r", 1, 2.5)))
    whole = Sample("a", "a.tar", 0, 1, pieces, "a/b", "{}", {"copies": 1}, Drop("r", 1, 2), Failure("E", "m", "p"))
    return [encode_sample(whole), encode_sample(Sample("a", "b", 0, 0))]


def _jsons() -> list[bytes]:
    values: list[Any] = [{"caption": text} for text in CAPTIONS]
    values += [{"captions": ["x", "y"], "n": [1, 2.5, None, True, {"a": {}}], "big": 10**30}, {"text": "\ud800"}]
    return [*(json.dumps(value).encode() for value in values), b"[" * 200, b'\xef\xbb\xbf{"a": 1e999}']


def _csvs() -> list[bytes]:
    return [
        b'image,caption,key,extra\na.jpg,"a, cat",k1,x\na.jpg,"two\nlines",k2,"""q"""\n',
        b"\xef\xbb\xbfkey,image\r\n1,a.jpg\r\n2,../b.jpg\r\n\r\n3,/etc/passwd\r\n4,\r\n",
    ]


def _jsonls() -> list[bytes]:
    rows = [{"image": "a.jpg", "caption": text, "key": n} for n, text in enumerate(CAPTIONS)]
    rows += [{"image": ["a.jpg", "a.jpg"]}, {"image": "../a.jpg"}, {"image": 3}]
    return [b"".join(json.dumps(row).encode() + b"\n" for row in rows), b'{"image": "a.jpg"}\r\n\n  \n{']


def _parquets() -> list[bytes]:
    pictures = pa.array([b"1", b"22", None], pa.binary())
    nested = pa.StructArray.from_arrays([pictures, pa.array(["a.jpg", None, "b.jpg"])], names=["bytes", "path"])
    lists = pa.array([["x", "y"], None, []], pa.list_(pa.string()))
    plain = pa.table({"image": pictures, "caption": ["a cat", None, "b"], "key": [1, 2, 3], "w": [0.5, None, 2.0]})
    tables = [plain, pa.table({"image": nested, "captions": lists, "when": pa.array([1, 2, 3], pa.date32())})]
    return [_parquet(table, kind) for table in tables for kind in ("NONE", "SNAPPY", "ZSTD")]


def _parquet(table: pa.Table, compression: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression=compression, row_group_size=2, store_schema=False)
    return out.getvalue()


def _pictures() -> list[bytes]:
    small = Image.fromarray(photo(12, 16))
    files = [
        save(small.convert(mode), FORMATS[name])
        for name in FORMATS
        for mode in ("RGB", "L", "P", "1")
        if _fits(name, mode)
    ]
    files += [save(small.convert("RGBA"), kind) for kind in ("PNG", "WEBP", "TIFF", "GIF")]
    files += [
        save(small, "JPEG", progressive=True),
        save(small.convert("CMYK"), "JPEG"),
        save(small, "WEBP", lossless=True),
    ]
    files += [save(small, "TIFF", compression=kind) for kind in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")]
    moving = {"save_all": True, "append_images": [Image.fromarray(photo(12, 16) // 2)]}
    return [*files, *(save(small, kind, **moving) for kind in ("GIF", "WEBP", "PNG", "TIFF"))]


def _fits(name: str, mode: str) -> bool:
    return name != "jpeg" or mode in ("RGB", "L")


def _captions() -> list[bytes]:
    return [text.encode() for text in CAPTIONS]


_SEEDS = {
    "tar": _tars,
    "gzip": _gzips,
    "csv": _csvs,
    "jsonl": _jsonls,
    "parquet": _parquets,
    "record": _records,
    "json": _jsons,
    "caption": _captions,
    "picture": _pictures,
}
