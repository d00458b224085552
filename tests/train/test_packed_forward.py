"""A pack through our forward is its documents one by one through transformers; every leaking way in is refused."""

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.documents import (
    GRIDS,
    IMAGE,
    SETS,
    draw_document,
    draw_documents,
    join_documents,
    library_inputs,
    library_pack,
    tiny_model,
)
from tests.train.ranks import run_ranks
from train.attention import PackingError
from train.packed_forward import PackedModel
from train.packed_inputs import pack_inputs, share_pictures

PICTURES_AND_TEXT = [([(3, (1, 4, 4))], 4), ([], 6), ([(2, (1, 2, 4)), (3, (1, 4, 2))], 2)]
LOGITS = 1e-5


@pytest.fixture(scope="module")
def model():
    return PackedModel(tiny_model()).eval()


def all_logits(states, head):
    return head(states)


def one_by_one(model, documents):
    with model.as_library() as library, torch.no_grad():
        return torch.cat([library(**library_inputs(each), use_cache=False).logits[0] for each in documents])


def packed(model, pack):
    with torch.no_grad():
        return model(pack_inputs(pack, IMAGE), all_logits)


@settings(max_examples=25)
@given(SETS, st.integers(0, 9), st.integers(0, 9))
def test_a_pack_is_its_documents_one_by_one(model, sets, padding, seed):
    documents = draw_documents(sets, seed)
    wanted = one_by_one(model, documents)
    found = packed(model, join_documents(documents, padding))
    assert (found[: len(wanted)] - wanted).abs().max() <= LOGITS


def test_many_documents_of_one_token(model):
    documents = draw_documents([([], 1)] * 9)
    assert (packed(model, join_documents(documents)) - one_by_one(model, documents)).abs().max() <= LOGITS


def test_a_video_is_what_the_librarys_own_way_for_videos_gives(model):
    """Which cannot stand beside a picture: its features are counted against the tokens of both."""
    document = draw_document(([(2, (1, 4, 6))] * 3, 2))
    inputs = library_inputs(document)
    inputs["pixel_values_videos"] = inputs.pop("pixel_values")
    inputs["video_grid_thw"] = torch.tensor([[3, 4, 6]])
    del inputs["image_grid_thw"]
    inputs["mm_token_type_ids"] *= 2
    with model.as_library() as library, torch.no_grad():
        wanted = library(**inputs, use_cache=False).logits[0]
    assert (packed(model, join_documents([document])) - wanted).abs().max() <= LOGITS


def test_the_neighbours_of_a_document_do_not_matter(model):
    own = draw_document(PICTURES_AND_TEXT[0], 1)
    others = draw_documents(PICTURES_AND_TEXT, 5)
    alone = packed(model, join_documents([own]))
    between = packed(model, join_documents([others[2], own, others[1]]))
    start = len(others[2].ids)
    assert (between[start : start + len(alone)] - alone).abs().max() <= LOGITS


def test_gradients_of_a_pack_are_those_of_its_documents_added_up():
    documents = draw_documents(PICTURES_AND_TEXT)
    model = PackedModel(tiny_model()).train()
    model(pack_inputs(join_documents(documents), IMAGE), all_logits).tanh().sum().backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    with model.as_library() as library:
        for document in documents:
            library(**library_inputs(document), use_cache=False).logits.tanh().sum().backward()
    for name, parameter in model.named_parameters():
        assert (found[name] - parameter.grad).abs().max() <= 1e-5 * parameter.grad.abs().max() + 1e-7, name


LEAKS = {
    "attention_mask": lambda four: {
        "position_ids": four,
        "use_cache": False,
        "attention_mask": torch.ones_like(four[0]),
    },
    "use_cache": lambda four: {"position_ids": four},
    "(4, 1, tokens)": lambda four: {"position_ids": four[1:], "use_cache": False},
    "text first": lambda four: {"position_ids": four[0], "use_cache": False},
}
"""The natural ways to give a pack to transformers that leak, by what our refusal of them says."""


@pytest.mark.parametrize("said", LEAKS)
def test_the_library_leaks_without_an_error_where_we_refuse(model, said):
    documents = draw_documents(PICTURES_AND_TEXT)
    pack = join_documents(documents)
    call = {**library_pack(pack), **LEAKS[said](torch.from_numpy(pack.positions).long()[:, None])}
    wanted = one_by_one(model, documents)
    with model.as_library() as library, torch.no_grad():
        assert (library(**call).logits[0] - wanted).abs().max() > 1
    with pytest.raises(PackingError, match="packed call: expected.*" + said.replace("(", r"\(").replace(")", r"\)")):
        model.glm(**call)


def test_the_one_way_that_does_not_leak_is_refused_too_without_a_plan(model):
    pack = join_documents(draw_documents(PICTURES_AND_TEXT))
    four = torch.from_numpy(pack.positions).long()[:, None]
    with pytest.raises(PackingError, match="expected the plan of a pack"):
        model.glm.model.language_model(inputs_embeds=torch.zeros(1, 3, 64), position_ids=four, use_cache=False)
    with pytest.raises(PackingError, match="expected the plan of a pack"):
        model.glm(**library_pack(pack), position_ids=four, use_cache=False)
    with pytest.raises(PackingError, match="borders of the pictures"):
        model.glm.model.visual(torch.from_numpy(pack.patches), torch.from_numpy(pack.grids).long())


def test_the_guard_is_back_after_the_librarys_own_way(model):
    document = draw_document(([], 3))
    with model.as_library() as library:
        library.generate(**library_inputs(document), max_new_tokens=1, do_sample=False)
    with pytest.raises(PackingError):
        model.glm(**library_inputs(document))


def test_text_alone_gives_every_visual_parameter_a_gradient_of_zero():
    model = PackedModel(tiny_model()).train()
    documents = draw_documents([([], 5), ([], 1)])
    found = model(pack_inputs(join_documents(documents), IMAGE), all_logits)
    found.sum().backward()
    assert (found - one_by_one(model, documents)).abs().max() <= LOGITS
    visual = {name: parameter.grad for name, parameter in model.named_parameters() if ".visual." in name}
    assert len(visual) > 20 and all(gradient is not None and not gradient.any() for gradient in visual.values())


def test_states_without_a_score_and_scores_of_chosen_rows(model):
    inputs = pack_inputs(join_documents(draw_documents(PICTURES_AND_TEXT)), IMAGE)
    with torch.no_grad():
        states = model(inputs)
        few = model(inputs, lambda states, head: head(states[[2, 5]]))
        assert states.shape == (len(inputs.input_ids), 64)
        torch.testing.assert_close(few, model.glm.lm_head(states)[[2, 5]])


def test_a_pack_in_memory_that_a_loader_only_lends_gives_no_warning(model):
    pack = join_documents(draw_documents(PICTURES_AND_TEXT))
    for values in (pack.input_ids, pack.positions, pack.grids, pack.patches, pack.bounds):
        values.flags.writeable = False
    assert len(packed(model, pack)) == 28


def test_what_goes_to_a_device_is_pinned_before(monkeypatch):
    """ "meta" is a device that any machine has; memory can be pinned where there is a GPU alone."""
    pinned = []

    def pin(values):
        pinned.append(values.numel())
        return values

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    pack = join_documents(draw_documents(PICTURES_AND_TEXT))
    found = pack_inputs(pack, IMAGE, device="meta")
    assert found.patches.device.type == "meta" and {pack.patches.size, pack.input_ids.size} <= set(pinned)
    pinned.clear()
    assert pack_inputs(pack, IMAGE).patches.device.type == "cpu" and not pinned


def measure_sharded(rank: int, size: int) -> float:
    """FSDP2 over two ranks of which one has a picture: how far gradients are from the mean of both packs' own."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    packs = [join_documents(draw_documents(PICTURES_AND_TEXT)), join_documents(draw_documents([([], 7), ([], 4)], 3))]
    whole, model = PackedModel(tiny_model()).train(), PackedModel(tiny_model()).train()
    for pack in packs:
        (whole(pack_inputs(pack, IMAGE), all_logits).tanh().sum() / size).backward()
    mesh = init_device_mesh("cpu", (size,))
    for layer in [*model.glm.model.visual.blocks, *model.glm.model.language_model.layers, model]:
        fully_shard(layer, mesh=mesh)
    model(pack_inputs(packs[rank], IMAGE), all_logits).tanh().sum().backward()
    gradients = zip(whole.parameters(), model.parameters(), strict=True)
    return max(
        float((own.grad.full_tensor() - all_.grad).abs().max() / all_.grad.abs().max()) for all_, own in gradients
    )


def test_a_rank_without_a_picture_does_not_leave_the_others_waiting():
    assert max(run_ranks(measure_sharded, 2)) <= 1e-5


@given(st.lists(GRIDS, max_size=9), st.integers(1, 4))
def test_every_picture_is_looked_at_once_and_loads_differ_by_one_picture(grids, ranks):
    shapes = np.array(grids, np.int32).reshape(-1, 3)
    shares = share_pictures(shapes, ranks)
    assert sorted(picture for share in shares for picture in share) == list(range(len(grids)))
    loads = [int(shapes[share].prod(axis=1).sum()) for share in shares]
    assert max(loads) - min(loads) <= shapes.prod(axis=1).max(initial=0)


def broken(**fields):
    return msgspec.structs.replace(join_documents(draw_documents(PICTURES_AND_TEXT)), **fields)


def test_packs_that_do_not_fit_themselves_are_refused():
    pack = broken()
    cases = {
        r"shape \(4, 28\), found \(3, 28\)": broken(positions=pack.positions[1:]),
        r"shape \(4, 28\), found \(28,\)": broken(positions=pack.positions[0]),
        "restart at 0 in each document": broken(bounds=np.array([0, 28])),
        "borders from 0 to 28": broken(bounds=pack.bounds[:-1]),
        r"expected \(32, 1176\) patches, found \(31, 1176\)": broken(patches=pack.patches[1:]),
        "expected 4 picture tokens for its grids, found 8": broken(grids=pack.grids[:1], patches=pack.patches[:16]),
        "expected 0 picture tokens for its grids, found 8": broken(grids=pack.grids[:0], patches=pack.patches[:0]),
    }
    for said, wrong in cases.items():
        with pytest.raises(PackingError, match=said):
            pack_inputs(wrong, IMAGE)
