"""A proxy before an object store that fails on purpose and logs every request: what a network does, on the loopback.

`python -m tests.stores.faulty_proxy --target http://127.0.0.1:5000 --fault 503,method=GET,first=2 --log x.jsonl`
prints its address on the first line and serves until it is ended. The rules are parsed in tests/stores/faults.py.
Left out on purpose: TLS, and signatures (the Host header goes through as it came, so a server that checks them can).
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from tests.stores.faults import Fault, Faults, parse_fault

CHUNK = 64 << 10
SECONDS_TO_FINISH = 10
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


class Served(NamedTuple):
    """One request: `sent` bytes went to the server, `body` bytes of its answer to the client."""

    at: float
    method: str
    key: str
    """bucket/key, unquoted."""
    query: str
    range: str
    """`bytes=0-9`, empty where the whole was asked for."""
    status: int
    """0 where the connection ended without an answer."""
    sent: int
    body: int
    fault: str


class FaultyProxy:
    """Serves on a free port (or `port`) while the block lasts. `faults` may be changed at any time."""

    def __init__(self, target: str, *faults: str, port: int = 0, log: Path | None = None) -> None:
        self.target = urlsplit(target).netloc
        self.served: list[Served] = []
        self._log = log
        self._idle = threading.Condition()
        self._serving = 0
        self.set_faults(*faults)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.proxy = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def request_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """What the store is sent; another dialect of its language changes them (tests/stores/gcs.py)."""
        return headers

    def answer_headers(self, headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
        return headers

    def set_faults(self, *faults: str) -> None:
        self.faults = Faults([parse_fault(text) for text in faults])

    def take_log(self) -> list[Served]:
        """What was served since the last call, with the requests that are being served now."""
        with self._idle:
            self._idle.wait_for(lambda: not self._serving, timeout=SECONDS_TO_FINISH)
            served, self.served = self.served, []
        return served

    def begin(self) -> None:
        with self._idle:
            self._serving += 1

    def note(self, served: Served) -> None:
        with self._idle:
            self._serving -= 1
            self._idle.notify_all()
            self.served.append(served)
            if self._log is not None:
                with self._log.open("a") as file:
                    file.write(json.dumps(served._asdict()) + "\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: FaultyProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our business; anything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        proxy = self.server.proxy
        path, _, query = self.path.partition("?")
        self._key, self._query, self._sent, self._body, self._status = unquote(path).lstrip("/"), query, 0, 0, 0
        proxy.begin()
        fault = proxy.faults.strike(self.command, self._key)
        try:
            self._answer(fault)
        finally:
            asked = (time.time(), self.command, self._key, self._query, self.headers.get("Range", ""))
            proxy.note(Served(*asked, self._status, self._sent, self._body, fault.name if fault else ""))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = _serve

    def _answer(self, fault: Fault | None) -> None:
        if fault and fault.kind == "cut" and self.command in ("PUT", "POST"):
            self.rfile.read(min(fault.bytes, int(self.headers.get("Content-Length") or 0)))
            self._break_off()
            return
        data = self._request_body()
        if fault and fault.kind == "wait":
            time.sleep(fault.seconds)
        if fault and fault.kind == "status":
            self._refuse(fault.status)
            return
        connection = HTTPConnection(self.server.proxy.target, timeout=120)
        try:
            self._forward(connection, data, fault)
        finally:
            connection.close()

    def _forward(self, connection: HTTPConnection, data: bytes, fault: Fault | None) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP | {"content-length"}}
        headers = self.server.proxy.request_headers(headers)
        length = {"Content-Length": str(len(data))} if data or self.command in ("PUT", "POST") else {}
        self._sent = len(data)
        try:
            connection.request(self.command, self.path, data or None, {**headers, **length})
            answer = connection.getresponse()
        except (OSError, HTTPException):  # the store itself is gone: so is its connection
            self._break_off()
            return
        if fault and fault.kind == "lose":
            answer.read()
            self._break_off()
            return
        self._relay(answer, fault.bytes if fault and fault.kind == "cut" else None)

    def _relay(self, answer: HTTPResponse, cut_after: int | None) -> None:
        left = int(answer.headers.get("Content-Length") or 0)
        chunked = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
        whole = answer.read() if chunked and self.command != "HEAD" else None
        self._status = answer.status
        self.send_response_only(answer.status, answer.reason)
        for name, value in self.server.proxy.answer_headers(answer.headers.items()):
            if name.lower() not in HOP_BY_HOP | ({"content-length"} if whole is not None else set()):
                self.send_header(name, value)
        if whole is not None:
            self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        left = 0 if self.command == "HEAD" else left if whole is None else len(whole)
        while left:
            part = answer.read(min(CHUNK, left)) if whole is None else whole
            if cut_after is not None and self._body + len(part) > cut_after:
                self._write(part[: cut_after - self._body])
                self._break_off()
                return
            self._write(part)
            left -= len(part)

    def _write(self, part: bytes) -> None:
        self.wfile.write(part)
        self._body += len(part)

    def _refuse(self, status: int) -> None:
        code = {503: "SlowDown", 429: "TooManyRequests", 403: "AccessDenied", 404: "NoSuchKey"}.get(status, "Fault")
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
        self._status = status
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self._write(body)

    def _request_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _break_off(self) -> None:
        """Ends the connection as a dying router does: with a reset."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="A proxy that fails on purpose.")
    parser.add_argument("--target", required=True, help="the store's own endpoint, http://host:port")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], help="see tests/stores/faults.py")
    parser.add_argument("--log", type=Path, help="one JSON line a request")
    args = parser.parse_args()
    with FaultyProxy(args.target, *args.fault, port=args.port, log=args.log) as proxy:
        print(proxy.endpoint, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
