"""Fits a head to labelled embeddings: cross-validated weight decay, held-out figures, a temperature; the same bytes
for the same labels, whatever their order.

L-BFGS in float64 on one thread, because a thousand embeddings of a few hundred numbers are one matrix product and no
data loader. Rows are put in the order of their pictures' sha256 and folds are drawn by its hash.
Left out on purpose: reading labels (pipelines/labelled_pictures.py); training the CLIP model along with the head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classifiers.errors import ModelError
from classifiers.heads import FORMAT, Array, Card, Clip, Head, HeldOut, Training, forward
from configs.schema.classifier import HeadRules
from transforms.class_scores import (
    Whole,
    average_precision,
    balanced_weights,
    best_temperature,
    calibration_error,
    log_loss,
    precision_recall,
    softmax,
)
from transforms.fingerprints import chance

MISSING = "classifier fit: expected torch, found {error}; pip install 'beamsift[models]'"
PURPOSE = "classifier fold"


class TrainingError(ValueError):
    """The labels cannot give a head; says what was expected and what was found."""


@dataclass(frozen=True)
class Labelled:
    """Different pictures with one label each, in any order. `embeddings` (n, dimensions), others n long."""

    sha256: Sequence[str]
    labels: Sequence[str]
    embeddings: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fitted:
    """A head, and what heads of other folds said of its training pictures, in the order of `sha256`."""

    head: Head
    sha256: tuple[str, ...]
    truth: Whole
    held_out: Array
    """(n, classes) probabilities, temperatures of other folds."""
    before: Array
    """The same with a temperature of 1."""
    losses: dict[float, float]
    """Held-out log loss by weight of the squared norm."""


@dataclass(frozen=True)
class _Set:
    inputs: Array
    truth: Whole
    weights: Array
    classes: int

    def rows(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> _Set:
        return _Set(self.inputs[chosen], self.truth[chosen], self.weights[chosen], self.classes)


def fit_head(labelled: Labelled, clip: Clip, rules: HeadRules, seed: int) -> Fitted:
    """The head of the classes that the labels name, in alphabetical order.

    Raises TrainingError for one class only or a class of fewer pictures than `rules.least_pictures`.
    """
    order = sorted(range(len(labelled.sha256)), key=lambda row: labelled.sha256[row])
    keys = tuple(labelled.sha256[row] for row in order)
    classes, counts = count_classes(labelled.labels, rules.least_pictures)
    truth = np.array([classes.index(labelled.labels[row]) for row in order], dtype=np.int64)
    # float16 first: what a head is asked with is cut the same way.
    inputs = np.asarray(labelled.embeddings)[order].astype(np.float16).astype(np.float64)
    weights = balanced_weights(truth, len(classes)) if rules.class_weights == "balanced" else np.ones(len(truth))
    whole, folds = _Set(inputs, truth, weights, len(classes)), draw_folds(keys, truth, rules.folds, seed)
    with _one_thread() as torch:
        logits = {l2: _held_out_logits(torch, whole, folds, (rules, l2, seed)) for l2 in sorted(set(rules.l2))}
        losses = {l2: round(log_loss(softmax(found), truth, weights), 6) for l2, found in logits.items()}
        l2 = min(losses, key=lambda tried: (losses[tried], -tried))
        tensors = _fit(torch, whole, (rules, l2, seed))
    held_out = _calibrated(logits[l2], whole, folds)
    before = softmax(logits[l2])
    figures = _figures(whole, held_out, before, (classes, rules.bins))
    training = Training(training_sha256(keys, truth, classes), counts, l2, rules.class_weights, seed, rules.folds)
    temperature, hidden = best_temperature(logits[l2], truth, weights), rules.hidden if rules.kind == "mlp" else 0
    card = Card(FORMAT, classes, rules.kind, inputs.shape[1], hidden, temperature, clip, training, figures)
    return Fitted(Head(card, tensors), keys, truth, held_out, before, losses)


def count_classes(labels: Sequence[str], least: int) -> tuple[tuple[str, ...], dict[str, int]]:
    """The classes in alphabetical order and how many pictures each has. Raises TrainingError."""
    counts = {name: labels.count(name) for name in sorted(set(labels))}
    if len(counts) < 2:
        raise TrainingError(f"expected two classes or more, found {list(counts) or 'no labelled picture'}")
    if few := {name: n for name, n in counts.items() if n < least}:
        raise TrainingError(
            f"expected {least} different pictures of each class (head.least_pictures), found "
            + ", ".join(f"{n} of {name!r}" for name, n in few.items())
        )
    return tuple(counts), counts


def draw_folds(keys: Sequence[str], truth: Whole, folds: int, seed: int) -> Whole:
    """(n,) a fold for each picture: those of a class are dealt out in the order of their hashes."""
    found = np.zeros(len(keys), dtype=np.int64)
    for number in np.unique(truth):
        own = sorted(
            np.flatnonzero(truth == number).tolist(), key=lambda row: (chance(seed, keys[row], PURPOSE), keys[row])
        )
        found[own] = np.arange(len(own)) % folds
    return found


def training_sha256(keys: Sequence[str], truth: Whole, classes: Sequence[str]) -> str:
    lines = sorted(f"{key} {classes[number]}\n" for key, number in zip(keys, truth, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _held_out_logits(torch: Any, whole: _Set, folds: Whole, how: tuple[HeadRules, float, int]) -> Array:
    found = np.zeros((len(whole.truth), whole.classes))
    for fold in np.unique(folds):
        tensors = _fit(torch, whole.rows(folds != fold), how)
        found[folds == fold] = forward(whole.inputs[folds == fold], tensors)
    return found


def _calibrated(logits: Array, whole: _Set, folds: Whole) -> Array:
    """Probabilities of each fold by the temperature of the others, so that no figure has seen its own picture."""
    found = np.zeros_like(logits)
    for fold in np.unique(folds):
        others = folds != fold
        temperature = best_temperature(logits[others], whole.truth[others], whole.weights[others])
        found[~others] = softmax(logits[~others] / temperature)
    return np.round(found, 4)


def _figures(whole: _Set, held_out: Array, before: Array, told: tuple[Sequence[str], int]) -> HeldOut:
    classes, bins = told
    truth, weights = whole.truth, whole.weights
    errors = [calibration_error(found, truth, bins, weights) for found in (held_out, before)]
    curves = {name: precision_recall(held_out[:, number], truth == number) for number, name in enumerate(classes)}
    return HeldOut(
        accuracy=round(float(np.mean(held_out.argmax(axis=1) == truth)), 4),
        log_loss=round(log_loss(held_out, truth, weights), 4),
        calibration_error=errors[0],
        calibration_error_before=errors[1],
        average_precision={name: average_precision(curve) for name, curve in curves.items()},
    )


def _fit(torch: Any, part: _Set, how: tuple[HeadRules, float, int]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """The tensors of one head, on inputs as they are: centre and scale are folded into the first layer."""
    rules, l2, seed = how
    centre, scale = part.inputs.mean(axis=0), float(part.inputs.std()) or 1.0
    layers = [torch.from_numpy(one).requires_grad_() for one in _first_weights(part, rules, seed)]
    scaled = replace(part, inputs=(part.inputs - centre) / scale)
    _descend(torch, layers, scaled, (l2, rules.max_iterations))
    fitted = [layer.detach().numpy() for layer in layers]
    if not all(np.isfinite(layer).all() for layer in fitted):
        raise ModelError("classifier fit: expected finite weights, found one that is not")
    fitted[1] = fitted[1] - fitted[0] @ centre / scale
    fitted[0] = fitted[0] / scale
    names = ("hidden.weight", "hidden.bias", "weight", "bias")[-len(fitted) :]
    return {name: np.ascontiguousarray(layer, dtype=np.float32) for name, layer in zip(names, fitted, strict=True)}


def _descend(torch: Any, layers: list[Any], part: _Set, how: tuple[float, int]) -> None:
    """Moves `layers` (weight, bias, weight, bias) to the least weighted log loss and squared norm, by L-BFGS."""
    l2, steps = how
    inputs, truth = torch.from_numpy(part.inputs), torch.from_numpy(part.truth)
    weights = torch.from_numpy(part.weights / part.weights.sum())
    optimizer = torch.optim.LBFGS(
        layers, max_iter=steps, history_size=20, tolerance_grad=1e-7, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        optimizer.zero_grad()
        outputs = inputs
        for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            outputs = torch.relu(outputs @ weight.T + bias)
        losses = torch.nn.functional.cross_entropy(outputs @ layers[-2].T + layers[-1], truth, reduction="none")
        loss = (losses * weights).sum() + l2 / 2 * sum((weight**2).sum() for weight in layers[::2])
        loss.backward()
        return loss

    optimizer.step(closure)


def _first_weights(part: _Set, rules: HeadRules, seed: int) -> list[Array]:
    """Zeros for a linear head, whose loss has one minimum; seeded ones of variance 2 / inputs for an MLP (He 2015)."""
    wide = part.inputs.shape[1]
    if rules.kind == "linear":
        return [np.zeros((part.classes, wide)), np.zeros(part.classes)]
    rng = np.random.Generator(np.random.PCG64(seed))
    inner = rng.normal(0, (2 / wide) ** 0.5, (rules.hidden, wide))
    outer = rng.normal(0, (2 / rules.hidden) ** 0.5, (part.classes, rules.hidden))
    return [inner, np.zeros(rules.hidden), outer, np.zeros(part.classes)]


@contextmanager
def _one_thread() -> Iterator[Any]:
    """torch on one thread: sums in another order would give other last digits, and so other bytes."""
    try:
        import torch
    except ImportError as error:
        raise ModelError(MISSING.format(error=error)) from error
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(before)
