"""Chunked cross-entropy against torch's own over whole logits; a vocabulary in two parts against one."""

import pytest

pytest.importorskip("torch")

import msgspec
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributed import group
from torch.nn.functional import cross_entropy

from tests.train.documents import draw_documents, join_documents
from tests.train.ranks import run_ranks
from train.data.records import NOT_TRAINED
from train.losses import Targets, find_targets, weighted_cross_entropy


def targets(labels, weights) -> Targets:
    rows = weights.nonzero().flatten()
    return Targets(rows, labels[rows], weights[rows].float(), torch.zeros_like(rows))


def drawn(tokens: int, vocabulary: int, seed: int = 0, hidden: int = 8):
    """States, a head, labels and weights, a third of them 0 with a label that does not count."""
    random = torch.Generator().manual_seed(seed)
    states = torch.randn(tokens, hidden, generator=random, dtype=torch.float64, requires_grad=True)
    head = torch.randn(vocabulary, hidden, generator=random, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(vocabulary, (tokens,), generator=random)
    weights = torch.rand(tokens, generator=random, dtype=torch.float64).sub(0.3).clamp(min=0)
    return states, head, labels.where(weights > 0, -100), weights


def whole(states, head, labels, weights):
    each = cross_entropy(states @ head.T, labels, reduction="none")
    return (each * weights).sum(), each


@settings(max_examples=25)
@given(st.integers(0, 20), st.integers(2, 9), st.integers(1, 25), st.integers(0, 99))
def test_as_over_whole_logits_whatever_the_chunk(tokens, vocabulary, chunk, seed):
    states, head, labels, weights = drawn(tokens, vocabulary, seed)
    total, each = weighted_cross_entropy(states, head, targets(labels, weights), chunk=chunk)
    wanted, wanted_each = whole(states, head, labels, weights)
    torch.testing.assert_close(total.double(), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(each.double(), wanted_each[weights > 0], atol=1e-5, rtol=1e-5)
    found = torch.autograd.grad(total * 3, (states, head))
    for one, other in zip(found, torch.autograd.grad(wanted * 3, (states, head)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_no_more_than_a_chunk_of_logits_is_ever_there():
    """The largest tensor any operation makes, from torch's own dispatcher."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor):
                self.size = max(self.size, made.numel())
            return made

    states, head, labels, weights = drawn(64, 100)
    with Largest() as largest:
        weighted_cross_entropy(states, head, targets(labels, weights), chunk=4).total.backward()
    assert largest.size == max(head.numel(), states.numel())


def test_a_frozen_head_gets_no_gradient():
    states, head, labels, weights = drawn(6, 5)
    weighted_cross_entropy(states, head.detach(), targets(labels, weights)).total.backward()
    assert states.grad is not None and head.grad is None


def test_targets_of_a_pack_are_those_that_count_with_their_documents_source():
    pack = join_documents(draw_documents([([], 3), ([(1, (1, 2, 2))], 2)]), padding=2)
    pack = msgspec.structs.replace(pack, sources=("a", "b"), weights=pack.weights * [1, 1, 1, 1, 0, 1, 1, 0, 0])
    found = find_targets(pack, np.array([5, 6, 7, 8, 0, 1, 2]), {"b": 0, "a": 1}, vocabulary=512)
    assert found.rows.tolist() == [0, 4, 5]
    assert found.labels.tolist() == pack.labels[[5, 0, 1]].tolist()
    assert found.sources.tolist() == [0, 1, 1]
    assert NOT_TRAINED not in found.labels


def test_a_label_outside_the_vocabulary_is_refused():
    pack = join_documents(draw_documents([([], 3)]))
    with pytest.raises(IndexError, match="expected ids below 3, found"):
        find_targets(pack, np.arange(3), {"drawn": 0}, vocabulary=3)


def test_nothing_trained_on_is_a_loss_of_zero_with_gradients():
    states, head, labels, weights = drawn(4, 5)
    weighted_cross_entropy(states, head, targets(labels, weights * 0)).total.backward()
    assert states.grad.abs().sum() == head.grad.abs().sum() == 0


def score_part(rank, size):
    states, head, labels, weights = (one.detach() for one in drawn(20, 8))
    part = head[rank * 4 : rank * 4 + 4].clone().requires_grad_()
    states.requires_grad_()
    total, each = weighted_cross_entropy(states, part, targets(labels, weights), chunk=6, group=group.WORLD)
    total.backward()
    return [one.detach().numpy() for one in (total, each, states.grad, part.grad)]


def test_a_vocabulary_in_two_parts_is_as_one():
    found = [[torch.from_numpy(one) for one in parts] for parts in run_ranks(score_part, 2)]
    states, head, labels, weights = drawn(20, 8)
    total, each = weighted_cross_entropy(states, head, targets(labels, weights))
    total.backward()
    for part in found:
        for one, other in zip(part[:3], (total.detach(), each, states.grad), strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(torch.cat([part[3] for part in found]), head.grad, atol=1e-6, rtol=1e-6)
