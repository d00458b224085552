"""Captioner: what is asked of a model that writes, what it answers, and what becomes of it when it does not.

A row that gets no answer costs that row its recaption and nothing else: it is a `Refusal` with a class, and the
original stays. What no row can be blamed for stops the run:

    ModelError          the user's to mend: no weights, no package, 401, 404 (the server has no such model)
    CaptionerDown       nobody listens at the address after all attempts, or `most_unanswered` rows in a row got
                        no answer although each was asked `attempts` times

The border is drawn there because a refusal is final once its unit's sidecar is whole: no run asks again. A single row
that always gets a 500 is a poisoned row; sixteen in a row are a server that fell over, as StoreUnavailable is a store
that did.
Left out on purpose: the two back-ends (openai_server.py, local_model.py); what is wrong with a text (fact_guard.py).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from PIL import Image

from classifiers.clip import open_picture
from configs.schema.recaption import CaptionerRules
from recaption.prompting import Prompt
from transforms.fingerprints import fingerprint
from transforms.records import Failure

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

RefusalClass = Literal[
    "CaptionerTimeout",  # no whole answer within read_seconds or total_seconds
    "CaptionerRefused",  # the server declined this request: HTTP 4xx, or its content filter
    "CaptionerUnavailable",  # 429, 5xx or a broken connection at the last attempt
    "CaptionerTruncated",  # the reply's body broke off at the last attempt
    "CaptionerMalformed",  # a reply that is no chat completion, or no valid text
    "CaptionerTooLarge",  # a reply over max_reply_bytes
]
UNANSWERED: frozenset[str] = frozenset({"CaptionerTimeout", "CaptionerUnavailable", "CaptionerTruncated"})
"""Classes that say nothing of the row: those that count towards CaptionerDown."""


class CaptionerDown(OSError):
    """The captioner does not answer at all, after all retries. Stops the run; the same command resumes it."""

    answered: Mapping[int, Reply] = {}
    """Answers that others of the same batch had got by then, by their place in it."""


class Request(msgspec.Struct, frozen=True):
    """One picture to write about: uint8 of (height, width, 3), or (…, 4) with alpha, and what is known of it."""

    key: str
    pixels: Any
    originals: tuple[str, ...] = ()
    language: str = ""
    """ISO 639-1 code that the text shall be in; empty: that of the originals."""


class Answer(msgspec.Struct, frozen=True, array_like=True, tag="answer"):
    """A text as the model wrote it, without its thinking; plain msgpack values, so that a sidecar can hold it."""

    text: str
    finish: str = "stop"
    """stop: the model ended; length: it was cut at max_tokens. Other words are the server's."""
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""
    """As the server calls what answered: it may be another than was asked for."""
    prompt: str = ""
    """Name, language and hash of the prompt, `refine-1.en:3f2a…`."""


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag="refusal"):
    """Why a row has no text: a class of `RefusalClass`, and what was expected and found."""

    error: str
    message: str
    attempts: int = 1

    def as_failure(self, place: str) -> Failure:
        """For a run in which a row without a recaption is a failed row."""
        return Failure(self.error, self.message, place)


Reply = Answer | Refusal


class Captioner(Protocol):
    """A `transforms.beam.visit.Model` that writes: one reply for each request, in order."""

    name: str

    def load(self) -> None: ...

    def fingerprint(self) -> str: ...

    def predict(self, batch: Sequence[Request]) -> list[Reply]: ...


def parse_reply(value: Any) -> Reply:
    """A reply from the plain values that msgpack made of it. Raises msgspec.ValidationError."""
    return msgspec.convert(value, Answer | Refusal)


def is_answered(value: Any) -> bool:
    """Whether a reply, or its msgpack values, is one that the same server would give again."""
    reply = value if isinstance(value, (Answer, Refusal)) else parse_reply(value)
    return not (isinstance(reply, Refusal) and reply.error in UNANSWERED)


def answer_fingerprint(rules: CaptionerRules, prompts: Sequence[Prompt], weights: str = "") -> str:
    """Hash of all that decides an answer: model, prompt texts, sampling, the picture as sent. Address, concurrency,
    time-outs and prices decide nothing. `weights` tells a local model's files apart."""
    sampling = (rules.temperature, rules.seed, rules.max_tokens)
    picture = (rules.max_side, rules.jpeg_quality)
    # A batch of another size pads other rows along, and greedy choice can tip.
    how = (rules.local.dtype, rules.local.batch_size) if rules.backend == "local" else ()
    return fingerprint(rules.backend, rules.model, weights, sampling, picture, how, [p.version for p in prompts])


def shown_picture(pixels: Pixels, max_side: int) -> Image.Image:
    """The RGB picture a captioner sees, its longer side at most `max_side`. Raises ValueError for other arrays."""
    picture = open_picture(pixels)
    scale = max_side / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def encode_picture(pixels: Pixels, rules: CaptionerRules) -> bytes:
    """JPEG bytes as sent to a server; the same bytes for the same pixels with one version of Pillow."""
    buffer = io.BytesIO()
    shown_picture(pixels, rules.max_side).save(buffer, "JPEG", quality=rules.jpeg_quality)
    return buffer.getvalue()


def cost(tokens_in: int, tokens_out: int, rules: CaptionerRules) -> float:
    """Money for so many tokens at the configured prices."""
    return (tokens_in * rules.price_in + tokens_out * rules.price_out) / 1e6


def spent(replies: Sequence[Reply], rules: CaptionerRules) -> dict[str, float]:
    """Answers, refusals, tokens and money of a set of replies: from what was stored, so a retried bundle counts once.

    What a server charged for replies that were cut, and for bundles that a worker lost, is not in it.
    """
    answers = [reply for reply in replies if isinstance(reply, Answer)]
    tokens_in, tokens_out = (sum(getattr(a, name) for a in answers) for name in ("tokens_in", "tokens_out"))
    return {
        "answers": len(answers),
        "refusals": len(replies) - len(answers),
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "cost": round(cost(tokens_in, tokens_out, rules), 6),
    }
