"""Oracles for concept matching: MetaCLIP's rules by the letter, and the same with a set instead of a loop."""

import gzip
import json
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[3] / "shared/data/captions_text/captions.jsonl.gz"
real_captions_only = pytest.mark.skipif(not REAL.exists(), reason="../shared/data is not here")


def real_captions() -> list[str]:
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        return [json.loads(line)["caption"] for line in file]


def spaced(text: str) -> str:
    """FACTS: text -> " text ", each of , . ; : ? ! ` wrapped in spaces, tab, newline, return -> space."""
    text = f" {text} "
    for sign in [",", ".", ";", ":", "?", "!", "`"]:
        text = text.replace(sign, f" {sign} ")
    for space in ["\t", "\n", "\r"]:
        text = text.replace(space, " ")
    return text


def no_space_wanted(character: str) -> bool:
    """MetaCLIP 2: CJK, Thai, Lao, Burmese, Khmer, Tibetan or punctuation; its ranges, its list of signs."""
    code = ord(character)
    han = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F)]
    han += [(0x2B820, 0x2CEAF), (0x2CEB0, 0x2EBEF), (0xF900, 0xFAFF), (0x2E80, 0x2EFF), (0x2F00, 0x2FDF)]
    others = [
        (0x2FF0, 0x2FFF),
        (0x0E00, 0x0E7F),
        (0x0E80, 0x0EFF),
        (0x1000, 0x109F),
        (0x1780, 0x17FF),
        (0x0F00, 0x0FFF),
    ]
    signs = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~，。、；：？！“”‘’（）【】《》〈〉「」『』～—"
    return any(low <= code <= high for low, high in han + others) or character in signs


def padded(entry: str, version: int) -> str:
    left = "" if version == 2 and no_space_wanted(entry[0]) else " "
    right = "" if version == 2 and no_space_wanted(entry[-1]) else " "
    return f"{left}{entry}{right}"


def naive(text: str, entries: list[str], version: int) -> list[int]:
    found = spaced(text)
    return [i for i, entry in enumerate(entries) if padded(entry, version) in found]


def by_set(text: str, patterns: dict[str, int], lengths: list[int]) -> list[int]:
    """All substrings of the lengths that patterns have, looked up."""
    found = spaced(text)
    ids = {
        patterns[found[start : start + length]]
        for length in lengths
        if length <= len(found)
        for start in range(len(found) - length + 1)
        if found[start : start + length] in patterns
    }
    return sorted(ids)


def by_edges(text: str, patterns: dict[str, int], longest: int) -> list[int]:
    """As `by_set` where every pattern begins and ends with a space: only substrings from one space to another."""
    found = spaced(text)
    spaces = [i for i, character in enumerate(found) if character == " "]
    ids = set()
    for index, start in enumerate(spaces):
        for end in spaces[index + 1 :]:
            if end - start >= longest:
                break
            if (entry := patterns.get(found[start : end + 1])) is not None:
                ids.add(entry)
    return sorted(ids)


def expected_matches(captions: list[str], patterns: list[str]) -> list[list[int]]:
    """Of each caption the patterns in it: those between spaces by `by_edges`, the others each looked for everywhere."""
    between = {pattern: i for i, pattern in enumerate(patterns) if pattern[0] == pattern[-1] == " "}
    longest = max(map(len, between))
    found = [by_edges(caption, between, longest) for caption in captions]
    texts = [spaced(caption) for caption in captions]
    starts, everything = list(accumulate((len(text) + 1 for text in texts), initial=0)), "\0".join(texts)
    for i, pattern in enumerate(patterns):
        if pattern not in between:
            at = everything.find(pattern)
            while at >= 0:
                caption = bisect_right(starts, at) - 1
                found[caption].append(i)
                at = everything.find(pattern, starts[caption + 1] - 1)
    return [sorted(ids) for ids in found]
