"""Captions and interleaved documents: texts and pictures in reading order, all text trained on.

`[gMASK]<sop>`, the pieces, `<|endoftext|>`. Two texts are a blank line apart, a picture after a text a line. A document
over the context is cut between pieces, and a picture goes with the text after it; only a text that is alone over the
context is cut inside. What begins a part stands before each, the end only behind the last.
Not stated by the paper: the separators, the prefix in pre-training, and how long documents are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from train.chat.errors import NothingToTrain, SampleTooLong
from train.chat.sequence import Prompt, Seen, Segment, Sequence, tokens_of
from train.chat.tokenizer import END, IMAGE, IMAGE_END, IMAGE_START, START, ChatTokenizer
from train.chat.weighting import Weighting
from train.data.records import Array, TokenSample

AROUND = len(START) + 1
"""Tokens of a document beside its pieces."""
_BREAKS = {("text", "text"): "\n\n", ("text", "picture"): "\n"}


class Block(NamedTuple):
    """A piece in tokens. A cut never goes through a picture's."""

    segments: list[Segment]
    tokens: int
    seen: Seen | None = None

    @property
    def kind(self) -> str:
        return "text" if self.seen is None else "picture"


def _text_block(ids: Array) -> Block:
    return Block([Segment(ids, True)], len(ids))


class Documents:
    """Turns pieces into samples of at most `length` tokens."""

    def __init__(self, tokenizer: ChatTokenizer, weighting: Weighting, *, cut: bool) -> None:
        self._tokenizer, self._weighting, self._cut = tokenizer, weighting, cut
        self._joins = {kinds: _text_block(tokenizer.text(text)) for kinds, text in _BREAKS.items()}

    def prompt(self, pieces: Iterable[str | Seen]) -> Prompt:
        """What a model is given to go on from: a picture, to write its caption."""
        return self._sequence([self._block(piece) for piece in pieces if piece != ""], last=False).prompt()

    def samples(self, source: str, key: str, pieces: Iterable[str | Seen], length: int) -> list[TokenSample]:
        """One sample, or several in order with keys `key@0`, `key@1`, … Raises SampleTooLong, NothingToTrain."""
        blocks = [self._block(piece) for piece in pieces if piece != ""]
        whole = AROUND + self._length(blocks)
        if whole > length and not self._cut:
            raise SampleTooLong(key, f"expected at most {length} tokens, found {whole}")
        parts = [blocks] if whole <= length else list(self._split(blocks, length, key))
        if not any(block.seen is None for block in blocks):
            raise NothingToTrain(key, f"expected a text, found {len(blocks)} pictures and none")
        named = [key] if len(parts) == 1 else [f"{key}@{number}" for number in range(len(parts))]
        return [
            self._sequence(part, last=part is parts[-1]).sample(source, name, self._weighting)
            for name, part in zip(named, parts, strict=True)
            if part is parts[-1] or any(block.seen is None for block in part)
        ]

    def _block(self, piece: str | Seen) -> Block:
        if isinstance(piece, str):
            return _text_block(self._tokenizer.text(piece))
        token = self._tokenizer.token
        inside = Segment(np.repeat(token(IMAGE), tokens_of(piece)), kind=1)
        segments = [Segment(token(IMAGE_START)), inside, Segment(token(IMAGE_END))]
        return Block(segments, len(inside.ids) + 2, piece)

    def _joined(self, blocks: list[Block]) -> Iterator[Block]:
        """The blocks with the breaks between them."""
        before = None
        for block in blocks:
            if before and (join := self._joins.get((before.kind, block.kind))):
                yield join
            yield block
            before = block

    def _sequence(self, blocks: list[Block], *, last: bool) -> Sequence:
        sequence = Sequence(self._tokenizer)
        sequence.token(*START)
        for block in self._joined(blocks):
            sequence.segments(block.segments)
            sequence.pictures += [block.seen] if block.seen is not None else []
        if last:
            sequence.token(END, trained=True)
        return sequence

    def _split(self, blocks: list[Block], length: int, key: str) -> Iterator[list[Block]]:
        """Runs of blocks, each within the context with what stands around it."""
        room = length - AROUND
        part: list[Block] = []
        used = 0
        for block in self._small(blocks, room, key):
            if used + self._added(part, block) > room:
                ahead = self._pictures_ahead(part, block, room)
                yield part[: len(part) - ahead]
                part = part[len(part) - ahead :]
                used = self._length(part)
            used += self._added(part, block)
            part.append(block)
        yield part

    def _added(self, part: list[Block], block: Block) -> int:
        """Tokens by which a block makes a part longer."""
        join = self._joins.get((part[-1].kind, block.kind)) if part else None
        return block.tokens + (join.tokens if join else 0)

    def _length(self, blocks: list[Block]) -> int:
        return sum(block.tokens for block in self._joined(blocks))

    def _pictures_ahead(self, part: list[Block], block: Block, room: int) -> int:
        """How many pictures at the end of a part go with the text that follows them."""
        ahead = 0
        if block.seen is not None:
            return 0
        while ahead < len(part) - 1 and part[-1 - ahead].seen is not None:
            ahead += 1
        while ahead and self._length([*part[len(part) - ahead :], block]) > room:
            ahead -= 1
        return ahead

    def _small(self, blocks: list[Block], room: int, key: str) -> Iterator[Block]:
        """The blocks, each within the room: a longer text in pieces, a longer picture not at all."""
        for block in blocks:
            if block.tokens <= room:
                yield block
            elif block.seen is not None or room < 1:
                raise SampleTooLong(key, f"expected pictures of at most {room} tokens, found one of {block.tokens}")
            else:
                ids = block.segments[0].ids
                yield from (_text_block(ids[at : at + room]) for at in range(0, len(ids), room))
