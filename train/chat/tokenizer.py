"""The tokenizer: its special tokens checked when it is loaded, and text that can never become one of them.

Read from tokenizer.json by the library `tokenizers` alone, so that decode workers need no transformers.
Text goes through a twin without any added token: `<|image|>` typed by a user is seven letters and four signs. Only the
tags of responses (transforms/response_format.py), and only in responses, are looked for in text.
Left out on purpose: chat templates in Jinja; train/chat/conversations.py writes the formats itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer

from configs.schema.strict import ConfigError
from train.data.records import Array
from transforms.response_format import ANSWER, ANSWER_END, BOX, BOX_END, NOTHINK, TAGS, THINK, THINK_END, Form

START = ("[gMASK]", "<sop>")
END = "<|endoftext|>"
IMAGE, IMAGE_START, IMAGE_END = "<|image|>", "<|begin_of_image|>", "<|end_of_image|>"
VIDEO_START, VIDEO_END = "<|begin_of_video|>", "<|end_of_video|>"
ROLES = {name: f"<|{name}|>" for name in ("system", "user", "assistant", "observation")}
DOCUMENT_TOKENS = (*START, END, IMAGE_START, IMAGE, IMAGE_END)
"""What captions and documents need."""
_TAG = re.compile(f"({'|'.join(re.escape(tag) for tag in TAGS)})")


class TokensMissing(ConfigError):
    """A tokenizer without the special tokens that a format needs."""


def needed_tokens(form: Form | None) -> tuple[str, ...]:
    """The special tokens of a form of conversations; None: of captions and documents alone."""
    if form is None:
        return DOCUMENT_TOKENS
    tags = (THINK, THINK_END, *((ANSWER, ANSWER_END) if form == "glm-4.1v" else ()), BOX, BOX_END, NOTHINK)
    return (*DOCUMENT_TOKENS, VIDEO_START, VIDEO_END, *ROLES.values(), *tags)


def load_tokenizer(source: str, form: Form | None, *, add_missing: bool = False) -> ChatTokenizer:
    """Of a folder with a tokenizer.json, of that file, or of a name on the hub.

    Raises ConfigError where none can be read, TokensMissing naming the special tokens that are not one token each.
    """
    path = Path(source) / "tokenizer.json" if Path(source).is_dir() else Path(source)
    try:
        if path.exists():
            tokenizer = Tokenizer.from_file(str(path))
        elif Path(source).is_dir() or source.startswith((".", "/")) or source.endswith(".json"):
            raise ConfigError(f"tokenizer {source!r}: expected a tokenizer.json, found none")
        else:
            tokenizer = Tokenizer.from_pretrained(source)
    except ConfigError:
        raise
    except Exception as error:  # the library raises bare Exceptions for whatever is wrong
        raise ConfigError(f"tokenizer {source!r}: expected one that can be read, found {error}") from error
    if add_missing:
        absent = [name for name in needed_tokens(form) if tokenizer.token_to_id(name) is None]
        tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in absent])
    return ChatTokenizer(tokenizer, form, name=source)


class ChatTokenizer:
    """Ids of special tokens by name, and ids of text. Raises TokensMissing."""

    def __init__(self, tokenizer: Tokenizer, form: Form | None, name: str = "") -> None:
        check_tokens(tokenizer, needed_tokens(form), name)
        if type(tokenizer.model).__name__ != "BPE":
            raise ConfigError(f"tokenizer {name!r}: expected BPE, found {type(tokenizer.model).__name__}")
        self._tokenizer, self._plain = tokenizer, _without_added(tokenizer)
        added = tokenizer.get_added_tokens_decoder()
        self.ids = {token.content: number for number, token in added.items()}
        self._special = frozenset(added)

    @property
    def vocabulary(self) -> int:
        """One more than the largest id: rows that a model's embedding must have."""
        return int(max(self._tokenizer.get_vocab(with_added_tokens=True).values())) + 1

    def save_pretrained(self, folder: Path) -> None:
        """tokenizer.json, with the tokens that were added."""
        self._tokenizer.save(str(folder / "tokenizer.json"))

    def text(self, text: str) -> Array:
        """(n,) int32 of text in which nothing is special."""
        ids = self._plain.encode(text, add_special_tokens=False).ids
        if not self._special.isdisjoint(ids):  # cannot be: the twin has no such token
            raise AssertionError(f"expected plain tokens, found a special one in {text!r:.80}")
        return np.array(ids, np.int32)

    def response(self, text: str) -> Array:
        """(n,) int32 of a response, whose tags are special tokens and whose remaining text is plain."""
        parts = [self.token(part) if part in TAGS else self.text(part) for part in _TAG.split(text) if part]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def token(self, name: str) -> Array:
        """(1,) int32 of a special token."""
        return np.array([self.ids[name]], np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Text with the special tokens in it."""
        return str(self._tokenizer.decode([int(one) for one in ids], skip_special_tokens=False))


def check_tokens(tokenizer: Tokenizer, names: Iterable[str], source: str = "") -> None:
    """Raises TokensMissing naming each of `names` that the tokenizer does not know as one added token."""
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    wrong = []
    for name in names:
        pieces = tokenizer.encode(name, add_special_tokens=False).ids
        if name not in added or len(pieces) != 1:
            wrong.append(f"{name} ({len(pieces)} tokens)")
    if wrong:
        advice = "another tokenizer, or add_missing_tokens=true for one of a base model"
        raise TokensMissing(
            f"tokenizer {source!r}: expected one special token each, found {', '.join(wrong)}: {advice}"
        )


def _without_added(tokenizer: Tokenizer) -> Tokenizer:
    """A twin that has no added token, neither as such nor as an entry of its vocabulary."""
    state = json.loads(tokenizer.to_str())
    names = {token["content"] for token in state["added_tokens"]}
    state["added_tokens"], state["post_processor"] = [], None
    vocabulary = state["model"]["vocab"]
    state["model"]["vocab"] = {name: number for name, number in vocabulary.items() if name not in names}
    return Tokenizer.from_str(json.dumps(state))
