"""Conversations in the form of the released models' chat templates: what is written, and what of it is trained on.

`[gMASK]<sop>`, then each turn behind its role and a line break, as the templates of GLM-4.1V-9B-Thinking and GLM-4.5V
write them. Trained on are responses and the token that ends them, which is the next turn's role. An answer without a
thought is `/nothink`: that token ends the user's turn, and the empty thought is part of the prompt, as GLM-4.5V's
template has it with thinking off; there the switch holds for all turns, here for each turn alone.
A video is pictures of two frames each, every one followed by its second, as Glm4vProcessor writes them.
Left out on purpose: tools; GLM-4.6V's seconds with a decimal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from configs.schema.train_chat import ChatRules
from train.chat.errors import NothingToTrain, SampleMalformed, SampleTooLong
from train.chat.sequence import Prompt, Seen, Sequence
from train.chat.tokenizer import ROLES, START, VIDEO_END, VIDEO_START, ChatTokenizer
from train.data.records import TokenSample
from transforms.response_format import (
    ANSWER,
    ANSWER_END,
    NOTHINK,
    THINK,
    THINK_END,
    Response,
    ResponseBroken,
    format_response,
    read_response,
)


class Video(NamedTuple):
    pictures: tuple[tuple[Seen, float], ...]
    """Each with its second."""


Part = str | Seen | Video


class Spoken(NamedTuple):
    """A turn whose pictures have been looked at."""

    role: str
    parts: tuple[Part, ...]


class Said(NamedTuple):
    """A turn; of an assistant's the response, of a user's whether it asks for an answer without a thought."""

    turn: Spoken
    response: Response | None = None
    nothink: bool = False


class Conversations:
    """Turns conversations into samples of at most `length` tokens."""

    def __init__(self, tokenizer: ChatTokenizer, rules: ChatRules) -> None:
        self._tokenizer, self._rules = tokenizer, rules

    def samples(self, source: str, key: str, turns: Iterable[Spoken], length: int) -> list[TokenSample]:
        """One sample, or with `turns: each` one for every response that is within the context, keys `key@0`, …

        Raises SampleMalformed, SampleTooLong, NothingToTrain.
        """
        said = self._read(key, list(turns))
        ends = [index + 1 for index, one in enumerate(said) if one.response]
        if not ends:
            raise NothingToTrain(key, f"expected a response, found {len(said)} turns and none")
        if self._rules.turns != "each" or len(ends) == 1:
            return [self._fitting(said, ends, length, key).sample(source, key, self._rules.weighting)]
        sequences = [self._sequence(said[:end]) for end in ends]
        fitting = [sequence for sequence in sequences if len(sequence) <= length]
        if not fitting or (len(fitting) < len(sequences) and self._rules.too_long == "drop"):
            raise SampleTooLong(key, f"expected at most {length} tokens, found {len(sequences[-1])}")
        return [one.sample(source, f"{key}@{n}", self._rules.weighting) for n, one in enumerate(fitting)]

    def prompt(self, key: str, turns: Iterable[Spoken], *, nothink: bool = False) -> Prompt:
        """Turns up to a user's, and the beginning of the response; with `nothink` behind its empty thought.

        Raises SampleMalformed.
        """
        said = self._read(key, list(turns))
        said[-1:] = [said[-1]._replace(nothink=nothink)]
        sequence = self._turns(said, ends_asking=True)
        sequence.token(ROLES["assistant"])
        sequence.text("\n")
        if nothink:
            self._write_empty_thought(sequence)
        return sequence.prompt()

    def _fitting(self, said: list[Said], ends: list[int], length: int, key: str) -> Sequence:
        """The longest beginning that ends with a response and is within the context."""
        sequence = self._sequence(said[: ends[-1]])
        whole = len(sequence)
        for end in reversed(ends[:-1]) if self._rules.too_long == "cut" else ():
            if len(sequence) <= length:
                break
            sequence = self._sequence(said[:end])
        if len(sequence) > length:
            raise SampleTooLong(key, f"expected at most {length} tokens, found {whole}")
        return sequence

    def _read(self, key: str, turns: list[Spoken]) -> list[Said]:
        if self._rules.system and turns and turns[0].role != "system":
            turns = [Spoken("system", (self._rules.system,)), *turns]
        said = [Said(turn, self._response(key, turn)) for turn in turns]
        for index, one in enumerate(said[1:]):
            if one.response and not one.response.thought and said[index].turn.role == "user":
                said[index] = said[index]._replace(nothink=True)
        return said

    def _response(self, key: str, turn: Spoken) -> Response | None:
        if turn.role != "assistant":
            return None
        texts = [part for part in turn.parts if isinstance(part, str)]
        if len(texts) != len(turn.parts):
            raise SampleMalformed(key, "expected pictures in the turns of users, found one in a response")
        try:
            return read_response("".join(texts))
        except ResponseBroken as error:
            raise SampleMalformed(key, str(error)) from error

    def _sequence(self, said: list[Said]) -> Sequence:
        sequence = self._turns(said)
        sequence.token(self._rules.end, trained=True)
        return sequence

    def _turns(self, said: list[Said], *, ends_asking: bool = False) -> Sequence:
        """The turns, of which the last is a response unless it asks for one."""
        sequence = Sequence(self._tokenizer)
        sequence.token(*START)
        trained = False
        for index, one in enumerate(said):
            sequence.token(ROLES[one.turn.role], trained=trained)  # it ends the response before it
            sequence.text("\n")
            is_last = index == len(said) - 1 and not ends_asking
            trained = one.response is not None and self._is_trained(one.response, is_last=is_last)
            if one.response is not None:
                self._write_response(sequence, one.response, trained=trained, is_last=is_last)
            else:
                self._write_turn(sequence, one)
        return sequence

    def _is_trained(self, response: Response, *, is_last: bool) -> bool:
        """A response whose thought is stripped is no example: it would teach to answer at once."""
        if is_last:
            return True
        return self._rules.turns == "all" and not (response.thought and self._rules.history == "strip")

    def _write_response(self, sequence: Sequence, response: Response, *, trained: bool, is_last: bool) -> None:
        answer = response.answer if self._rules.form == "glm-4.5v" else f"{ANSWER}{response.answer}{ANSWER_END}"
        if response.thought and (is_last or self._rules.history == "keep"):
            sequence.response(format_response(response, self._rules.form), trained=trained)
            return
        if not response.thought or self._rules.form == "glm-4.5v":  # the prompt of an answer at once
            self._write_empty_thought(sequence)
        sequence.response(answer, trained=trained)

    @staticmethod
    def _write_empty_thought(sequence: Sequence) -> None:
        sequence.token(THINK, THINK_END)
        sequence.text("\n")

    def _write_turn(self, sequence: Sequence, one: Said) -> None:
        for part in _without_switch(one.turn.parts):
            if isinstance(part, str):
                sequence.text(part)
            elif isinstance(part, Video):
                sequence.token(VIDEO_START)
                for seen, second in part.pictures:
                    sequence.picture(seen)
                    sequence.text(str(int(second)))
                sequence.token(VIDEO_END)
            else:
                sequence.picture(part)
        if one.nothink:
            sequence.token(NOTHINK)


def _without_switch(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """A user's turn without the `/nothink` that it may end with: the response after it says whether it holds."""
    if parts and isinstance(parts[-1], str) and parts[-1].rstrip().endswith(NOTHINK):
        return (*parts[:-1], parts[-1].rstrip().removesuffix(NOTHINK))
    return parts
