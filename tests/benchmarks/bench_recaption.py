"""Recaptioning without a model: the client's requests a second against bare threads, and what the guard costs.

The server is the tests' stand-in, 50 ms an answer, in a process of its own.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import local

import numpy as np

from configs.schema.recaption import CaptionerRules
from recaption.captioner import Answer, Request
from recaption.fact_guard import measure_recaption
from recaption.openai_server import ServerCaptioner, chat_body

CAPTIONS = Path("../shared/data/captions_text/captions.jsonl.gz")
REQUESTS, CONCURRENCY, SECONDS = 2_000, 32, 0.05
_SERVE = """
import sys, time
from tests.recaption.server import serving
with serving(seconds=float(sys.argv[1]), write=lambda body: "A red door.") as served:
    print(served.url, flush=True)
    sys.stdin.read()
"""


def bench(folder: Path) -> list[tuple[str, str]]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        os.environ.pop(name, None)
    return [_client(), *_guard()]


def _client() -> tuple[str, str]:
    with _server() as url:
        rules = CaptionerRules.model_validate(
            {"model": "stand-in", "max_side": 256, "server": {"url": url, "concurrency": CONCURRENCY}}
        )
        asked = [Request(str(n), np.full((256, 256, 3), n % 200, np.uint8), ("A door.",)) for n in range(REQUESTS)]
        captioner = ServerCaptioner(rules)
        captioner.load()
        wall, cpu = time.perf_counter(), time.process_time()
        replies = captioner.predict(asked)
        ours, used = REQUESTS / (time.perf_counter() - wall), time.process_time() - cpu
        assert all(isinstance(reply, Answer) for reply in replies)
        captioner.close()
        bare = _bare_threads(url, [chat_body(request, rules) for request in asked])
    return (
        f"i. recaption client, {CONCURRENCY} concurrent, a server of 50 ms",
        f"{ours:,.0f} answers/s, {1000 * used / REQUESTS:.2f} ms of CPU each with JPEG and JSON; "
        f"bare threads with bodies at hand {bare:,.0f}/s (ratio {ours / bare:.2f}); bound {CONCURRENCY / SECONDS:,.0f}",
    )


def _bare_threads(url: str, bodies: list[bytes]) -> float:
    """http.client, a connection a thread, no retry, nothing parsed."""
    host, own = url.removeprefix("http://").removesuffix("/v1"), local()

    def ask(body: bytes) -> int:
        if not hasattr(own, "line"):
            own.line = http.client.HTTPConnection(host)
        own.line.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        return len(own.line.getresponse().read())

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        started = time.perf_counter()
        list(pool.map(ask, bodies))
        return len(bodies) / (time.perf_counter() - started)


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-c", _SERVE, str(SECONDS)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _guard() -> list[tuple[str, str]]:
    if not CAPTIONS.exists():
        return [("i. fact guard", f"{CAPTIONS} is not here")]
    with gzip.open(CAPTIONS, "rt", encoding="utf-8") as file:
        captions = [json.loads(line)["caption"] for line in file]
    short = [text for text in captions if len(text) < 200][:2_000]
    long = [text for text in captions if len(text) > 600][:500]
    return [_measured(name, texts) for name, texts in (("short", short), ("long", long)) if texts]


def _measured(name: str, texts: list[str]) -> tuple[str, str]:
    started = time.process_time()
    for text in texts:
        measure_recaption(Answer(text), [text])
    took = time.process_time() - started
    size = sum(map(len, texts)) / len(texts)
    return (
        f"i. fact guard, {len(texts):,} {name} captions of {size:,.0f} characters against themselves",
        f"{len(texts) / took:,.0f} captions/s a core",
    )
