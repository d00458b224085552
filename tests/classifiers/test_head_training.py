"""Fitting: the same bytes in any order, calibration that helps, weights of rare classes, labels that cannot serve."""

import hashlib

import numpy as np
import pytest

from classifiers.head_training import Labelled, TrainingError, draw_folds, fit_head
from classifiers.heads import Clip, format_head, forward
from configs.schema.classifier import HeadRules
from transforms.class_scores import calibration_error, log_loss, softmax

pytest.importorskip("torch")
CLIP = Clip("ab" * 16, "toy")
QUICK = HeadRules(l2=(1e-3,), folds=3)


def blobs(count: int, spread: float, seed: int, shares: tuple[float, ...] = (1, 1, 1)) -> Labelled:
    """Points of unit length around three directions; a greater spread mixes the classes."""
    rng = np.random.default_rng(seed)
    sizes = [round(count * share) for share in shares]
    rows = [np.eye(3, 12)[i] + rng.normal(0, spread, (n, 12)) for i, n in enumerate(sizes)]
    points = np.concatenate(rows)
    labels = [name for name, n in zip("abc", sizes, strict=True) for _ in range(n)]
    keys = [hashlib.sha256(f"{seed}:{i}".encode()).hexdigest() for i in range(len(labels))]
    return Labelled(keys, labels, points / np.linalg.norm(points, axis=1, keepdims=True))


def truth_of(labelled: Labelled) -> np.ndarray:
    return np.array(["abc".index(label) for label in labelled.labels])


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_the_same_labels_in_any_order_give_the_same_bytes(kind):
    rules, given = QUICK.model_copy(update={"kind": kind, "hidden": 4}), blobs(20, 0.3, 0)
    first = fit_head(given, CLIP, rules, 0)
    turned = Labelled(given.sha256[::-1], given.labels[::-1], given.embeddings[::-1])
    assert format_head(fit_head(turned, CLIP, rules, 0).head) == format_head(first.head)
    assert fit_head(blobs(20, 0.3, 1), CLIP, rules, 0).head.card.training.sha256 != first.head.card.training.sha256
    assert first.head.card.training.counts == {"a": 20, "b": 20, "c": 20}
    assert np.mean(first.head.predict(given.embeddings).argmax(axis=1) == truth_of(given)) > 0.9


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_calibrated_probabilities_are_better_on_pictures_nobody_saw(kind):
    """Fitted with hardly any decay to few and mixed points a head is too sure of itself."""
    rules = HeadRules(kind=kind, hidden=8, l2=(1e-5,), folds=10)
    head = fit_head(blobs(80, 0.35, 0), CLIP, rules, 0).head
    fresh = blobs(400, 0.35, 9)
    truth, after = truth_of(fresh), head.predict(fresh.embeddings)
    before = softmax(forward(fresh.embeddings.astype(np.float16).astype(float), head.tensors))
    assert head.card.temperature > 1.1
    assert calibration_error(after, truth, 10) < 0.6 * calibration_error(before, truth, 10)
    assert log_loss(after, truth) < log_loss(before, truth)
    assert head.card.held_out.calibration_error < head.card.held_out.calibration_error_before


def test_cross_validation_turns_from_a_decay_that_smothers_and_one_that_overfits():
    found = fit_head(blobs(30, 0.5, 0), CLIP, HeadRules(l2=(1e-6, 1e-2, 30.0), folds=3), 0)
    assert found.head.card.training.l2 == 0.01 and list(found.losses) == [1e-6, 1e-2, 30.0]


def test_a_rare_class_is_found_where_classes_weigh_the_same():
    given, fresh = blobs(200, 0.7, 0, (1, 1, 0.05)), blobs(200, 0.7, 9)
    recalls = []
    for weights in ("none", "balanced"):
        head = fit_head(given, CLIP, QUICK.model_copy(update={"class_weights": weights}), 0).head
        recalls.append(np.mean(head.predict(fresh.embeddings).argmax(axis=1)[truth_of(fresh) == 2] == 2))
    assert recalls[1] > recalls[0] + 0.2


def test_held_out_probabilities_are_of_heads_that_did_not_see_the_picture():
    """Labels drawn at random: a head that saw them would be right more often than one time in three."""
    given = blobs(40, 5.0, 0)
    found = fit_head(given, CLIP, HeadRules(l2=(1e-5,), folds=3), 0)
    assert np.mean(found.held_out.argmax(axis=1) == found.truth) < 0.5
    assert list(found.sha256) == sorted(given.sha256)


def test_folds_hold_every_class_alike_and_follow_the_hash():
    keys, truth = [f"{i:064x}" for i in range(25)], np.array([0] * 15 + [1] * 10)
    folds = draw_folds(keys, truth, 5, 0)
    assert [np.sum((folds == f) & (truth == 0)) for f in range(5)] == [3] * 5
    assert [np.sum((folds == f) & (truth == 1)) for f in range(5)] == [2] * 5
    assert draw_folds(keys, truth, 5, 1).tolist() != folds.tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "expected two classes or more, found no labelled picture"),
        ("aaaa", r"expected two classes or more, found \['a'\]"),
        ("a" * 12 + "bbb", r"expected 10 different pictures of each class .*, found 3 of 'b'"),
    ],
)
def test_labels_that_cannot_give_a_head(labels, message):
    keys = [f"{i:064x}" for i in range(len(labels))]
    with pytest.raises(TrainingError, match=message):
        fit_head(Labelled(keys, list(labels), np.ones((len(labels), 4))), CLIP, HeadRules(), 0)
