"""Packed attention against one masked attention over the whole row, alone and shared by two ranks."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from tests.train.documents import IMAGE, draw_documents, join_documents, tiny_model
from tests.train.ranks import run_ranks
from train.attention import (
    PackingError,
    Shard,
    _attend_at_once,
    attend,
    packed_attention,
    picture_attention,
    place_borders,
    plan_attention,
    shard_rows,
    shard_stretches,
)

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def drawn(length: int, heads: int, seed: int, size: int = 8):
    return torch.randn(1, heads, length, size, generator=torch.Generator().manual_seed(seed))


def by_mask(query, key, value, owners):
    """Every query against every key, under one mask of the row: earlier, and of the same document."""
    row = torch.arange(len(owners))
    mask = (row[None] <= row[:, None]) & (owners[None] == owners[:, None])
    return scaled_dot_product_attention(query, key, value, mask, enable_gqa=True, scale=0.3).transpose(1, 2)


@settings(max_examples=30)
@given(LENGTHS, st.integers(0, 99))
def test_a_pack_is_as_one_mask_of_the_row_says(lengths, seed):
    bounds, owners = np.cumsum([0, *lengths]), torch.repeat_interleave(torch.tensor(lengths))
    query, key, value = (drawn(len(owners), heads, seed + heads) for heads in (4, 2, 2))
    found, _ = packed_attention(None, query, key, value, None, scaling=0.3, plan=plan_attention(bounds))
    torch.testing.assert_close(found, by_mask(query, key, value, owners), atol=1e-6, rtol=1e-5)


@settings(max_examples=30)
@given(LENGTHS, st.sampled_from([1, 2, 4]), st.integers(0, 99))
def test_each_rank_finds_for_its_tokens_what_one_alone_finds(lengths, size, seed):
    """The plan of a rank over the whole row's keys, without the gathering."""
    lengths = [*lengths, -sum(lengths) % (2 * size) or 2 * size]
    bounds, owners = np.cumsum([0, *lengths]), torch.repeat_interleave(torch.tensor(lengths))
    query, key, value = (drawn(len(owners), heads, seed + heads) for heads in (4, 2, 2))
    wanted = by_mask(query, key, value, owners)
    for rank in range(size):
        shard = Shard(rank, size)
        rows, plan = torch.from_numpy(shard_rows(len(owners), shard)), plan_attention(bounds, shard)
        own = query[:, :, rows]
        parts = [(own[:, :, s.queries], key[:, :, s.keys], value[:, :, s.keys], s.borders) for s in plan.stretches]
        found = torch.cat([attend(*part, scale=0.3) for part in parts], dim=1)
        torch.testing.assert_close(found, wanted[:, rows], atol=1e-6, rtol=1e-5)


@given(st.integers(1, 8), st.sampled_from([1, 2, 3, 4]))
def test_every_token_is_held_once(parts, size):
    length = parts * 2 * size
    held = np.concatenate([shard_rows(length, Shard(rank, size)) for rank in range(size)])
    assert sorted(held) == list(range(length))


def test_ranks_hold_an_early_and_a_late_part():
    assert [shard_stretches(16, Shard(rank, 2)) for rank in (0, 1)] == [[(0, 4), (12, 16)], [(4, 8), (8, 12)]]
    assert shard_stretches(7, Shard()) == [(0, 7)]


def test_a_row_that_cannot_be_shared_is_refused():
    with pytest.raises(PackingError, match="multiple of 4 tokens for CP 2, found 6"):
        shard_rows(6, Shard(0, 2))


def test_a_picture_sees_itself_whole_and_no_other():
    query, key, value = (drawn(5, 2, seed) for seed in range(3))
    borders = place_borders([0, 2, 5], [0, 2, 5], "cpu")
    found, _ = picture_attention(None, query, key, value, None, scaling=0.3, picture_borders=borders)
    for part in (slice(0, 2), slice(2, 5)):
        wanted = scaled_dot_product_attention(query[:, :, part], key[:, :, part], value[:, :, part], scale=0.3)
        torch.testing.assert_close(found[:, part], wanted.transpose(1, 2))


def varlen_by_the_book(query, key, value, starts, firsts, most, longest, *, scale, window_size, enable_gqa):
    """What torch.nn.attention.varlen_attn says it computes; keys of a document end where its queries end."""
    assert (
        starts.dtype == firsts.dtype == torch.int32 and starts.diff().max() == most and firsts.diff().max() == longest
    )
    seen = []
    for own, known in zip(starts.tolist()[1:], firsts.tolist()[1:], strict=True):
        queries = query[starts[len(seen)] : own].transpose(0, 1)
        keys, values = (part[firsts[len(seen)] : known].transpose(0, 1) for part in (key, value))
        mask = torch.ones(queries.shape[1], keys.shape[1], dtype=torch.bool)
        mask = mask.tril(keys.shape[1] - queries.shape[1]) if window_size == (-1, 0) else mask
        seen.append(
            scaled_dot_product_attention(queries, keys, values, mask, enable_gqa=enable_gqa, scale=scale).transpose(
                0, 1
            )
        )
    return torch.cat(seen)


@pytest.mark.parametrize(("rank", "size"), [(0, 1), (0, 2), (1, 2)])
def test_the_kernel_is_asked_for_what_is_computed_without_it(monkeypatch, rank, size):
    """The kernel itself needs a GPU; here stands in what its page says."""
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_by_the_book)
    for causal in (True, False):
        for part in plan_attention([0, 3, 4, 9, 16], Shard(rank, size)).stretches:
            known = part.keys.stop - part.keys.start
            query, key, value = drawn(len(range(16)[part.queries]), 4, 0), drawn(known, 2, 1), drawn(known, 2, 2)
            named = {"scale": 0.3, "causal": causal}
            wanted = attend(query, key, value, part.borders, **named)
            torch.testing.assert_close(_attend_at_once(query, key, value, part.borders, **named), wanted)


def test_the_kernel_takes_what_it_is_given():
    """Shapes and types alone, on a GPU that is only thought of."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        sizes = ((4, 16), (2, 16), (2, 16))
        query, key, value = (torch.empty(1, *size, 64, device="cuda", dtype=torch.bfloat16) for size in sizes)
        found, _ = packed_attention(
            None, query, key, value, None, scaling=0.1, plan=plan_attention([0, 5, 16], device="cuda")
        )
    assert (found.shape, found.device.type, found.dtype) == ((1, 16, 4, 64), "cuda", torch.bfloat16)


def test_without_a_plan_nothing_is_computed():
    some = drawn(4, 2, 0)
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    with pytest.raises(PackingError, match="the plan of a pack"):
        packed_attention(None, some, some, some, None, scaling=1.0)
    with pytest.raises(PackingError, match="no mask"):
        packed_attention(None, some, some, some, mask, scaling=1.0, plan=plan_attention([0, 4]))
    with pytest.raises(PackingError, match="one row of 5 tokens, found"):
        packed_attention(None, some, some, some, None, scaling=1.0, plan=plan_attention([0, 5]))
    with pytest.raises(PackingError, match="borders of the pictures"):
        picture_attention(None, some, some, some, None, scaling=1.0)


SHARED = [([(3, (1, 4, 4))], 5), ([], 1), ([(2, (1, 2, 4)), (2, (1, 6, 2))], 9), ([], 7)]
"""Pictures at the border of two ranks and fewer than four ranks, a document of one token, one over the row's middle."""


def measure_gradients(rank: int, size: int, sets=SHARED, checkpointing: bool = False):
    """Logits of a pack that ranks share, and the gradients of a sum over them, added up over the ranks."""
    import torch.distributed as dist

    from train.packed_forward import PackedModel
    from train.packed_inputs import pack_inputs

    model = PackedModel(tiny_model())
    if checkpointing:
        model.glm.activation_checkpointing_enable()
    documents = draw_documents(sets)
    length = sum(len(document.ids) for document in documents)
    pack, shard = join_documents(documents, padding=-length % 8), Shard(rank, size, None)
    logits = model.train()(pack_inputs(pack, IMAGE, shard=shard), lambda states, head: head(states))
    held = torch.from_numpy(shard_rows(len(pack.input_ids), shard))
    weights = drawn(len(pack.input_ids), 1, 7, logits.shape[-1])[0, 0, held]
    (logits.tanh() * weights).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    if size > 1:
        for gradient in gradients.values():
            dist.all_reduce(gradient)
    return logits.detach().numpy(), {name: gradient.numpy() for name, gradient in gradients.items()}, held.numpy()


@pytest.fixture(scope="module")
def alone():
    return measure_gradients(0, 1)


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_that_share_a_row_find_logits_and_gradients_of_one_alone(alone, size):
    whole, wanted, _ = alone
    told = run_ranks(measure_gradients, size)
    for logits, gradients, held in told:
        np.testing.assert_allclose(logits, whole[held], atol=1e-5)
        for name, gradient in gradients.items():
            assert np.abs(gradient - wanted[name]).max() <= 1e-5 * np.abs(wanted[name]).max() + 1e-7, name


def test_ranks_that_share_a_row_without_a_picture_do_too():
    text = [([], 5), ([], 11)]
    _, wanted, _ = measure_gradients(0, 1, text)
    for _, gradients, _ in run_ranks(measure_gradients, 2, text):
        for name, gradient in gradients.items():
            assert np.abs(gradient - wanted[name]).max() <= 1e-5 * np.abs(wanted[name]).max() + 1e-7, name
            assert ".visual." not in name or not gradient.any()


def test_checkpointed_layers_gather_again_and_find_the_same(alone):
    for _, gradients, _ in run_ranks(measure_gradients, 2, SHARED, True):
        for name, gradient in gradients.items():
            assert np.abs(gradient - alone[1][name]).max() <= 1e-5 * np.abs(alone[1][name]).max() + 1e-7, name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@settings(max_examples=20)
@given(LENGTHS, st.sampled_from([1, 2]), st.booleans())
def test_one_kernel_for_all_documents_finds_what_one_after_the_other_finds(lengths, size, causal):
    lengths = [*lengths, -sum(lengths) % (2 * size) or 2 * size]
    for rank in range(size):
        for part in plan_attention(np.cumsum([0, *lengths]), Shard(rank, size), "cuda").stretches:
            told, known = part.queries.stop - part.queries.start, part.keys.stop - part.keys.start
            query, key, value = drawn(told, 4, 0, 64), drawn(known, 2, 1, 64), drawn(known, 2, 2, 64)
            fast = attend(*(x.cuda().bfloat16() for x in (query, key, value)), part.borders, scale=0.1, causal=causal)
            slow = attend(query, key, value, part.borders, scale=0.1, causal=causal)
            torch.testing.assert_close(fast.float().cpu(), slow, atol=3e-2, rtol=3e-2)
