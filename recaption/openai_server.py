"""Captioner behind an OpenAI-compatible server (vLLM, SGLang, a paid one): chat completions with the picture inline.

One pool of threads a process carries the requests of all who call `predict`, so `concurrency` holds for the process.
Threads, because httpx's synchronous client carried 2.5 times the requests of its asynchronous one (300 rows, 2 cores).
 Replies come back in the order of the requests, whatever order the server answered in. A waiting attempt keeps
its place: a server that says 429 is asked less, not more.
Left out on purpose: streaming (a caption is short, and a cut stream is only half a caption); batch endpoints; a count
of what a run may spend, which is `plan`'s to say before it starts.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from msgspec.structs import replace

from classifiers.errors import ModelError
from configs.schema.recaption import CaptionerRules
from recaption.captioner import (
    UNANSWERED,
    CaptionerDown,
    Refusal,
    Reply,
    Request,
    answer_fingerprint,
    encode_picture,
    is_answered,
)
from recaption.chat_replies import explain_status, parse_chat_reply, parse_retry_after
from recaption.prompting import choose_prompt, load_prompts

PASSING = {408, 425, 429}
"""Besides 5xx: a time-out, and requests that came too early or too often."""
USERS_TO_MEND = {401: "a valid key", 404: "the model and the address"}
Parser = Callable[[bytes], Any]
NO_CLIENT = "recaption: expected httpx, found none; pip install 'beamsift[recaption]' or --set recaption.enabled=false"


@dataclass
class ServerCaptioner:
    """`load()` once per process, then `predict`. A pickled one travels without its connections."""

    rules: CaptionerRules
    name: str = "recaption"
    rows_alone: ClassVar[bool] = True
    """An answer depends on nothing but its own request: one that was given once need not be asked for again."""
    _line: _Line | None = field(default=None, init=False, repr=False, compare=False)

    def check_installed(self) -> None:
        if importlib.util.find_spec("httpx") is None:
            raise ModelError(NO_CLIENT)

    def load(self) -> None:
        """Connects and asks the server for its models. Raises ModelError where it has no such model, CaptionerDown."""
        self.check_installed()
        load_prompts(self.rules.prompt)
        if self._line is None:
            line = _Line(self.rules)
            try:
                line.check_model()
            except BaseException:
                line.close()
                raise
            self._line = line
            weakref.finalize(self, line.close)  # a worker drops its model without a word

    def predict(self, batch: Sequence[Request]) -> list[Reply]:
        """A reply for each request, in order. Raises CaptionerDown and ModelError, see captioner.py."""
        if self._line is None:
            raise ModelError(f"{self.name}: expected load() before predict()")
        return self._line.ask_all(batch)

    def is_final(self, reply: Any) -> bool:
        return is_answered(reply)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def fingerprint(self) -> str:
        return answer_fingerprint(self.rules, load_prompts(self.rules.prompt))

    def __reduce__(self) -> tuple[type[ServerCaptioner], tuple[CaptionerRules, str]]:
        return ServerCaptioner, (self.rules, self.name)


@dataclass(frozen=True)
class _Call:
    """One request, to be made until it is answered or `stop` is set."""

    path: str
    parse: Parser
    body: bytes | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


class _Line:
    """Connections to one server, and a thread for each request in flight."""

    def __init__(self, rules: CaptionerRules) -> None:
        import httpx

        self._httpx, self._rules, self._server = httpx, rules, rules.server
        self._key = os.environ.get(self._server.api_key_variable, "")
        self._unanswered, self._lock = 0, threading.Lock()
        self._threads = ThreadPoolExecutor(rules.server.concurrency, "recaption")
        self._client = self._open_client()

    def _open_client(self) -> Any:
        server, key = self._server, self._key
        timeout = self._httpx.Timeout(server.read_seconds, connect=server.connect_seconds, pool=None)
        most = server.concurrency
        limits = self._httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=30.0)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self._httpx.Client(base_url=server.url, timeout=timeout, limits=limits, headers=headers)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def check_model(self) -> None:
        """Raises ModelError where the server lists its models and ours is not among them."""
        found = self._attempts(_Call("/models", listed_models))
        if isinstance(found, Refusal):
            raise CaptionerDown(f"{self._server.url}: {found.message}")
        if found and self._rules.model not in found:
            names = ", ".join(found[:8])
            raise ModelError(f"recaption.captioner.model: expected one of {names}, found {self._rules.model!r}")

    def ask_all(self, batch: Sequence[Request]) -> list[Reply]:
        """All replies in order; the first error that stops the run ends what is still asked."""
        stop = threading.Event()
        asked = [self._threads.submit(self._ask, request, stop) for request in batch]
        done, _ = wait(asked, return_when=FIRST_EXCEPTION)
        if errors := [future.exception() for future in done if future.exception() is not None]:
            stop.set()
            for future in asked:
                future.cancel()
            wait(asked)
            cause = next((e for e in errors if not isinstance(e, CancelledError)), errors[0])
            if isinstance(cause, CaptionerDown):
                told = {n: f.result() for n, f in enumerate(asked) if not f.cancelled() and f.exception() is None}
                cause.answered = {place: reply for place, reply in told.items() if is_answered(reply)}
            raise cause  # type: ignore[misc]
        return [future.result() for future in asked]

    def _ask(self, request: Request, stop: threading.Event) -> Reply:
        version = choose_prompt(self._rules.prompt, request.language, request.originals).version
        parse = partial(parse_chat_reply, prompt=version)
        call = _Call("/chat/completions", parse, chat_body(request, self._rules), stop)
        reply: Reply = self._attempts(call)
        self._count(reply)
        return reply

    def _count(self, reply: Reply) -> None:
        """Rows in a row without an answer; other replies show that somebody is there."""
        with self._lock:
            lost = isinstance(reply, Refusal) and reply.error in UNANSWERED
            self._unanswered = number = self._unanswered + 1 if lost else 0
            if number >= self._server.most_unanswered:
                self._unanswered = 0  # whoever tries the batch again may find it well
        if number >= self._server.most_unanswered and isinstance(reply, Refusal):
            what = f"no answer to {number} rows in a row, the last: {reply.error}, {reply.message}"
            raise CaptionerDown(f"{self._server.url}: {what}")

    def _attempts(self, call: _Call) -> Any:
        """The parsed reply, or a refusal of the last attempt's class. Raises CaptionerDown where nobody listens."""
        limit = time.monotonic() + self._server.total_seconds
        last = Refusal("CaptionerTimeout", "expected an answer, found none")
        for number in range(1, self._server.attempts + 1):
            outcome, wait_for = self._attempt(call, limit)
            if not isinstance(outcome, Refusal):
                return outcome
            last = replace(outcome, attempts=number)
            left = limit - time.monotonic()
            if wait_for is None or number == self._server.attempts:
                break
            if left <= 0:
                found = f"expected an answer in {self._server.total_seconds:g} s; {last.message}"
                return Refusal("CaptionerTimeout", found, number)
            if call.stop.wait(min(max(wait_for, self._back_off(number)), left)):
                raise CancelledError
        if isinstance(last, _Nobody):
            raise CaptionerDown(f"{self._server.url}: {last.message}")
        return last

    def _back_off(self, number: int) -> float:
        most = min(self._server.longest_wait_seconds, self._server.first_wait_seconds * 2 ** (number - 1))
        return random.uniform(most / 2, most)

    def _attempt(self, call: _Call, limit: float) -> Any:
        """(outcome, seconds to wait at least); no seconds where another attempt would bring nothing else."""
        httpx = self._httpx
        try:
            status, headers, found = self._send(call, limit)
        except httpx.ConnectTimeout:
            return Refusal("CaptionerUnavailable", "expected a connection, found a time-out"), 0.0
        except (TimeoutError, httpx.TimeoutException):
            seconds = self._server.read_seconds
            return Refusal("CaptionerTimeout", f"expected an answer in {seconds:g} s, found none"), 0.0
        except httpx.ConnectError as error:
            return _Nobody("CaptionerUnavailable", f"expected somebody to listen, found: {error}"), 0.0
        except httpx.RemoteProtocolError as error:
            cut = "CaptionerTruncated" if "complete message body" in str(error) else "CaptionerUnavailable"
            return Refusal(cut, f"expected a whole reply, found: {error}"), 0.0
        except httpx.TransportError as error:
            return Refusal("CaptionerUnavailable", f"expected a reply, found {type(error).__name__} {error}"), 0.0
        except OverflowError:
            return Refusal("CaptionerTooLarge", f"expected at most {self._server.max_reply_bytes} bytes"), None
        return self._judge(status, headers, found, call.parse)

    def _send(self, call: _Call, limit: float) -> tuple[int, Any, bytes]:
        """Status, headers and body; OverflowError for a body over its limit, TimeoutError for one that trickles."""
        found = bytearray()
        kind = {"Content-Type": "application/json"} if call.body is not None else {}
        read = max(0.001, min(self._server.read_seconds, limit - time.monotonic()))
        timeout = self._httpx.Timeout(read, connect=self._server.connect_seconds, pool=None)
        with self._client.stream(call.method, call.path, content=call.body, headers=kind, timeout=timeout) as response:
            for part in response.iter_bytes():
                found += part
                if len(found) > self._server.max_reply_bytes:
                    raise OverflowError
                if time.monotonic() > limit:
                    raise TimeoutError
        return response.status_code, response.headers, bytes(found)

    def _judge(self, status: int, headers: Any, body: bytes, parse: Parser) -> tuple[Any, float | None]:
        if status == 200:
            outcome = parse(self._hidden(body))
            broken = isinstance(outcome, Refusal) and outcome.error == "CaptionerMalformed"
            return outcome, 0.0 if broken else None
        message = explain_status(status, self._hidden(body))
        if status in USERS_TO_MEND:
            raise ModelError(f"{self._server.url}: expected {USERS_TO_MEND[status]}, {message}")
        if status >= 500 or status in PASSING:
            asked = parse_retry_after(headers.get("retry-after"), time.time()) or 0.0
            return Refusal("CaptionerUnavailable", message), min(asked, self._server.longest_wait_seconds)
        return Refusal("CaptionerRefused", message), None

    def _hidden(self, body: bytes) -> bytes:
        """A reply without our key: some servers quote what they were sent, and what they say goes on the ledger."""
        return body.replace(self._key.encode(), b"[key]") if self._key else body


class _Nobody(Refusal, frozen=True):
    """Nobody listens at the address: no row is to blame."""


def chat_body(request: Request, rules: CaptionerRules) -> bytes:
    """The JSON of a chat completion request: the picture as a data URI, then the prompt."""
    prompt = choose_prompt(rules.prompt, request.language, request.originals)
    picture = base64.b64encode(encode_picture(request.pixels, rules)).decode("ascii")
    content = [
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}},
        {"type": "text", "text": prompt.fill(request.originals)},
    ]
    asked = {
        "model": rules.model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": rules.max_tokens,
        "temperature": rules.temperature,
        "seed": rules.seed,
    }
    return json.dumps(asked, ensure_ascii=False).encode()


def listed_models(body: bytes) -> list[str]:
    """Names in the answer of `/models`; none where it is no such list, which not every server has."""
    try:
        return [str(model["id"]) for model in json.loads(body)["data"]]
    except (ValueError, LookupError, TypeError):
        return []
