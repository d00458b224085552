"""Conversations that ask nearly the same, and which one stays.

Near are the texts of users' and system's turns (transforms/text_duplicates.py), but only where the pictures are the
same, pixel for pixel and in order: "What is this?" of two pictures are two questions. So are, by default, prompts with
other numbers: their answers differ.
"""

from __future__ import annotations

import re

import numpy as np
import xxhash

from configs.schema.sft import PromptDuplicateRules
from transforms.minhash import Wide, shingle_hashes
from transforms.records import Drop, Sample, Text, pictures
from transforms.text_duplicates import TextDuplicates


def prompt_text(sample: Sample) -> str:
    """All turns but the responses, a line between two."""
    return "\n".join(p.value for p in sample.pieces if isinstance(p, Text) and p.role != "assistant")


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class PromptDuplicates(TextDuplicates):
    """Conversations that are still alive meet under the signature of their prompt and pictures, and those near it."""

    name = "prompt_duplicates"

    def __init__(self, rules: PromptDuplicateRules) -> None:
        super().__init__(rules)
        self._same_numbers = rules.same_numbers

    def shingles(self, sample: Sample) -> Wide:
        text = prompt_text(sample)
        found = shingle_hashes(text, self.rules.words, self.rules.characters)
        pixels = b"".join(picture.pixels or picture.sha256 for picture in pictures(sample))
        if not len(found) and (pixels or text.strip()):  # pictures alone, or signs, are asked about as they are
            found = np.array([xxhash.xxh3_64_intdigest(text.strip().encode())], np.uint64)
        apart = pixels + (" ".join(_NUMBER.findall(text)).encode() if self._same_numbers else b"")
        # Under other pictures or numbers every shingle is another one, so that no two signatures are alike.
        return np.unique(found ^ np.uint64(xxhash.xxh3_64_intdigest(apart))) if apart else found

    def weight(self, sample: Sample) -> int:
        length = sum(len(p.value) for p in sample.pieces if isinstance(p, Text) and p.role == "assistant")
        return length if self.keeps_longest else -length


def check_prompt_duplicate(sample: Sample, rules: PromptDuplicateRules) -> Drop | None:
    """Drop every conversation but the one that stays, whose key is in `text_duplicate_of`."""
    kept = sample.measures.get("text_duplicate_of", sample.key)
    if not rules.enabled or kept == sample.key:
        return None
    return Drop("prompt_duplicate", float(sample.measures["text_similarity"]), rules.min_similarity, str(kept))
