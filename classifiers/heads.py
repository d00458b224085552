"""Heads on CLIP image embeddings: probabilities of classes that are named in the file, calibrated by temperature.

A head is one .safetensors file of a few kB: float32 weights, and in its metadata a card and a digest of both. The card
names classes, the CLIP model it belongs to (by the fingerprint of its weights) and held-out figures; it bears no date,
so that equal training gives equal bytes. What a head is asked with is cut to float16, as sidecars and caches hold
embeddings, and computed in float64: a picture gets the same four decimals alone, in any batch, and from a sidecar.
Left out on purpose: training (classifiers/head_training.py), embedding (classifiers/clip.py), thresholds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from classifiers.errors import ModelError
from transforms.class_scores import softmax
from transforms.storage import storage_for

Array = np.ndarray[Any, np.dtype[np.float64]]
Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]
FORMAT = "beamsift-head-1"
METADATA = "beamsift"
"""One key and no more: safetensors does not keep several in one order."""
MISSING = "heads: expected safetensors, found {error}; pip install 'beamsift[models]'"


class Clip(msgspec.Struct, frozen=True):
    """The CLIP model whose embeddings a head reads."""

    fingerprint: str
    """Of its weights (classifiers/clip_source.py), whatever the device and precision."""
    name: str
    """For people; of a local folder its last part."""


class Training(msgspec.Struct, frozen=True):
    sha256: str
    """Of the training set: a line `sha256 class` for each picture, sorted."""
    counts: dict[str, int]
    """Different pictures of each class."""
    l2: float
    """The weight that cross-validation chose."""
    class_weights: str
    seed: int
    folds: int


class HeldOut(msgspec.Struct, frozen=True):
    """Figures on training pictures, each predicted by a head of another fold; 4 decimals."""

    accuracy: float
    log_loss: float
    calibration_error: float
    """Expected calibration error with temperatures of other folds."""
    calibration_error_before: float
    """The same with a temperature of 1."""
    average_precision: dict[str, float]


class Card(msgspec.Struct, frozen=True):
    format: str
    classes: tuple[str, ...]
    kind: Literal["linear", "mlp"]
    dimensions: int
    hidden: int
    """Units of the hidden layer; 0 for a linear head."""
    temperature: float
    clip: Clip
    training: Training
    held_out: HeldOut


@dataclass(frozen=True)
class Head:
    """`weight` (classes, inputs) and `bias` (classes,); an MLP's also `hidden.weight` and `hidden.bias`. float32."""

    card: Card
    tensors: Tensors = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.card.classes

    def predict(self, embeddings: np.ndarray[Any, Any] | Sequence[np.ndarray[Any, Any]]) -> Array:
        """(n, classes) probabilities of (n, dimensions) embeddings, rounded to 4 decimals.

        Raises ModelError for other dimensions or a value that is not finite.
        """
        if not len(embeddings):
            return np.empty((0, len(self.classes)))
        given = np.asarray(embeddings, dtype=np.float16).reshape(len(embeddings), -1).astype(np.float64)
        if given.shape[1] != self.card.dimensions:
            raise ModelError(f"head: expected embeddings of {self.card.dimensions} numbers, found {given.shape[1]}")
        if not np.isfinite(given).all():
            raise ModelError("head: expected finite embeddings, found one that is not")
        return np.round(softmax(forward(given, self.tensors) / self.card.temperature), 4)

    def fingerprint(self) -> str:
        """Hex digest of all that decides a probability."""
        return hashlib.blake2b(format_head(self), digest_size=16).hexdigest()


def forward(inputs: Array, tensors: Mapping[str, np.ndarray[Any, Any]]) -> Array:
    """Logits (n, classes) of inputs (n, dimensions), in float64."""
    if "hidden.weight" in tensors:
        inputs = np.maximum(_affine(inputs, tensors["hidden.weight"], tensors["hidden.bias"]), 0.0)
    return _affine(inputs, tensors["weight"], tensors["bias"])


def _affine(inputs: Array, weight: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> Array:
    outputs: Array = inputs @ weight.astype(np.float64).T + bias.astype(np.float64)
    return outputs


def format_head(head: Head) -> bytes:
    """The bytes of the .safetensors file; the same for the same head."""
    save = _safetensors().save
    told = json.dumps({"card": card_values(head.card), "sha256": _digest(head)}, sort_keys=True, ensure_ascii=False)
    made: bytes = save({name: head.tensors[name] for name in sorted(head.tensors)}, metadata={METADATA: told})
    return made


def parse_head(data: bytes, place: str, clip: str | None = None) -> Head:
    """The inverse of `format_head`. `clip` is the fingerprint of the CLIP model whose embeddings will be asked about.

    Raises ModelError naming `place` where the file is damaged, no head of ours, or one of another CLIP model.
    """
    safetensors = _safetensors()
    try:
        tensors = safetensors.load(data)
        told = json.loads(_metadata(data)[METADATA])
        head = Head(msgspec.convert(told["card"], Card), tensors)
        sound = told["sha256"] == _digest(head) and _shapes(head.card) == {n: t.shape for n, t in tensors.items()}
    except Exception as error:  # safetensors has an exception of its own, json, msgspec and lookups have theirs
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{place}: expected a {FORMAT} file, found {type(error).__name__}: {reason}") from error
    if not sound or head.card.format != FORMAT:
        raise ModelError(f"{place}: expected a whole {FORMAT} file, found one whose digest or shapes do not fit")
    if clip is not None and clip != head.card.clip.fingerprint:
        found = f"{head.card.clip.fingerprint} ({head.card.clip.name})"
        raise ModelError(f"{place}: expected a head of the CLIP model {clip}, found one of {found}")
    return head


def load_head(uri: str, clip: str | None = None) -> Head:
    """As `parse_head`, from a file; ModelError where there is none."""
    try:
        with storage_for(uri).open(uri) as file:
            data = file.read()
    except OSError as error:
        raise ModelError(f"{uri}: expected a head's .safetensors file: {error}") from error
    return parse_head(data, uri, clip)


def card_values(card: Card) -> dict[str, Any]:
    """The card as plain JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(card)
    return values


def format_card(card: Card) -> str:
    """The card as people read it, beside the weights; nothing reads it back."""
    return json.dumps(card_values(card), indent=1, ensure_ascii=False) + "\n"


def _shapes(card: Card) -> dict[str, tuple[int, ...]]:
    inner = {"hidden.weight": (card.hidden, card.dimensions), "hidden.bias": (card.hidden,)} if card.hidden else {}
    classes = len(card.classes)
    return {**inner, "weight": (classes, card.hidden or card.dimensions), "bias": (classes,)}


def _digest(head: Head) -> str:
    made = hashlib.sha256(json.dumps(card_values(head.card), sort_keys=True).encode())
    for name in sorted(head.tensors):
        tensor = np.ascontiguousarray(head.tensors[name], dtype="<f4")
        made.update(f"\0{name}{tensor.shape}\0".encode() + tensor.tobytes())
    return made.hexdigest()


def _metadata(data: bytes) -> dict[str, str]:
    size = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
    return found


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ModelError(MISSING.format(error=error)) from error
    return safetensors.numpy
