"""Law 7 from end to end: whatever a sample is, it costs one row, and the rows beside it go out."""

import json
import struct
import tarfile
import zlib

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("apache_beam")

from configs.schema.caption import CaptionConfig, RelevanceRules
from pipelines.run import Request, list_inputs, make_site, run_pipeline
from tests.transforms.pools import tar_bytes

pytestmark = pytest.mark.beam

CONFIG = CaptionConfig(relevance=RelevanceRules(enabled=False))
CAPTION = b"a red bus on a road in town"
LONG = "folder-of-a-crawl/" * 6


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG whose header claims this size, whatever `pixels` holds."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels, 1)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def noise(seed: int) -> bytes:
    rows = np.random.default_rng(seed).integers(0, 256, (220, 1 + 3 * 230), dtype=np.uint8)
    rows[:, 0] = 0  # each row's filter
    return png(230, 220, rows.tobytes())


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)
    return b"BM" + head


BAD = {
    "long path": ([(f"{LONG}1.png", noise(1)), (f"{LONG}1.txt", CAPTION)], "kept"),
    "twice the same long path": ([(f"{LONG}1.png", noise(12)), (f"{LONG}1.txt", CAPTION)] * 2, "kept"),
    "PNG that claims 2^32 - 1 squared": ([("1.png", png(2**32 - 1, 2**32 - 1)), ("1.txt", CAPTION)], "failed"),
    "BMP that claims 2^31 - 1 squared": ([("1.bmp", bmp(2**31 - 1, 2**31 - 1)), ("1.txt", CAPTION)], "dropped"),
    "PNG without its pixels": ([("1.png", noise(2)[:90]), ("1.txt", CAPTION)], "failed"),
    "empty picture": ([("1.png", b""), ("1.txt", CAPTION)], "failed"),
    "NUL in the caption": ([("1.png", noise(3)), ("1.txt", b"a red\0bus on a road")], "dropped"),
    "line separators": ([("1.png", noise(4)), ("1.txt", "a red\u2028 bus\x85 on \ufeff a road".encode())], "kept"),
    "caption not UTF-8": ([("1.png", noise(5)), ("1.txt", b"a red bus \xff on a road")], "failed"),
    "deep JSON": ([("1.png", noise(6)), ("1.json", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")], "failed"),
    "JSON that names our fields": (
        [
            ("1.png", noise(7)),
            ("1.json", json.dumps({"key": None, "beamsift": 3, "caption": CAPTION.decode()}).encode()),
        ],
        "kept",
    ),
    "huge numbers": ([("1.png", noise(8)), ("1.txt", CAPTION), ("1.json", b'{"a": 1' + b"0" * 300 + b"}")], "kept"),
    "nothing but a caption": ([("1.txt", CAPTION)], "failed"),
}


@pytest.mark.parametrize(("members", "fate"), BAD.values(), ids=BAD)
def test_a_bad_sample_costs_one_row(tmp_path, members, fate):
    good = [("0.png", noise(0)), ("0.txt", CAPTION)]
    (tmp_path / "pool.tar").write_bytes(tar_bytes([*good, *members], format=tarfile.PAX_FORMAT))
    request = Request(CONFIG, [f"{tmp_path}/pool.tar"], f"{tmp_path}/out")
    outcome = run_pipeline(list_inputs(request), request, make_site(request.output, CONFIG))
    fates = pq.read_table(f"{tmp_path}/out/ledger/000000.parquet").column("fate").to_pylist()
    assert fates[:2] == ["kept", fate]
    assert [shard.info.samples for shard in outcome.shards] == [fates.count("kept")]
