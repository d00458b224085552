"""Chance as a hash: every draw of the world is a function of (seed, index, purpose), so any sample is drawn alone."""

from __future__ import annotations

import hashlib
from random import Random

import numpy as np


def number_of(*parts: str | int) -> int:
    """64 bits from the parts; equal parts give the equal number on every machine."""
    return int.from_bytes(hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


def share_of(*parts: str | int) -> float:
    """A number in [0, 1) from the parts."""
    return number_of(*parts) / 2**64


def random_of(*parts: str | int) -> Random:
    return Random(number_of(*parts))


def noise_of(*parts: str | int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(number_of(*parts)))
