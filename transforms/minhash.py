"""MinHash: a signature of a text's shingles, whose share of equal values estimates the Jaccard similarity of two texts.

A shingle is five words, or five characters where a script writes no spaces; each is one number, made of its words' by a
rolling polynomial over the whole text at once. `size` permutations of these numbers keep the least value each, of
which 16 bits are stored: two values meet by chance once in 65,536.
Left out on purpose: who meets whom (transforms/text_duplicates.py). A library: rensa wants shingles as strings, which
cost more to make than the signature.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import xxhash

from transforms.words import split_words, unspaced_share

VALUE_BYTES = 2
_UNSPACED_TEXT = 0.3
"""Share of characters from which a text is one of a script without spaces. Two versions of a text on either side of it
are not found."""
_CHUNK = 512
"""Shingles permuted at a time: half a megabyte, which stays in the cache."""
_FACTOR, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_SKIPPED = re.compile(r"[\W_]+")

Wide = np.ndarray[Any, np.dtype[np.uint64]]
Values = np.ndarray[Any, np.dtype[np.uint16]]


def shingle_hashes(text: str, words: int, characters: int) -> Wide:
    """Different 64-bit hashes of the shingles, in order of their values; one of a text shorter than a shingle.

    Case, spacing and punctuation aside. None of a text without a letter or digit.
    """
    if unspaced_share(text) >= _UNSPACED_TEXT:
        letters = np.frombuffer(_SKIPPED.sub("", text.casefold()).encode("utf-32-le"), np.uint32)
        units, size = _mixed(letters.astype(np.uint64)), characters
    else:
        units, size = np.array([_hash_word(word) for word in split_words(text)], np.uint64), words
    if not len(units):
        return units
    size = min(size, len(units))
    rolled = np.zeros(len(units) - size + 1, np.uint64)
    for place in range(size):
        rolled = rolled * _FACTOR + units[place : place + len(rolled)]
    hashes: Wide = np.unique(_mixed(rolled))
    return hashes


def signature(hashes: Wide, size: int) -> bytes:
    """`size` values of VALUE_BYTES each, little-endian; empty for no hashes. Equal sets have equal signatures."""
    if not len(hashes):
        return b""
    factors, terms = _permutations(size)
    least = np.full(size, np.iinfo(np.uint32).max, np.uint32)
    numbers = (hashes >> np.uint64(32)).astype(np.uint32)
    for start in range(0, len(numbers), _CHUNK):
        permuted = numbers[start : start + _CHUNK, None] * factors
        permuted += terms
        np.minimum(least, permuted.min(axis=0), out=least)
    return least.astype("<u2").tobytes()


def read_signatures(data: bytes, size: int) -> Values:
    """(n, size) of n signatures one after the other."""
    return np.frombuffer(data, "<u2").reshape(-1, size)


def estimate_similarity(one: Values, others: Values) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Estimated Jaccard similarities of one signature with each of (n, size) others, 0..1, in four decimals."""
    equal: np.ndarray[Any, np.dtype[np.float64]] = np.round((others == one).mean(axis=1), 4)
    return equal


@lru_cache(maxsize=1 << 16)
def _hash_word(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode())


def _mixed(numbers: Wide) -> Wide:
    """splitmix64's last steps: near numbers become unlike ones."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIX
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _FACTOR
    return numbers ^ (numbers >> np.uint64(31))


@lru_cache(maxsize=8)
def _permutations(size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Odd factors and terms: x -> a x + b mod 2^32 is one to one. The same on every machine."""
    seeds = _mixed(np.arange(1, 2 * size + 1, dtype=np.uint64) * _FACTOR)
    wide = (seeds >> np.uint64(32)).astype(np.uint32)
    return wide[:size] | np.uint32(1), wide[size:]


def hash_bands(values: Values, bands: int, rows: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """(n, bands) of (n, size) signatures; the same values in another band have another hash."""
    found = np.empty((len(values), bands), np.uint64)
    for band in range(bands):
        hashes = np.full(len(values), band + 1, np.uint64)
        for column in values[:, band * rows : (band + 1) * rows].T:
            hashes = (hashes ^ column.astype(np.uint64)) * _FACTOR
            hashes ^= hashes >> np.uint64(29)
        found[:, band] = hashes
    return found
