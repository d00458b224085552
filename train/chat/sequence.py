"""A sequence of tokens as it is written: text, special tokens and pictures, and which of them are trained on.

Text that is written in several pieces is tokenised in one where nothing special stands between them, as the library
does with the text of a template; where training begins or ends it is cut, as it is where a prompt ends.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from train.chat.errors import NothingToTrain
from train.chat.tokenizer import IMAGE, IMAGE_END, IMAGE_START, ChatTokenizer
from train.chat.weighting import Weighting, weigh
from train.data.records import Array, TokenSample

MERGE = 2
"""Patches of a picture that become one token: 2 by 2 (Glm4vImageProcessor's merge_size)."""


class Seen(Protocol):
    """A picture as the model reads it; what train/media.py gives."""

    @property
    def values(self) -> Array:
        """(t * h * w, 1176)."""

    @property
    def grid(self) -> tuple[int, int, int]:
        """t, h, w in patches."""


def tokens_of(seen: Seen) -> int:
    """Placeholders that a picture takes, without the borders around them."""
    return math.prod(seen.grid) // MERGE**2


class Segment(NamedTuple):
    ids: Array
    trained: bool = False
    kind: int = 0
    """0 text, 1 picture."""


class Prompt(NamedTuple):
    """What a model is given to go on from: the beginning of a sample, up to the first token that is trained on."""

    input_ids: Array
    """(L,) int32."""
    kinds: Array
    """(L,) int8."""
    pictures: tuple[Seen, ...]


class Sequence:
    """Written in order; `sample` gives the finished one, `prompt` what a model goes on from."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer
        self._segments: list[Segment] = []
        self._pending, self._pending_trained = "", False
        self.pictures: list[Seen] = []

    def text(self, text: str, *, trained: bool = False) -> None:
        """Text in which nothing is special."""
        if trained != self._pending_trained:
            self._flush()
            self._pending_trained = trained
        self._pending += text

    def token(self, *names: str, trained: bool = False) -> None:
        self._flush()
        for name in names:
            self._segments.append(Segment(self._tokenizer.token(name), trained))

    def response(self, text: str, *, trained: bool) -> None:
        """A response, whose tags are special tokens."""
        self._flush()
        self._segments.append(Segment(self._tokenizer.response(text), trained))

    def picture(self, seen: Seen) -> None:
        """Between its borders. None of it is trained on, so that no model learns to write picture tokens."""
        self.token(IMAGE_START)
        self._segments.append(Segment(np.repeat(self._tokenizer.token(IMAGE), tokens_of(seen)), kind=1))
        self.token(IMAGE_END)
        self.pictures.append(seen)

    def segments(self, segments: list[Segment]) -> None:
        """What was tokenised before."""
        self._flush()
        self._segments.extend(segments)

    def _flush(self) -> None:
        if self._pending:
            self._segments.append(Segment(self._tokenizer.text(self._pending), self._pending_trained))
            self._pending = ""

    def __len__(self) -> int:
        self._flush()
        return sum(len(segment.ids) for segment in self._segments)

    def prompt(self) -> Prompt:
        self._flush()
        return Prompt(*self._arrays(), tuple(self.pictures))

    def _arrays(self) -> tuple[Array, Array]:
        kinds = np.array([segment.kind for segment in self._segments], np.int8)
        ids = np.concatenate([segment.ids for segment in self._segments]).astype(np.int32)
        return ids, np.repeat(kinds, [len(segment.ids) for segment in self._segments])

    def sample(self, source: str, key: str, weighting: Weighting) -> TokenSample:
        """Raises NothingToTrain where no weight is above 0."""
        self._flush()
        lengths = [len(segment.ids) for segment in self._segments]
        trained = np.repeat([segment.trained for segment in self._segments], lengths)
        weights = weigh(trained, weighting)
        if not weights.any():
            raise NothingToTrain(key, f"expected a token to train on, found {sum(lengths)} tokens and none")
        grids = [seen.grid for seen in self.pictures]
        input_ids, kinds = self._arrays()
        return TokenSample(
            source=source,
            key=key,
            input_ids=input_ids,
            weights=weights,
            grids=np.array(grids, np.int32).reshape(-1, 3),
            patches=tuple(seen.values for seen in self.pictures),
            kinds=kinds,
        )
