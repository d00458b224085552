"""A server that speaks the OpenAI protocol in front of a stand-in model, and misbehaves by rule.

The stand-in names the picture's size and mean colour and repeats the prompt's first caption, so an answer shows that
picture and text arrived. How a request is treated is said by a word in its caption: `slow`, `hang`, `busy2` (429 twice,
then well), `busy` (429 always), `error1`, `error`, `cut1`, `cut`, `half`, `malformed`, `malformed1`, `surrogate`,
`nochoice`, `toolong`, `refused`, `quotekey`, `filtered`, `length`, `thinking`.
"""

import base64
import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

MODEL = "stand-in"


class Served:
    """What the server saw."""

    def __init__(self, seconds: float, key: str, write: Callable[[dict], str]) -> None:
        self.seconds, self.key, self.url, self.write = seconds, key, "", write
        self.dies_after = 10**9
        self.requests: Counter[str] = Counter()
        self.bodies: list[dict] = []
        self.times: list[tuple[str, float]] = []
        self.now = self.most = self.answers = 0
        self.lock = threading.Lock()
        self.ending = threading.Event()

    @contextmanager
    def counted(self, caption: str):
        with self.lock:
            self.requests[caption] += 1
            self.times.append((caption, time.monotonic()))
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield self.requests[caption]
        finally:
            with self.lock:
                self.now -= 1


def write_caption(body: dict) -> str:
    """What the stand-in model writes: a function of the picture and the prompt."""
    picture, text = body["messages"][0]["content"]
    data = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        mean = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        size = image.size
    return f"{first_caption(text['text'])} A picture of {size[0]} by {size[1]} in colour {mean}."


def first_caption(prompt: str) -> str:
    return next((line[2:] for line in prompt.splitlines() if line.startswith("- ")), "")


def completion(text: object, finish: str = "stop") -> bytes:
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return json.dumps({"id": "1", "model": MODEL, "choices": [choice], "usage": usage}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    served: Served

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.served.key and self.headers.get("Authorization") != f"Bearer {self.served.key}":
            return self.reply(401, b'{"error": {"message": "wrong key"}}')
        self.reply(200, json.dumps({"data": [{"id": MODEL}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        caption = first_caption(body["messages"][0]["content"][1]["text"])
        with self.served.counted(caption) as number:
            self.served.bodies.append(body)
            time.sleep(self.served.seconds)
            word = re.match(r"[a-z]*", caption).group()
            times = int(re.match(r"[a-z]*(\d*)", caption).group(1) or 10**9)
            if self.served.answers >= self.served.dies_after:
                return self.reply(503, b"the model is gone")
            treat = getattr(self, f"do_{word}", None)
            if treat is None or number > times:
                self.served.answers += 1
                return self.reply(200, completion(self.served.write(body)))
            treat(body)

    def do_slow(self, body: dict) -> None:
        time.sleep(0.15)
        self.reply(200, completion(self.served.write(body)))

    def do_hang(self, body: dict) -> None:
        self.served.ending.wait(20)
        self.close_connection = True

    def do_busy(self, body: dict) -> None:
        self.reply(429, b'{"error": {"message": "too many requests"}}', {"Retry-After": "0.2"})

    def do_error(self, body: dict) -> None:
        self.reply(500, b"<html>out of memory</html>")

    def do_cut(self, body: dict) -> None:
        self.close_connection = True

    def do_half(self, body: dict) -> None:
        data = completion(self.served.write(body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True

    def do_malformed(self, body: dict) -> None:
        self.reply(200, completion(self.served.write(body))[:-9])

    def do_surrogate(self, body: dict) -> None:
        self.reply(200, completion("half a pair: \ud83d"))

    def do_nochoice(self, body: dict) -> None:
        self.reply(200, b'{"choices": []}')

    def do_toolong(self, body: dict) -> None:
        self.reply(200, completion("x" * 100_000))

    def do_refused(self, body: dict) -> None:
        self.reply(400, b'{"error": {"message": "picture has too many tokens"}}')

    def do_quotekey(self, body: dict) -> None:
        self.reply(400, json.dumps({"error": {"message": f"bad request by {self.headers['Authorization']}"}}).encode())

    def do_filtered(self, body: dict) -> None:
        self.reply(200, completion("", "content_filter"))

    def do_length(self, body: dict) -> None:
        self.reply(200, completion("A man in a", "length"))

    def do_thinking(self, body: dict) -> None:
        self.reply(200, completion("<think>Is it?</think><answer>A red door.</answer>"))

    def reply(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def serving(*, seconds: float = 0.0, key: str = "", write: Callable[[dict], str] = write_caption, port: int = 0):
    """A server on this machine, on a free port where none is given; `seconds` is what each answer takes at least."""
    served = Served(seconds, key, write)
    server = Server(("127.0.0.1", port), type("Bound", (Handler,), {"served": served}))
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
