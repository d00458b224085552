"""Config of train/chat: how samples become tokens, and what of them is trained on.

GLM-4.1V (sections 3.2 and 4) gives the tags and masks; what it does not state is named where it stands.
"""

from __future__ import annotations

from typing import Literal

from configs.schema.strict import Strict


class ChatRules(Strict):
    form: Literal["glm-4.1v", "glm-4.5v"] = "glm-4.1v"
    """How responses are written, whatever form the data has: with answer tags, or without."""
    history: Literal["strip", "keep"] = "strip"
    """What becomes of the thoughts of earlier turns. The README of zai-org/GLM-V: they are not stored as history; the
    template of GLM-4.5V removes them, that of GLM-4.1V writes what it is given."""
    turns: Literal["all", "last", "each"] = "all"
    """Which responses are trained on. `all`: but those whose thought is stripped. `each`: a sample for every response,
    with the turns before it, so that every thought is trained on as it is asked for."""
    end: Literal["<|user|>", "<|endoftext|>"] = "<|user|>"
    """What ends the last response. Not stated; both stop the released model, and the first also ends earlier ones."""
    system: str = ""
    """System prompt of conversations that have none."""
    weighting: Literal["token", "sample", "square_root"] = "square_root"
    """Weight of each of a sample's n trained tokens: 1, 1 / n, or 1 / sqrt(n) (InternVL 2.5, arXiv 2412.05271)."""
    too_long: Literal["cut", "drop"] = "cut"
    """Of samples over the context. `cut`: documents at paragraph borders, conversations at the end of a response."""
    add_missing_tokens: bool = False
    """Whether special tokens that the tokenizer lacks get new ids at its end. GLM-4.1V-9B-Base lacks the six tags."""
