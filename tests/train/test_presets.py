"""Shapes of the presets: how many parameters each has, what is refused, and that every parameter has a group."""

import pytest

pytest.importorskip("transformers")

from classifiers.errors import ModelError
from train.presets import (
    GROUPS,
    PRESETS,
    TokenIds,
    build_empty,
    check_trainable,
    count_parameters,
    find_preset,
    group_of,
    library_config,
)


def counts(name: str) -> dict[str, int]:
    return count_parameters(build_empty(library_config(name)).named_parameters())


@pytest.mark.parametrize(
    ("name", "total"),
    [("tiny", 229_856), ("1b", 1_107_952_640), ("3b", 3_208_658_688), ("9b", 10_292_777_472)],
)
def test_a_preset_has_as_many_parameters_as_its_name_says(name, total):
    assert counts(name)["total"] == total


@pytest.mark.parametrize("name", ["tiny", "1b", "3b", "9b"])
def test_random_weights_neither_silence_nor_inflate_what_a_layer_is_given(name):
    """A layer of width n keeps the size of its input at 1 / sqrt(n)."""
    config = library_config(name)
    for part in (config.text_config, config.vision_config):
        assert 0.5 < part.initializer_range * part.hidden_size**0.5 < 1.5


def test_the_parameters_of_the_published_shape_by_hand():
    hidden, inner, kv, patches, wide = 4096, 13696, 2 * 128, 1536, 24 * 24
    layer = (hidden + 1) * hidden + 2 * (hidden + 1) * kv + hidden * hidden + 3 * hidden * inner + 4 * hidden
    block = 4 * patches * patches + 3 * patches * hidden + 2 * patches
    assert counts("9b") == {
        "embeddings": 151552 * hidden,
        "language": 40 * layer + hidden,
        "lm_head": 151552 * hidden,
        "vision": 24 * block + (1176 + 1) * patches + wide * patches + 2 * patches,
        "projector": hidden * hidden + 2 * hidden + 3 * hidden * inner + (4 * patches + 1) * hidden,
        "total": 10_292_777_472,
    }


def test_the_experts_of_the_twin_are_counted():
    """GLM-4.5V is sold as 106B with its layer for speculative decoding, which the library leaves out."""
    found = counts("106b-a12b")
    assert 103e9 < found["total"] < 107e9 and found["vision"] == counts("9b")["vision"]


def test_the_twin_is_refused_with_what_it_lacks():
    with pytest.raises(ModelError, match="expert and pipeline parallelism.*tiny, 1b, 3b, 9b"):
        check_trainable("glm4v_moe", "'106b-a12b'")


def test_another_family_is_refused():
    with pytest.raises(ModelError, match="type glm4v at /models/x, found 'llava'"):
        check_trainable("llava", "/models/x")


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ModelError, match=r"expected a preset of tiny, 1b, 3b, 9b, 106b-a12b, found '2b'"):
        find_preset("2b")


def test_a_tokenizer_of_its_own_gives_vocabulary_and_tokens():
    config = library_config("tiny", 300, TokenIds(290, 291, 292, 293, 294, 295, 299))
    assert (config.text_config.vocab_size, config.image_token_id, config.text_config.pad_token_id) == (300, 290, 299)


@pytest.mark.parametrize("tokens", [TokenIds(300, 1, 2, 3, 4, 5, 6), TokenIds(1, 1, 2, 3, 4, 5, 6)])
def test_tokens_outside_the_vocabulary_or_twice_are_refused(tokens):
    with pytest.raises(ModelError, match="7 different ids below 300"):
        library_config("tiny", 300, tokens)


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.model_type == "glm4v"])
def test_every_group_has_parameters(name):
    assert min(counts(name)[group] for group in GROUPS) > 0


def test_the_merger_is_the_projector_and_not_vision():
    assert group_of("model.visual.merger.proj.weight") == group_of("model.visual.downsample.bias") == "projector"
    assert group_of("model.visual.post_layernorm.weight") == "vision"


def test_a_parameter_of_another_model_has_no_group():
    with pytest.raises(ModelError, match=r"found 'transformer\.wte\.weight'"):
        group_of("transformer.wte.weight")
