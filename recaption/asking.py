"""Asking: what a captioner is asked of a pair, and its reply as a text of role `recaption` beside the originals.

A refusal becomes a recaption without a value, so that no row and no failure is lost.
Left out on purpose: the models, what is measured on an answer (checker.py), and every decision
(transforms/recaptions.py).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from recaption.captioner import Answer, Refusal, Request, parse_reply
from transforms.ledger import ROLE
from transforms.loaded import Loaded
from transforms.recaptions import originals_of
from transforms.records import Sample, Text, pictures


def ask_recaption(loaded: Loaded) -> Request:
    """What a captioner is asked of a pair: its first picture."""
    pixels = next(array for array in loaded.pixels if array is not None)
    return Request(loaded.sample.key, pixels, originals_of(loaded.sample))


def question_of(sample: Sample) -> tuple[bytes, tuple[str, ...]]:
    """All of a row that decides an answer: the picture's sha256 and the originals."""
    return pictures(sample)[0].sha256, originals_of(sample)


def add_reply(sample: Sample, value: Any) -> Sample:
    """`sample` with the captioner's reply (a Reply or its msgpack values) as its last piece."""
    reply = value if isinstance(value, (Answer, Refusal)) else parse_reply(value)
    if isinstance(reply, Refusal):
        told = {name: getattr(reply, name) for name in ("error", "message", "attempts")}
        return replace(sample, pieces=(*sample.pieces, Text("", ROLE, told)))
    told = {name: getattr(reply, name) for name in ("finish", "tokens_in", "tokens_out", "model", "prompt")}
    return replace(sample, pieces=(*sample.pieces, Text(reply.text, ROLE, told)))
