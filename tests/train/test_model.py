"""Models made, read, written, frozen and checkpointed; each way that weights can be wrong is told."""

import json
from itertools import pairwise

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from classifiers.errors import ModelError
from tests.train.documents import IMAGE, draw_document, draw_documents, join_documents, library_inputs
from train.attention import _attend_at_once
from train.model import build_model, checkpoint_layers, compile_layers, export_model, freeze, load_model
from train.packed_inputs import pack_inputs
from train.presets import GROUPS, TokenIds, count_parameters, group_of

torch.set_num_threads(1)
PARTS = [([(3, (1, 4, 4))], 4), ([], 6)]


def inputs():
    return pack_inputs(join_documents(draw_documents(PARTS)), IMAGE)


def logits(model):
    with torch.no_grad():
        return model.eval()(inputs(), lambda states, head: head(states))


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def gradients(model):
    model.train()(inputs(), lambda states, head: head(states)).tanh().sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "tiny"
    model = build_model("tiny", seed=3)
    export_model(model, folder)
    return folder, model


def test_a_seed_gives_the_same_weights_and_leaves_the_processes_own_chance():
    before = torch.random.get_rng_state()
    first, again, other = build_model("tiny", seed=1), build_model("tiny", seed=1), build_model("tiny", seed=2)
    assert torch.equal(weights(first), weights(again)) and not torch.equal(weights(first), weights(other))
    assert torch.equal(before, torch.random.get_rng_state())


def test_half_the_precision_leaves_the_frequencies_of_positions_whole():
    model = build_model("tiny", dtype="bfloat16")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for _, buffer in model.named_buffers()} == {torch.float32}


def test_a_model_for_another_tokenizer():
    model = build_model("tiny", vocab_size=300, tokens=TokenIds(290, 291, 292, 293, 294, 295, 299))
    assert model.glm.lm_head.out_features == 300 and model.glm.config.image_token_id == 290


@pytest.mark.parametrize(
    ("name", "named", "said"),
    [
        ("106b-a12b", {}, "mixture of experts, which needs expert and pipeline parallelism"),
        ("2b", {}, "expected a preset of"),
        ("tiny", {"dtype": "int8"}, "expected a dtype of float32, bfloat16, float16, found 'int8'"),
    ],
)
def test_what_cannot_be_built_is_refused(name, named, said):
    with pytest.raises(ModelError, match=said):
        build_model(name, **named)


def test_an_export_opens_in_transformers_with_the_same_logits(exported):
    from transformers import AutoModelForImageTextToText

    folder, model = exported
    assert "beamsift" not in (folder / "config.json").read_text()
    opened = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    assert opened.config._attn_implementation == "sdpa"
    assert torch.equal(logits(load_model(str(folder))), logits(model))
    one = join_documents(draw_documents(PARTS[:1]))
    with torch.no_grad():
        theirs = opened(
            input_ids=torch.from_numpy(one.input_ids).long()[None],
            mm_token_type_ids=torch.from_numpy((one.input_ids == IMAGE).astype("int64"))[None],
            pixel_values=torch.from_numpy(one.patches),
            image_grid_thw=torch.from_numpy(one.grids).long(),
        ).logits[0]
        ours = model(pack_inputs(one, IMAGE), lambda states, head: head(states))
    assert (theirs - ours).abs().max() <= 1e-5  # logits reach 5


def test_an_export_of_gathered_weights_and_with_what_belongs_beside(tmp_path):
    class Beside:
        def save_pretrained(self, folder):
            (folder / "tokenizer.json").write_text("{}")

    model, other = build_model("tiny", seed=1), build_model("tiny", seed=2)
    export_model(model, tmp_path / "out", state=other.state_dict(), beside=[Beside()])
    assert torch.equal(logits(load_model(str(tmp_path / "out"))), logits(other))
    assert (tmp_path / "out" / "tokenizer.json").exists()


def test_an_export_appears_whole_or_not_at_all(tmp_path):
    class Full:
        def save_pretrained(self, folder):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        export_model(build_model("tiny"), tmp_path / "out", beside=[Full()])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match="expected no .*out to export to"):
        export_model(build_model("tiny"), tmp_path / "out")


def copied(exported, tmp_path, change_weights=dict, change_config=dict):
    folder = tmp_path / "copy"
    folder.mkdir()
    config = json.loads((exported[0] / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(change_config(config)))
    save_file(
        change_weights(load_file(exported[0] / "model.safetensors")), folder / "model.safetensors", {"format": "pt"}
    )
    return str(folder)


NORM = "model.language_model.norm.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {k: v for k, v in w.items() if k != NORM}, f"1 missing: {NORM}"),
        (lambda w: w | {NORM: torch.ones(65)}, f"1 mismatched: .*{NORM}"),
        (lambda w: w | {"model.extra.weight": torch.ones(2)}, "1 unexpected: model.extra.weight"),
    ],
)
def test_weights_of_another_model_are_refused(exported, tmp_path, change, said):
    with pytest.raises(ModelError, match="that config.json of .* describes, found " + said):
        load_model(copied(exported, tmp_path, change))


def test_a_folder_of_another_family_is_refused(exported, tmp_path):
    folder = copied(exported, tmp_path, change_config=lambda config: config | {"model_type": "glm4v_moe"})
    with pytest.raises(ModelError, match="mixture of experts"):
        load_model(folder)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="expected a GLM-4.1V at"):
        load_model(str(tmp_path))


def test_a_read_model_in_half_the_precision_keeps_its_frequencies(exported):
    model = load_model(str(exported[0]), dtype="bfloat16")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for _, buffer in model.named_buffers()} == {torch.float32}


@pytest.mark.parametrize("group", GROUPS)
def test_a_frozen_group_gets_no_gradient_and_all_others_do(group):
    model = build_model("tiny")
    counts = count_parameters(model.glm.named_parameters())
    trained = freeze(model, [group])
    assert trained == {name: 0 if name == group else counts[name] for name in GROUPS}
    for name, gradient in gradients(model).items():
        assert (gradient is None) == (group_of(name.removeprefix("glm.")) == group), name


def test_freezing_nothing_again_trains_all():
    model = build_model("tiny")
    freeze(model, ["vision", "language"])
    assert min(freeze(model, []).values()) > 0 and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("groups", [["visual"], list(GROUPS)])
def test_freezing_all_or_what_is_not_there_is_refused(groups):
    with pytest.raises(ModelError, match="some but not all of projector, vision, embeddings, language, lm_head"):
        freeze(build_model("tiny"), groups)


@pytest.mark.parametrize(("every", "runs"), [(0, 4), (1, 8), (2, 6)])
def test_checkpointed_layers_run_twice_and_give_the_same_gradients(every, runs):
    model = build_model("tiny", seed=1)
    wanted = gradients(build_model("tiny", seed=1))
    checkpoint_layers(model, 1)
    checkpoint_layers(model, every)
    done = []
    for layer in [*model.glm.model.visual.blocks, *model.glm.model.language_model.layers]:
        layer.mlp.register_forward_pre_hook(lambda *_: done.append(1))
    found = gradients(model)
    assert len(done) == runs
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@torch.library.custom_op("beamsift_tests::varlen", mutates_args={})
def varlen(
    query: Tensor, key: Tensor, value: Tensor, starts: Tensor, longest: int, scale: float, causal: bool
) -> Tensor:
    """In the place of torch's kernel, which needs a GPU: opaque to the compiler as that is."""
    seen = []
    for start, end in pairwise(starts.tolist()):
        parts = (part[start:end].transpose(0, 1) for part in (query, key, value))
        seen.append(scaled_dot_product_attention(*parts, is_causal=causal, scale=scale, enable_gqa=True))
    return torch.cat(seen, dim=1).transpose(0, 1).contiguous()


@varlen.register_fake
def _(query, key, value, starts, longest, scale, causal):
    return torch.empty_like(query, memory_format=torch.contiguous_format)


def test_layers_are_compiled_a_few_times_and_not_for_every_pack(monkeypatch):
    from torch._dynamo.utils import counters

    def kernel(query, key, value, starts, _, longest, __, *, scale, window_size, enable_gqa):
        return varlen(query, key, value, starts, longest, scale, window_size == (-1, 0))

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", kernel)
    monkeypatch.setattr("train.attention._attend_in_turn", _attend_at_once)
    model, compiled = build_model("tiny").eval(), build_model("tiny").eval()
    compile_layers(compiled, backend="eager")
    counters.clear()
    graphs = []
    for number in (1, 2, 3, 4, 5, 2, 6):
        pack = pack_inputs(join_documents(draw_documents(PARTS * number, number), padding=112 - 16 * number), IMAGE)
        with torch.no_grad():
            assert torch.equal(compiled(pack), model(pack))
        graphs.append(counters["stats"]["unique_graphs"])
    with compiled.as_library() as library:
        library.generate(**library_inputs(draw_document(PARTS[0])), max_new_tokens=3, do_sample=False)
    graphs.append(counters["stats"]["unique_graphs"])
    assert graphs[2] == graphs[-1] <= 6 and not counters["graph_break"], graphs


def test_convolutions_over_their_whole_input_are_products(exported):
    """Of the very weights: transformers' own convolutions give the same to rounding, as the export's logits show."""
    from torch.nn import Conv3d

    convolution = exported[1].glm.model.visual.patch_embed.proj
    windows = torch.randn(5, 3, 2, 14, 14)
    torch.testing.assert_close(convolution(windows), Conv3d.forward(convolution, windows), atol=1e-5, rtol=1e-4)
    with pytest.raises(ModelError, match=r"windows of \(3, 2, 14, 14\), found \(3, 2, 28, 14\)"):
        convolution(torch.zeros(5, 3, 2, 28, 14))
