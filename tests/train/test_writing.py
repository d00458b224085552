"""Greedy writing through packs against transformers' own generate, prompt by prompt."""

from functools import partial

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.train.documents import IMAGE, Document, draw_documents, library_inputs, tiny_model
from tests.train.ranks import run_ranks
from train.data.records import TokenSample
from train.packed_forward import PackedModel
from train.packed_inputs import pack_inputs
from train.writing import Writing, write_greedily

PROMPTS = [([(3, (1, 4, 4))], 4), ([], 6), ([(2, (1, 2, 4)), (3, (1, 4, 2))], 2)]
INPUTS = partial(pack_inputs, image_id=IMAGE)
BANNED = (IMAGE, 510)


def sample(document: Document) -> TokenSample:
    sizes = document.grids.prod(axis=1)
    patches = tuple(np.split(document.patches, np.cumsum(sizes)[:-1])) if len(sizes) else ()
    weights = np.zeros(len(document.ids), np.float32)
    return TokenSample("drawn", "a", document.ids, weights, document.grids, patches, document.kinds)


@pytest.fixture(scope="module")
def model():
    return PackedModel(tiny_model()).train()


def written(model, which=(0, 1, 2), **rules):
    prompts = [sample(draw_documents(PROMPTS)[number]) for number in which]
    return write_greedily(model, prompts, Writing(**{"most": 8, "ends": (), "banned": BANNED} | rules), INPUTS)


def test_it_writes_what_generate_writes(model):
    wanted = []
    with model.eval().as_library() as library:
        for document in draw_documents(PROMPTS):
            told = library.generate(
                **library_inputs(document), max_new_tokens=8, do_sample=False, suppress_tokens=list(BANNED)
            )
            wanted.append(told[0, len(document.ids) :].tolist())
    assert written(model.train()) == wanted
    assert model.training


def test_text_alone(model):
    assert written(model, [1]) == [written(model)[1]]


def test_a_finished_text_stays_and_the_others_go_on(model):
    whole = written(model)
    end = whole[0][2]
    cut = [text[: text.index(end) + 1] if end in text else text for text in whole]
    assert written(model, ends=(end,)) == cut != whole


def test_it_stops_when_nobody_has_a_text_to_go_on_with(model):
    whole, told = written(model), []

    def noted(through: bool) -> bool:
        told.append(through)
        return through

    end = whole[1][2]
    assert written(model, [1], ends=(end,), all_through=noted) == [whole[1][: whole[1].index(end) + 1]]
    assert told == [False] * whole[1].index(end) + [True]


def test_a_banned_token_is_not_written(model):
    first = written(model)[1][0]
    assert first not in written(model, banned=(*BANNED, first))[1]


def write_on_shards(rank: int, size: int) -> list[list[int]]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = PackedModel(tiny_model())
    for layer in [*model.glm.model.visual.blocks, *model.glm.model.language_model.layers, model]:
        fully_shard(layer, mesh=init_device_mesh("cpu", (size,)))
    return written(model, [rank, 2])


def test_ranks_with_shards_of_the_weights_write_the_same(model):
    whole = written(model)
    assert run_ranks(write_on_shards, 2) == [[whole[0], whole[2]], [whole[1], whole[2]]]
