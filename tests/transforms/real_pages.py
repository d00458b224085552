"""The 73 real pages of ../shared/data/web, from their archive by its headers alone."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

DATA = Path(__file__).parents[3] / "shared" / "data" / "web"


@cache
def real_pages() -> dict[str, str]:
    """HTML by URL; all of them are UTF-8."""
    lines = (DATA / "pages.jsonl").read_text(encoding="utf-8").splitlines()
    urls, pages = {json.loads(line)["url"] for line in lines}, {}
    data, start = gzip.decompress((DATA / "pages.warc.gz").read_bytes()), 0
    while start < len(data):
        behind = data.index(b"\r\n\r\n", start) + 4
        head = dict(line.split(": ", 1) for line in data[start:behind].decode().splitlines()[1:] if line)
        body = data[behind : behind + int(head["Content-Length"])]
        if head.get("WARC-Target-URI") in urls:
            pages[head["WARC-Target-URI"]] = body.partition(b"\r\n\r\n")[2].decode("utf-8")
        start = behind + len(body) + 4
    return pages
