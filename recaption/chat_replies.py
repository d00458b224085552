"""Chat replies: a server's bytes as an answer or a refusal, whatever the bytes are. Pure.

Left out on purpose: HTTP (openai_server.py), and whether the text is any good (fact_guard.py).
"""

from __future__ import annotations

import email.utils
import json
import re
from typing import Any

from recaption.captioner import Answer, Refusal, Reply

MESSAGE_CHARACTERS = 300
"""Of a server's words that are quoted in a refusal."""

# GLM-4.1V-Thinking: <think>…</think><answer>…</answer>, unless the server parses it away.
_THINKING = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_MARKS = re.compile(r"</?answer>|<\|(?:begin_of_box|end_of_box|endoftext|user|assistant)\|>")


def parse_chat_reply(body: bytes, prompt: str) -> Reply:
    """The answer in a chat completion's body, or CaptionerMalformed / CaptionerRefused with what was found."""
    try:
        reply = json.loads(body)
        choice = reply["choices"][0]
        text, finish = _content(choice["message"]["content"]), str(choice.get("finish_reason") or "")
        usage = reply.get("usage") or {}
        tokens = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
        model = str(reply.get("model") or "")
        (text + finish + model).encode()  # JSON may spell half a surrogate pair, which no file of ours can hold
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return Refusal("CaptionerMalformed", f"expected a chat completion, found {_quoted(body)} ({error})"[:600])
    if finish == "content_filter":
        return Refusal("CaptionerRefused", "expected an answer, found finish_reason content_filter")
    text, finish = strip_thinking(text, finish)
    return Answer(text, finish, tokens[0], tokens[1], model, prompt)


def strip_thinking(text: str, finish: str) -> tuple[str, str]:
    """The text without what a thinking model thought; thinking that never ended is no text, cut at its length."""
    kept = _THINKING.sub("", text)
    if kept.lstrip().startswith("<think>"):
        return "", "length"
    return _MARKS.sub("", kept).strip(), finish


def explain_status(status: int, body: bytes) -> str:
    """What a server said with an error status: the `message` of its JSON, or the beginning of its body."""
    try:
        found = json.loads(body)
        error = found.get("error", found)
        message = str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        message = _quoted(body)
    message = " ".join(message.encode("utf-8", "replace").decode().split())[:MESSAGE_CHARACTERS]
    return f"expected status 200, found {status} {message}".rstrip()


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header, given in seconds or as an HTTP date; None where it says nothing.

    `now` is in seconds since the epoch.
    """
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value.strip()):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _content(content: Any) -> str:
    """The text, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if not isinstance(content, str):
        raise ValueError(f"content is {type(content).__name__}, not text")
    return content


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and 0 <= value < 1 << 40 else 0


def _quoted(body: bytes) -> str:
    return repr(body[:120].decode("utf-8", "replace")) + (f" of {len(body)} bytes" if len(body) > 120 else "")
