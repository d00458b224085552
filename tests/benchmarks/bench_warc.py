"""Reading a web archive against warcio alone and against unpacking its gzip members alone, in one process.

Of 1,200 made pages with their requests, and of ../shared/data/web where it is present: what is counted is the CPU of
one pass over the bytes. warcio hands out records, ours also says what each is, decodes and hashes it. FastWARC stands
beside them, because it is the fastest, and was not taken: it does not go on behind damage.
"""

from __future__ import annotations

import gzip
import random
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from configs.schema.web_reading import WebReadRules
from tests.transforms.archives import record
from transforms.warc_reader import read_warc

DATA = Path(__file__).parents[3] / "shared" / "data"
PAGES, ROUNDS = 1_200, 5
WORDS = [random.Random(0).randbytes(n % 7 + 2).hex() for n in range(4_000)]


def bench(folder: Path) -> Iterator[tuple[str, str]]:
    path = folder / "pages.warc.gz"
    if not path.exists():
        path.write_bytes(b"".join(gzip.compress(one, 6, mtime=0) for one in made_records()))
    for name, file in (("made", path), ("real", DATA / "web" / "pages.warc.gz")):
        if file.exists():
            yield f"warc {name}", _figures(file)


def made_records() -> Iterator[bytes]:
    """As Common Crawl writes them: a request, a response and metadata for each page of some 40 kB."""
    for number in range(PAGES):
        chosen = random.Random(number)
        text = "".join(f"<p class=text>{' '.join(chosen.choices(WORDS, k=60))}</p>\n" for _ in range(70))
        url = f"http://e.example/{number}"
        yield record(url, b"GET / HTTP/1.1\r\n\r\n", type="request", http="")
        yield record(url, f"<!doctype html><title>{number}</title>{text}".encode(), media="text/html; charset=UTF-8")
        yield record(url, b"fetchTimeMs: 1\r\n", type="metadata", http="")


def _figures(path: Path) -> str:
    sides: dict[str, Callable[[Path], int]] = {
        "ours": _ours,
        "warcio": _warcio,
        "fastwarc": _fastwarc,
        "inflate": _inflate,
    }
    best = dict.fromkeys(sides, float("inf"))
    records = 0
    for _ in range(ROUNDS):
        for name, side in sides.items():
            started = time.process_time()
            found = side(path)
            best[name] = min(best[name], time.process_time() - started)
            records = max(records, found)
    rates = ", ".join(f"{name} {records / seconds:,.0f}" for name, seconds in best.items())
    ratios = ", ".join(f"{best[name] / best['ours']:.2f} of {name}" for name in best if name != "ours")
    return f"records/s {rates}; speed {ratios}; {path.stat().st_size / best['ours'] / 1e6:.0f} MB/s packed"


def _ours(path: Path) -> int:
    return sum(1 for _ in read_warc(str(path), str(path), WebReadRules()))


def _warcio(path: Path) -> int:
    from warcio.archiveiterator import ArchiveIterator

    with open(path, "rb") as file:
        return sum(1 for one in ArchiveIterator(file) if one.content_stream().read() is not None)


def _fastwarc(path: Path) -> int:
    from fastwarc.warc import ArchiveIterator

    with open(path, "rb") as file:
        return sum(1 for one in ArchiveIterator(file) if one.reader.read() is not None)


def _inflate(path: Path) -> int:
    data, place, members = path.read_bytes(), 0, 0
    while place < len(data):
        inflate = zlib.decompressobj(31)
        while not inflate.eof:
            piece = data[place : place + 65_536]
            inflate.decompress(piece)
            place += len(piece) - len(inflate.unused_data)
        members += 1
    return members
