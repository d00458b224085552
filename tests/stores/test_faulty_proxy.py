"""The proxy that fails on purpose: each fault does what its rule says, on the requests it names, and all is logged."""

import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.stores.faults import Fault, Faults, parse_fault
from tests.stores.faulty_proxy import FaultyProxy

ROOT = Path(__file__).resolve().parents[2]
BODY = bytes(range(256)) * 400


class _Store(BaseHTTPRequestHandler):
    """Gives BODY, and says how much it was given."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(BODY)

    def do_PUT(self) -> None:
        self.server.puts += 1  # type: ignore[attr-defined]
        self._send(str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def store() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Store)
    server.puts = 0  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def proxy(store: ThreadingHTTPServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(f"http://127.0.0.1:{store.server_address[1]}") as proxy:
        yield proxy


def ask(proxy: FaultyProxy, key: str, data: bytes | None = None) -> bytes:
    method = "GET" if data is None else "PUT"
    with urllib.request.urlopen(urllib.request.Request(f"{proxy.endpoint}/{key}", data, method=method)) as answer:
        return answer.read()


def test_without_faults_everything_goes_through_and_is_logged(proxy: FaultyProxy) -> None:
    proxy.set_faults()
    proxy.take_log()
    assert ask(proxy, "b/a%20key?x=1") == BODY
    assert ask(proxy, "b/k", b"12345") == b"5"
    log = [(s.method, s.key, s.query, s.status, s.sent, s.body, s.fault) for s in proxy.take_log()]
    assert log == [("GET", "b/a key", "x=1", 200, 0, len(BODY), ""), ("PUT", "b/k", "", 200, 5, 1, "")]


@pytest.mark.parametrize("status", [500, 503, 403])
def test_a_status(proxy: FaultyProxy, status: int) -> None:
    proxy.set_faults(f"{status},first=1")
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(proxy, "b/k")
    assert error.value.code == status
    error.value.close()
    assert ask(proxy, "b/k") == BODY


def test_a_cut_answer_ends_after_its_bytes(proxy: FaultyProxy) -> None:
    proxy.set_faults("cut:1000,method=GET,first=1")
    proxy.take_log()
    with pytest.raises((ConnectionError, http.client.IncompleteRead)):
        ask(proxy, "b/k")
    assert [(s.status, s.body) for s in proxy.take_log()] == [(200, 1000)]


def test_a_cut_upload_never_reaches_the_store(proxy: FaultyProxy, store: ThreadingHTTPServer) -> None:
    proxy.set_faults("cut:10,method=PUT,first=1")
    before = store.puts  # type: ignore[attr-defined]
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        ask(proxy, "b/k", b"x" * 100)
    assert store.puts == before  # type: ignore[attr-defined]


def test_a_lost_answer_was_carried_out(proxy: FaultyProxy, store: ThreadingHTTPServer) -> None:
    proxy.set_faults("lose,method=PUT,first=1")
    before = store.puts  # type: ignore[attr-defined]
    with pytest.raises((urllib.error.URLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(proxy, "b/k", b"x" * 100)
    assert store.puts == before + 1  # type: ignore[attr-defined]


def test_a_wait_comes_before_the_answer(proxy: FaultyProxy) -> None:
    proxy.set_faults("wait:0.3,first=1")
    began = time.monotonic()
    assert ask(proxy, "b/k") == BODY
    assert time.monotonic() - began >= 0.3


def test_which_requests_are_struck() -> None:
    def struck(rule: str, *asked: tuple[str, str]) -> list[bool]:
        faults = Faults([parse_fault(rule)])
        return [faults.strike(*one) is not None for one in asked]

    get, put = ("GET", "b/a.tar"), ("PUT", "b/a.tar")
    assert struck("500", get, put) == [True, True]
    assert struck("500,method=GET", get, put) == [True, False]
    assert struck("500,method=GET+PUT", get, put) == [True, True]
    assert struck("500,key=*.arrow", get) == [False]
    assert struck("500,key=b/*", get) == [True]
    assert struck("500,first=1", get, put, get, ("GET", "b/c")) == [True, True, False, True]
    assert struck("500,every=3", get, get, get, get, get, get) == [False, False, True, False, False, True]


def test_faults_are_parsed() -> None:
    assert parse_fault("cut:10,method=GET,key=a*,first=2") == Fault(
        "cut:10,method=GET,key=a*,first=2", "cut", bytes=10, methods=("GET",), key="a*", first=2
    )


@pytest.mark.parametrize("text", ["teapot", "500,often=2", "cut:ten"])
def test_what_is_not_understood_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="teapot|often|ten"):
        parse_fault(text)


def test_it_runs_as_a_command(store: ThreadingHTTPServer, tmp_path: Path) -> None:
    target = f"http://127.0.0.1:{store.server_address[1]}"
    command = [sys.executable, "-m", "tests.stores.faulty_proxy", "--target", target, "--fault", "500,key=b/bad"]
    process = subprocess.Popen([*command, "--log", tmp_path / "log"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with process.stdout:
            endpoint = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{endpoint}/b/good") as answer:
            assert answer.read() == BODY
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{endpoint}/b/bad")
        error.value.close()
        until = time.monotonic() + 10
        (tmp_path / "log").touch()
        while (tmp_path / "log").read_text().count("\n") < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert [json.loads(line)["status"] for line in (tmp_path / "log").read_text().splitlines()] == [200, 500]
    finally:
        process.kill()
        process.wait()
