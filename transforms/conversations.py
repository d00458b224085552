"""Conversations: turns of texts, pictures and frames of videos in their order, as records write them and as pieces.

Read are `messages` of role and content (OpenAI, LLaMA-Factory: text with `<image>` and `<video>`, or a list of parts)
and `conversations` of from and value (LLaVA, ShareGPT). Pictures are named in `images` or `image`, or by the parts
themselves; a video is its frames, `{"frames": ["0.jpg", …], "seconds": [0, 1, …]}`, in `videos` or in a part.
As pieces a turn is a text with the turn's role, which may be empty, and what follows up to the next role.
Left out on purpose: video files, which whoever writes frames must decode; tools and their calls; what a response says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from msgspec.structs import replace

from transforms.records import Picture, Piece, Text

ROLES = ("system", "user", "assistant", "observation")
IMAGE, VIDEO = "<image>", "<video>"
"""What stands for the next picture or video in a text."""
_PLACES = re.compile(f"({IMAGE}|{VIDEO})")
_LAST_SECOND = 1e9
"""Of a video; some thirty years."""
_SPOKEN = {"human": "user", "gpt": "assistant", "developer": "system", "tool": "observation", "function": "observation"}


class ConversationBroken(ValueError):
    """A record that is no conversation; the message says what was expected and what was found."""


class PlacesMismatch(ConversationBroken):
    """More or fewer placeholders than pictures or videos."""


class Shown(NamedTuple):
    """A picture in a turn. `number` counts the pictures of the whole conversation, in the order they are shown."""

    number: int
    video: int = -1
    """Which of the conversation's videos it is a frame of; -1 for a picture."""
    second: float = 0.0
    """When in the video."""


class Turn(NamedTuple):
    role: str
    parts: tuple[str | Shown, ...]
    """No two texts stand side by side, and none is empty."""

    @property
    def text(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))


class Conversation(NamedTuple):
    turns: tuple[Turn, ...]
    names: tuple[str, ...]
    """What the record calls each picture; empty where it says nothing."""


def parse_conversation(record: dict[str, Any]) -> Conversation:
    """Raises ConversationBroken; PlacesMismatch where placeholders and named pictures differ in number."""
    pool = _Pool(record)
    turns = [_turn(*said, pool) for said in _messages(record)]
    pool.check_used()
    return Conversation(check_roles(turns), tuple(pool.names))


def check_roles(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns, where a system turn is the first and no role speaks twice in a row."""
    roles = [turn.role for turn in turns]
    if not roles:
        raise ConversationBroken("expected turns, found none")
    if "system" in roles[1:]:
        raise ConversationBroken(f"expected a system turn at the start, found one at {roles.index('system', 1)}")
    for index, (one, then) in enumerate(zip(roles, roles[1:], strict=False)):
        if one == then:
            raise ConversationBroken(f"expected roles to take turns, found {one} twice at {index}")
    return tuple(turns)


def _messages(record: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """(role, content, reasoning) of each turn."""
    name, role_key, text_key = ("messages", "role", "content")
    if name not in record and "conversations" in record:
        name, role_key, text_key = ("conversations", "from", "value")
    messages = record.get(name)
    if not isinstance(messages, list):
        raise ConversationBroken(f"expected a list of messages or conversations, found {sorted(record)[:20]}")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise ConversationBroken(f"turn {index}: expected an object, found {type(message).__name__}")
        role = message.get(role_key)
        role = _SPOKEN.get(role, role) if isinstance(role, str) else role
        if role not in ROLES:
            raise ConversationBroken(f"turn {index}: expected a role of {' '.join(ROLES)}, found {role!r:.50}")
        reasoning = message.get("reasoning_content")
        yield role, message.get(text_key), reasoning if isinstance(reasoning, str) else ""


def _turn(role: str, content: Any, reasoning: str, pool: _Pool) -> Turn:
    parts = [f"<think>{reasoning}</think>\n"] if reasoning and role == "assistant" else []
    if isinstance(content, list):
        return Turn(role, _joined([*parts, *(part for item in content for part in _part(item, pool))]))
    if not isinstance(content, str):
        raise ConversationBroken(f"expected a turn's text or parts, found {type(content).__name__}")
    return Turn(role, _joined([*parts, *_split(content, pool)]))


def _split(text: str, pool: _Pool) -> Iterator[str | Shown]:
    """A text around its placeholders."""
    for part in _PLACES.split(text):
        if part == IMAGE:
            yield pool.next_picture()
        elif part == VIDEO:
            yield from pool.next_video()
        else:
            yield part


def _part(item: Any, pool: _Pool) -> Iterator[str | Shown]:
    """Of one part of a content list: its text as it is, without placeholders, or its pictures."""
    kind = item.get("type") if isinstance(item, dict) else None
    if kind == "text" and isinstance(item.get("text"), str):
        yield item["text"]
    elif kind in ("image", "image_url"):
        named = item.get("image", item.get("image_url", item.get("path")))
        yield pool.show(named) if isinstance(named, str | dict) else pool.next_picture()
    elif kind == "video":
        yield from pool.show_video(item) if "frames" in item else pool.next_video()
    else:
        raise ConversationBroken(f"expected a part of text, image or video, found {str(item):.80}")


def _joined(parts: Iterable[str | Shown]) -> tuple[str | Shown, ...]:
    """The parts with texts side by side as one, and without empty ones."""
    joined: list[str | Shown] = []
    for is_text, run in groupby(parts, lambda part: isinstance(part, str)):
        found = list(run)
        text = "".join(part for part in found if isinstance(part, str))
        joined += [text] * bool(text) if is_text else found
    return tuple(joined)


class _Pool:
    """The pictures and videos that a record lists, handed out in the order in which turns ask for them."""

    def __init__(self, record: dict[str, Any]) -> None:
        images = record.get("images", record.get("image"))
        self._listed = "images" in record or "image" in record
        self._images = [images] if isinstance(images, str | dict) else list(images) if isinstance(images, list) else []
        videos = record.get("videos")
        self._videos = list(videos) if isinstance(videos, list) else []
        self._asked, self._videos_asked, self._videos_shown = 0, 0, 0
        self.names: list[str] = []

    def show(self, name: Any, video: int = -1, second: float = 0.0) -> Shown:
        if isinstance(name, dict):  # as the library datasets writes a picture that lies beside the records
            name = next((name[key] for key in ("path", "image", "url") if name.get(key)), "")
        self.names.append(name if isinstance(name, str) else "")
        return Shown(len(self.names) - 1, video, second)

    def next_picture(self) -> Shown:
        self._asked += 1
        return self.show(self._images[self._asked - 1] if self._asked <= len(self._images) else "")

    def next_video(self) -> list[Shown]:
        self._videos_asked += 1
        listed = self._videos_asked <= len(self._videos)
        return self.show_video(self._videos[self._videos_asked - 1]) if listed else []

    def show_video(self, video: Any) -> list[Shown]:
        frames, seconds = (video.get(key) if isinstance(video, dict) else None for key in ("frames", "seconds"))
        if not isinstance(frames, list) or not frames or not isinstance(seconds, list) or len(frames) != len(seconds):
            raise ConversationBroken(f"expected a video as frames and as many seconds, found {str(video):.80}")
        if not all(type(second) in (int, float) and 0 <= second <= _LAST_SECOND for second in seconds):
            raise ConversationBroken(f"expected seconds of frames from 0, found {str(seconds):.80}")
        self._videos_shown += 1
        pairs = zip(frames, seconds, strict=True)
        return [self.show(frame, self._videos_shown - 1, float(second)) for frame, second in pairs]

    def check_used(self) -> None:
        listed = len(self._images) if self._listed else self._asked
        for what, asked, found in (
            ("pictures", self._asked, listed),
            ("videos", self._videos_asked, len(self._videos)),
        ):
            if asked != found:
                message = f"expected as many {what} as placeholders, found {asked} placeholders and {found} {what}"
                raise PlacesMismatch(message)


def conversation_pieces(conversation: Conversation, pictures: Sequence[Picture]) -> list[Piece]:
    """The conversation as pieces, `pictures[n]` being the one of number n; a frame says in its meta of which video."""
    pieces: list[Piece] = []
    for turn in conversation.turns:
        if not turn.parts or not isinstance(turn.parts[0], str):
            pieces.append(Text("", turn.role))
        for part in turn.parts:
            pieces.append(Text(part, turn.role) if isinstance(part, str) else _frame(pictures[part.number], part))
    return pieces


def _frame(picture: Picture, shown: Shown) -> Picture:
    if shown.video < 0:
        return picture
    meta = json.dumps({"second": shown.second, "video": shown.video}, separators=(",", ":"))
    return replace(picture, meta=meta)


def pieces_conversation(pieces: Iterable[Piece]) -> Conversation:
    """The inverse of `conversation_pieces`. Raises ConversationBroken for pieces that are no conversation."""
    turns: list[tuple[str, list[str | Shown]]] = []
    names: list[str] = []
    for index, piece in enumerate(pieces):
        if isinstance(piece, Text):
            if piece.role not in ROLES:
                raise ConversationBroken(f"piece {index}: expected a text of a turn, found a {piece.role}")
            if not turns or turns[-1][0] != piece.role:
                turns.append((piece.role, []))
            turns[-1][1].append(piece.value)
        elif not turns:
            raise ConversationBroken(f"piece {index}: expected a turn, found a picture before the first")
        else:
            turns[-1][1].append(_shown(piece, len(names)))
            names.append(piece.url)
    return Conversation(check_roles([Turn(role, _joined(parts)) for role, parts in turns]), tuple(names))


def _shown(picture: Picture, number: int) -> Shown:
    said = json.loads(picture.meta) if picture.meta else {}
    said = said if isinstance(said, dict) else {"video": said}
    video, second = said.get("video", -1), said.get("second", 0.0)
    if type(video) is not int or type(second) not in (int, float) or not 0 <= second <= _LAST_SECOND:
        raise ConversationBroken(f"picture {number}: expected a video's number and a second, found {picture.meta:.80}")
    return Shown(number, video, float(second))


def is_conversation(pieces: Iterable[Piece]) -> bool:
    """Whether pieces are those of a conversation: some assistant speaks."""
    return any(isinstance(piece, Text) and piece.role == "assistant" for piece in pieces)
