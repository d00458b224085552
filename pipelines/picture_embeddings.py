"""CLIP embeddings of pictures, remembered beside a head by sha256: a second round asks the model about new ones only.

    FOLDER/<16 digits of the model's fingerprint>/<sha256 of the keys>.npz
        sha256 (n, 32) uint8, embeddings (n, dimensions) float16

Files are only ever added, each whole under the name of what it holds, so that two commands may write at once.
Left out on purpose: what a run's relevance step remembers (transforms/sidecars.py); forgetting.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from classifiers.clip import ClipScorer
from classifiers.errors import ModelError
from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from pipelines.labelled_pictures import LeftOut, Pictures, Seen
from transforms.loaded import batched
from transforms.materialise import SpanReader
from transforms.pictures import PictureError, decode
from transforms.storage import join, storage_for

Embeddings = np.ndarray[Any, np.dtype[np.float16]]
PART = 4096
"""Pictures after which what is known is written: a killed round loses no more."""


class EmbeddingCache:
    """Rows of float16 by sha256 in hex, of one model."""

    def __init__(self, folder: str, fingerprint: str) -> None:
        self._folder = join(folder, hashlib.sha256(fingerprint.encode()).hexdigest()[:16])

    def load(self) -> dict[str, Embeddings]:
        """All that is remembered. Raises ModelError naming a damaged file."""
        storage, known = storage_for(self._folder), dict[str, Embeddings]()
        for file in storage.list(self._folder):
            if file.uri.endswith(".npz"):
                with storage.open(file.uri) as opened:
                    known.update(_parse(opened.read(), file.uri))
        return known

    def add(self, rows: dict[str, Embeddings]) -> None:
        """Remembers `rows`; nothing is written for none."""
        if rows:
            uri = join(self._folder, f"{hashlib.sha256(''.join(sorted(rows)).encode()).hexdigest()}.npz")
            storage_for(uri).write(uri, _format(rows))


def embed_pictures(
    pictures: Pictures, scorer: ClipScorer, cache: EmbeddingCache, rules: ReadRules, say: Callable[[str], None]
) -> tuple[Pictures, Embeddings]:
    """The pictures that decode, in their order, and their embeddings (n, dimensions).

    The model is loaded only where a picture is not remembered. Raises ConfigError where no picture is left.
    """
    known = cache.load()
    missing = [one for one in pictures.found if one.sha256 not in known]
    left_out = list(pictures.left_out)
    if missing:
        say(f"embedding {len(missing)} pictures, {len(pictures.found) - len(missing)} remembered")
        for part in batched(missing, PART):
            made = dict(_embed(part, scorer, rules, left_out))
            cache.add(made)
            known |= made
    kept = [one for one in pictures.found if one.sha256 in known]
    if not kept:
        raise ConfigError(f"expected pictures that decode, found none; {tell_left_out(left_out)}")
    return Pictures(kept, left_out), np.stack([known[one.sha256] for one in kept])


def read_pictures(seen: Sequence[Seen]) -> Iterator[tuple[Seen, bytes]]:
    """The bytes of each picture, in the order of their files. Raises OSError where they are not there any more."""
    with tempfile.TemporaryDirectory(prefix="beamsift-") as staging, SpanReader(staging) as spans:
        ordered = sorted(seen, key=lambda one: (one.span.uri, one.span.start, one.place))
        spans.expect([one.span for one in ordered])
        for one in ordered:
            yield one, spans.read(one.span)


def tell_left_out(left_out: Sequence[LeftOut], named: int = 3) -> str:
    """`left out: 2 PictureTruncated, 1 Copy (first: a.jpg, …)`, or an empty text."""
    if not left_out:
        return ""
    counts: dict[str, int] = {}
    for one in left_out:
        counts[one.error] = counts.get(one.error, 0) + 1
    told = ", ".join(f"{n} {error}" for error, n in sorted(counts.items()))
    places = ", ".join(one.place for one in left_out[:named])
    return f"left out: {told} (first: {places}{', …' if len(left_out) > named else ''})"


def _embed(
    seen: Sequence[Seen], scorer: ClipScorer, rules: ReadRules, left_out: list[LeftOut]
) -> Iterator[tuple[str, Embeddings]]:
    for part in batched(_decoded(seen, rules, left_out), scorer.rules.batch_size):
        scorer.load()  # here, because what is missing every round may be pictures that never decode
        rows = scorer.embed([pixels for _, pixels in part]).astype(np.float16)
        yield from zip([sha256 for sha256, _ in part], rows, strict=True)


def _decoded(
    seen: Sequence[Seen], rules: ReadRules, left_out: list[LeftOut]
) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.uint8]]]]:
    for one, data in read_pictures(seen):
        try:
            yield one.sha256, decode(data, rules.max_decode_pixels)
        except PictureError as error:
            left_out.append(LeftOut(one.place, error.error, str(error)))


def _format(rows: dict[str, Embeddings]) -> bytes:
    keys, made = sorted(rows), io.BytesIO()
    digests = np.frombuffer(bytes.fromhex("".join(keys)), dtype=np.uint8).reshape(len(keys), 32)
    np.savez(made, sha256=digests, embeddings=np.stack([rows[key] for key in keys]))
    return made.getvalue()


def _parse(data: bytes, place: str) -> dict[str, Embeddings]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            digests, rows = found["sha256"], found["embeddings"].astype(np.float16)
        return {digest.tobytes().hex(): row for digest, row in zip(digests, rows, strict=True)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{place}: expected remembered embeddings, found {error}; remove the file") from error
