"""Remembered answers: what a dear model said of one unit's rows, kept batch by batch and known by what was asked.

A killed run, or one whose server fell over, asks only for what it has no answer to; so does one with other thresholds,
which send other rows to the model. An answer is remembered by a digest of the question and of who was asked. Each batch
is a sidecar of its own until the unit's is whole; then the unit's is the memory, also of answers that its rows do not
need at the moment.
Left out on purpose: what the question is, which is beside the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from transforms.fingerprints import fingerprint
from transforms.sidecars import create_sidecar, read_records
from transforms.storage import Storage, join


class Memory:
    """`scope` says who is asked: answers under another one are not known. An answer that is not final, a time-out, is
    worth asking again by whoever comes after."""

    def __init__(
        self, storage: Storage, sidecar: str, folder: str, scope: str, is_final: Callable[[Any], bool] = lambda _: True
    ) -> None:
        self._storage, self._folder, self._scope, self._is_final = storage, folder, scope, is_final
        self._known: dict[bytes, Any] = {}
        for uri in [sidecar, *sorted(self._parts())]:
            self._known.update(self._read(uri))

    def digest(self, question: Any) -> bytes:
        """16 bytes that stand for the question put to this model."""
        return bytes.fromhex(fingerprint(self._scope, question))

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._known

    def __getitem__(self, digest: bytes) -> Any:
        return self._known[digest]

    def others(self, digests: Iterable[bytes]) -> list[tuple[bytes, Any]]:
        """Answers to questions that are no longer put: a threshold that moves back puts them again."""
        asked = set(digests)
        return sorted((digest, answer) for digest, answer in self._known.items() if digest not in asked)

    def add(self, answers: Iterable[tuple[bytes, Any]]) -> None:
        """Keeps what one batch was told, on disk before anything else is asked."""
        told = dict(answers)
        self._known.update(told)
        fresh = {digest: answer for digest, answer in told.items() if self._is_final(answer)}
        if not fresh:
            return
        name = fingerprint(sorted(fresh))
        with create_sidecar(self._storage, join(self._folder, f"{name}.arrow"), self._scope) as part:
            for digest, answer in fresh.items():
                part.append(encode_answer(NO_ROW, answer, digest))

    def forget_parts(self) -> None:
        """Once the unit's own sidecar holds them."""
        for uri in self._parts():
            self._storage.delete(uri)

    def _parts(self) -> list[str]:
        return [file.uri for file in self._storage.list(self._folder) if file.uri.endswith(".arrow")]

    def _read(self, uri: str) -> Iterator[tuple[bytes, Any]]:
        try:
            for record in read_records(self._storage, uri):
                _, answer, *digest = msgspec.msgpack.decode(record)
                if digest and self._is_final(answer):
                    yield digest[0], answer
        except FileNotFoundError:  # no such sidecar yet, or a part that another attempt has put into it
            return


NO_ROW = -1
"""The position of an answer that no row needs."""


def encode_answer(position: int, answer: Any, digest: bytes) -> bytes:
    """A record that a join reads as (position, answer)."""
    return msgspec.msgpack.encode((position, answer, digest))
