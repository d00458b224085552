"""A shard's sample as tokens: captions, documents and conversations, of our shards and of foreign WebDataset sets.

A sample of ours whose JSON has an assistant's text among its pieces is a conversation, one with a `.txt` a caption, any
other a document. A foreign sample is a conversation where its JSON has messages, else a caption.
Left out on purpose: reading shards (train/data) and decoding pictures (train/media.py), which is passed in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Protocol

from configs.schema.train_chat import ChatRules
from train.chat.conversations import Conversations, Part, Spoken, Video
from train.chat.documents import Documents
from train.chat.errors import PicturesMismatch, SampleMalformed
from train.chat.sequence import Seen
from train.chat.tokenizer import ChatTokenizer
from train.data.records import RawSample, TokenSample
from transforms.conversations import (
    Conversation,
    ConversationBroken,
    Shown,
    Turn,
    is_conversation,
    parse_conversation,
    pieces_conversation,
)
from transforms.interleaved_documents import RecordBroken
from transforms.interleaved_shards import missing_pictures, parse_document, picture_suffixes
from transforms.records import Piece, Text


class Look(Protocol):
    """Decodes picture files and cuts them into patches (train/media.py). What it raises for a broken one goes up."""

    def picture(self, data: bytes) -> Seen: ...

    def video(self, frames: list[bytes]) -> list[Seen]:
        """A picture for each frame, or for each pair of frames."""


class Chat:
    """Samples to tokens. `tokenize` needs no other state, so that workers can hold one each."""

    def __init__(self, tokenizer: ChatTokenizer, rules: ChatRules, look: Look) -> None:
        self._look = look
        self._documents = Documents(tokenizer, rules.weighting, cut=rules.too_long == "cut")
        self._conversations = Conversations(tokenizer, rules)

    def tokenize(self, raw: RawSample, length: int) -> list[TokenSample]:
        """Samples of at most `length` tokens, mostly one. Raises SampleUnfit and what `look` raises."""
        files = picture_suffixes(list(raw.parts))
        record = _record(raw)
        if "beamsift" in record:
            pieces = _pieces(raw.key, record, len(files))
            if is_conversation(pieces):
                return self._converse(raw, _conversation(raw.key, pieces), length)
            if "txt" not in raw.parts:
                return self._document(raw, pieces, length)
        elif "messages" in record or "conversations" in record:
            try:
                return self._converse(raw, parse_conversation(record), length)
            except ConversationBroken as error:
                raise SampleMalformed(raw.key, str(error)) from error
        text = _caption(raw)
        shown = [self._look.picture(raw.parts[name]) for name in files]
        return self._documents.samples(raw.source, raw.key, [*shown, text], length)

    def _document(self, raw: RawSample, pieces: list[Piece], length: int) -> list[TokenSample]:
        files = iter(picture_suffixes(list(raw.parts)))
        shown = [
            piece.value if isinstance(piece, Text) else self._look.picture(raw.parts[next(files)]) for piece in pieces
        ]
        return self._documents.samples(raw.source, raw.key, shown, length)

    def _converse(self, raw: RawSample, conversation: Conversation, length: int) -> list[TokenSample]:
        files = picture_suffixes(list(raw.parts))
        asked = sum(isinstance(part, Shown) for turn in conversation.turns for part in turn.parts)
        check_pictures(raw.key, asked, len(files))
        turns = [Spoken(turn.role, tuple(self._seen(raw, files, turn))) for turn in conversation.turns]
        return self._conversations.samples(raw.source, raw.key, turns, length)

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


def _conversation(key: str, pieces: list[Piece]) -> Conversation:
    try:
        return pieces_conversation(pieces)
    except ConversationBroken as error:
        raise SampleMalformed(key, str(error)) from error


def _caption(raw: RawSample) -> str:
    if "txt" not in raw.parts:
        raise SampleMalformed(raw.key, f"expected a .txt, messages or pieces, found members {sorted(raw.parts)[:8]}")
    try:
        return raw.parts["txt"].decode().strip()
    except UnicodeDecodeError as error:
        raise SampleMalformed(raw.key, f"expected a caption in UTF-8, found {error.reason}") from error
