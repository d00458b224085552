"""Prompts: named, versioned texts in recaption/prompts/, one file a language. A change of wording is a new version.

Left out on purpose: templates with logic. A prompt has at most one place to fill, `{captions}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from configs.schema.strict import ConfigError

FOLDER = Path(__file__).parent / "prompts"
LANGUAGES = ("en", "zh")
PLACE = "{captions}"
MOST_CAPTION_CHARACTERS = 4_000
"""Of one original as shown to the model: `caption.max_characters`, so that one row cannot fill the context."""


@dataclass(frozen=True)
class Prompt:
    name: str
    language: str
    text: str

    @property
    def version(self) -> str:
        """`refine-1.en:` and 12 hex digits of the text's hash."""
        return f"{self.name}.{self.language}:{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    def fill(self, originals: Sequence[str]) -> str:
        """The text to send, each original on a line of its own.

        Originals are data: nothing in one is filled again, and `<|`, which opens the marks of most chat templates, is
        taken apart.
        """
        lines = "\n".join(f"- {' '.join(original.split())[:MOST_CAPTION_CHARACTERS]}" for original in originals)
        return self.text.replace(PLACE, lines.replace("<|", "< |") or "-")


def list_prompts() -> list[str]:
    """Names of all prompts, without their languages."""
    return sorted({path.name.split(".")[0] for path in FOLDER.glob("*.txt")})


@cache
def load_prompt(name: str, language: str) -> Prompt:
    """The prompt's text in `language`, in English where it is written in no such. Raises ConfigError."""
    written = language if language in LANGUAGES else "en"
    path = FOLDER / f"{name}.{written}.txt"
    if name not in list_prompts() or not path.is_file():
        raise ConfigError(f"recaption.captioner.prompt: expected one of {', '.join(list_prompts())}, found {name!r}")
    return Prompt(name, written, path.read_text(encoding="utf-8").strip())


def load_prompts(name: str) -> list[Prompt]:
    """The prompt in every language, in the order of LANGUAGES."""
    return [load_prompt(name, language) for language in LANGUAGES]


def choose_prompt(name: str, language: str, originals: Sequence[str]) -> Prompt:
    """By the asked language, else Chinese where half of the originals' letters are Han, else English."""
    letters = [c for text in originals for c in text if c.isalpha()]
    han = sum("\u3400" <= c <= "\u9fff" for c in letters)
    return load_prompt(name, language or ("zh" if letters and 2 * han >= len(letters) else "en"))
