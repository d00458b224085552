"""Fingerprints: short hashes that say what made a file, and hashes that stand for chance.

Left out on purpose: which parts enter a stage's fingerprint; that is beside the stage.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

_WIRED = ("caption", "against", "interleaved_web", "sft", "kinds")
_WIRING = tuple(f"pipelines/{name}.py" for name in _WIRED)
CODE = ("transforms", "classifiers", "recaption", "configs/schema", *_WIRING)
"""Whatever can change a row or a shard. The report and the command line cannot."""


def fingerprint(*parts: Any) -> str:
    """32 hex digits of plain values, structs and bytes; equal only where all parts are equal and in order."""
    return hashlib.blake2b(msgspec.msgpack.encode(parts, order="deterministic"), digest_size=16).hexdigest()


def digest(data: bytes) -> bytes:
    """16 bytes: a key to group by. At ten billion keys a chance collision is below 1e-18."""
    return hashlib.blake2b(data, digest_size=16).digest()


def file_digest(path: Path) -> str:
    """SHA-256 in hex of all bytes of a file, which is not held in memory. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def chance(seed: int, key: str, purpose: str) -> float:
    """A number in [0, 1) that is the same on every machine, run and retry (law 4)."""
    hashed = hashlib.blake2b(f"{seed}\0{purpose}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(hashed, "big") >> 11) / 2**53


@cache
def code_fingerprint() -> str:
    """Hash of the source that decides and writes: after any change of it nothing old is taken over."""
    root = Path(__file__).resolve().parent.parent
    files = sorted(
        path
        for part in CODE
        for path in ([root / part] if part.endswith(".py") else root.glob(f"{part}/**/*"))
        if path.suffix in (".py", ".txt", ".tsv")
    )
    return fingerprint([(str(path.relative_to(root)), path.read_bytes()) for path in files])
