"""A shard's sample as tokens: captions, documents and conversations, of our shards and of foreign WebDataset sets.

A sample of ours whose JSON has an assistant's text among its pieces is a conversation, one with a `.txt` a caption, any
other a document. A foreign sample is a conversation where its JSON has messages, else a caption.
Left out on purpose: reading shards (train/data) and decoding pictures (train/media.py), which is passed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Protocol

from configs.schema.train_chat import ChatRules
from train.chat.conversations import Conversations, Part, Spoken, Video
from train.chat.documents import Documents
from train.chat.errors import PicturesMismatch, SampleMalformed, SampleTooLong
from train.chat.sequence import Prompt, Seen
from train.chat.tokenizer import ChatTokenizer, needed_tokens
from train.data.records import RawSample, TokenSample
from transforms.conversations import (
    Conversation,
    ConversationBroken,
    PlacesMismatch,
    Shown,
    Turn,
    is_conversation,
    parse_conversation,
    pieces_conversation,
)
from transforms.interleaved_documents import RecordBroken
from transforms.interleaved_shards import missing_pictures, parse_document, picture_suffixes
from transforms.records import Picture, Piece, Span, Text

ANY_LENGTH = 1 << 40
_PICTURE = Picture(Span("", 0, 0, "tar"))
"""Of a foreign caption: which member it is, its place says."""


class Look(Protocol):
    """Decodes picture files and cuts them into patches (train/media.py). What it raises for a broken one goes up."""

    def picture(self, data: bytes) -> Seen: ...

    def video(self, frames: list[bytes]) -> list[Seen]:
        """A picture for each frame, or for each pair of frames."""


class Chat:
    """Samples to tokens. `tokenize` needs no other state, so that workers can hold one each."""

    def __init__(self, tokenizer: ChatTokenizer, rules: ChatRules, look: Look) -> None:
        self._look = look
        self._lacking = [name for name in needed_tokens(rules.form) if name not in tokenizer.ids]
        self._documents = Documents(tokenizer, rules.weighting, cut=rules.too_long == "cut")
        self._conversations = Conversations(tokenizer, rules)

    def tokenize(self, raw: RawSample, length: int = ANY_LENGTH) -> list[TokenSample]:
        """Samples of at most `length` tokens, mostly one. Raises SampleUnfit and what `look` raises."""
        content = self._content(raw)
        if isinstance(content, Conversation):
            return self._conversations.samples(raw.source, raw.key, self._spoken(raw, content), length)
        return self._documents.samples(raw.source, raw.key, self._shown(raw, content), length)

    def prompt(self, raw: RawSample, *, nothink: bool = False) -> Prompt:
        """What a model goes on from: a conversation without its last response, pictures without their caption.

        Raises SampleUnfit and what `look` raises.
        """
        content = self._content(raw)
        if isinstance(content, Conversation):
            roles = [turn.role for turn in content.turns]
            if "user" not in roles:
                raise SampleMalformed(raw.key, "expected a turn that asks, found none")
            asked = len(roles) - roles[::-1].index("user")
            return self._conversations.prompt(raw.key, self._spoken(raw, content)[:asked], nothink=nothink)
        return self._documents.prompt([piece for piece in self._shown(raw, content) if not isinstance(piece, str)])

    def _content(self, raw: RawSample) -> Conversation | list[Piece]:
        content = read_content(raw)
        if isinstance(content, Conversation) and self._lacking:
            lacking = ", ".join(self._lacking)
            raise SampleMalformed(raw.key, f"expected a caption or document, found a conversation, and no {lacking}")
        return content

    def _shown(self, raw: RawSample, pieces: list[Piece]) -> list[str | Seen]:
        files = iter(picture_suffixes(list(raw.parts)))
        return [
            piece.value if isinstance(piece, Text) else self._look.picture(raw.parts[next(files)]) for piece in pieces
        ]

    def _spoken(self, raw: RawSample, conversation: Conversation) -> list[Spoken]:
        files = picture_suffixes(list(raw.parts))
        return [Spoken(turn.role, tuple(self._seen(raw, files, turn))) for turn in conversation.turns]

    def _seen(self, raw: RawSample, files: list[str], turn: Turn) -> Iterator[Part]:
        """The parts of a turn, what stands for a picture or a video replaced by it."""
        for video, run in groupby(turn.parts, lambda part: part.video if isinstance(part, Shown) else None):
            parts = list(run)
            shown = [part for part in parts if isinstance(part, Shown)]
            data = [raw.parts[files[part.number]] for part in shown]
            if video is None:
                yield from (part for part in parts if isinstance(part, str))
            elif video < 0:
                yield from map(self._look.picture, data)
            else:
                seen = self._look.video(data)
                seconds = [part.second for part in shown][:: -(-len(shown) // len(seen))]
                yield Video(tuple(zip(seen, seconds, strict=True)))


@dataclass(frozen=True)
class Fitted:
    """A loader's transform: the samples that a sample of a shard becomes, each within the context."""

    chat: Chat
    length: int

    def __call__(self, raw: RawSample) -> list[TokenSample]:
        """Empty where it is too long and is not or cannot be cut: it is sound, and counts as no corrupt sample.

        Raises the other SampleUnfits.
        """
        try:
            return self.chat.tokenize(raw, self.length)
        except SampleTooLong:
            return []


def read_content(raw: RawSample) -> Conversation | list[Piece]:
    """A conversation, or the pieces of a document or caption, with a member for each of its pictures. SampleUnfit."""
    record, found = _record(raw), len(picture_suffixes(list(raw.parts)))
    if "beamsift" in record:
        pieces = _pieces(raw.key, record, found)
        if is_conversation(pieces):
            return _conversation(raw.key, partial(pieces_conversation, pieces))
        if "txt" not in raw.parts:
            return pieces
    elif "messages" in record or "conversations" in record:
        conversation = _conversation(raw.key, partial(parse_conversation, record))
        places = sum(isinstance(part, Shown) for turn in conversation.turns for part in turn.parts)
        check_pictures(raw.key, places, found)
        return conversation
    return [*[_PICTURE] * found, Text(_caption(raw))]


def check_pictures(key: str, places: int, found: int) -> None:
    """Raises PicturesMismatch unless there are as many pictures as places."""
    if places != found:
        raise PicturesMismatch(key, f"expected a picture for each place, found {places} places and {found} pictures")


def _record(raw: RawSample) -> dict[str, Any]:
    try:
        record = json.loads(raw.parts.get("json", b"{}"))
    except (ValueError, RecursionError) as error:
        raise SampleMalformed(raw.key, f"expected JSON, found {error}") from error
    if not isinstance(record, dict):
        raise SampleMalformed(raw.key, f"expected a JSON object, found {type(record).__name__}")
    return record


def _pieces(key: str, record: dict[str, Any], found: int) -> list[Piece]:
    """The texts that stay and the pictures whose bytes are there, in order."""
    try:
        pieces = parse_document(record).pieces
        there = set(missing_pictures(record))
    except (RecordBroken, KeyError, TypeError) as error:
        raise SampleMalformed(key, f"expected a sample of beamsift, found {error}") from error
    check_pictures(key, len(there), found)
    return [
        piece
        for index, piece in enumerate(pieces)
        if index in there or (isinstance(piece, Text) and piece.drop is None)
    ]


def _conversation(key: str, parse: Callable[[], Conversation]) -> Conversation:
    try:
        return parse()
    except PlacesMismatch as error:
        raise PicturesMismatch(key, str(error)) from error
    except ConversationBroken as error:
        raise SampleMalformed(key, str(error)) from error


def _caption(raw: RawSample) -> str:
    if "txt" not in raw.parts:
        raise SampleMalformed(raw.key, f"expected a .txt, messages or pieces, found members {sorted(raw.parts)[:8]}")
    try:
        return raw.parts["txt"].decode().strip()
    except UnicodeDecodeError as error:
        raise SampleMalformed(raw.key, f"expected a caption in UTF-8, found {error.reason}") from error
