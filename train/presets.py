"""The shapes of models we train, by name, and how many parameters each has.

`9b` is GLM-4.1V-9B as published; `1b` and `3b` keep its proportions (heads of 128, two of them for keys and values, the
whole vocabulary, nothing tied) at sizes one GPU trains; `tiny` is for tests and the demo.
Left out on purpose: the 106B twin can be described and counted, not built: train/ has neither EP nor PP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from classifiers.errors import ModelError


class TokenIds(NamedTuple):
    """Tokens that the model itself must know, as ids of the tokenizer; the defaults are GLM-4.1V's."""

    image: int = 151343
    video: int = 151344
    image_start: int = 151339
    image_end: int = 151340
    video_start: int = 151341
    video_end: int = 151342
    pad: int = 151329


@dataclass(frozen=True)
class Preset:
    """Values of transformers' configuration that differ from its defaults, which are GLM-4.1V-9B's."""

    about: str
    text: Mapping[str, Any]
    vision: Mapping[str, Any]
    vocab_size: int = 151552
    tokens: TokenIds = TokenIds()
    model_type: str = "glm4v"


ROPE = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "mrope_section": [8, 12, 12]}
"""Half of each head of 128 turns: 32 frequencies, dealt to time, height and width in runs of 8, 12 and 12."""

# The library's 0.02 suits widths of some 2,500. At a width of 32 a layer with it all but silences its input: told the
# classes of 671 drawings, such a tower knew 31 % of held-out colours after ten passes, and with 0.15 80 %.
PRESETS = {
    "tiny": Preset(
        "for tests and the demo",
        {
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {**ROPE, "mrope_section": [1, 1, 2]},
            "initializer_range": 0.1,
        },
        {
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "image_size": 56,
            "out_hidden_size": 64,
            "intermediate_size": 96,
            "initializer_range": 0.15,
        },
        vocab_size=512,
        tokens=TokenIds(511, 510, 509, 508, 507, 506, 505),
    ),
    "1b": Preset(
        "one GPU, fast",
        {"hidden_size": 1536, "intermediate_size": 5120, "num_hidden_layers": 16, "num_attention_heads": 12},
        {"depth": 16, "hidden_size": 1024, "num_heads": 8, "out_hidden_size": 1536, "intermediate_size": 5120},
    ),
    "3b": Preset(
        "one GPU with full AdamW states",
        {"hidden_size": 2560, "intermediate_size": 8704, "num_hidden_layers": 24, "num_attention_heads": 20},
        {"depth": 24, "hidden_size": 1280, "num_heads": 10, "out_hidden_size": 2560, "intermediate_size": 8704},
    ),
    "9b": Preset("GLM-4.1V-9B as published", {"max_position_embeddings": 65536}, {}),
    "106b-a12b": Preset(
        "GLM-4.5V, the mixture of experts; described, not trained",
        {},
        {},
        vocab_size=151424,
        tokens=TokenIds(image=151363, video=151364),
        model_type="glm4v_moe",
    ),
}

GROUPS = {
    "projector": ("model.visual.merger.", "model.visual.downsample."),
    "vision": ("model.visual.",),
    "embeddings": ("model.language_model.embed_tokens.",),
    "language": ("model.language_model.",),
    "lm_head": ("lm_head.",),
}
"""Parts of the model by the beginnings of their parameters' names; the first that fits counts."""


def group_of(parameter: str) -> str:
    """The group that a parameter belongs to, by its name in the hub's format. Raises ModelError for a stranger."""
    found = next((group for group, starts in GROUPS.items() if parameter.startswith(starts)), None)
    if found is None:
        raise ModelError(f"train: expected a parameter of {', '.join(GROUPS)}, found {parameter!r}")
    return found


def find_preset(name: str) -> Preset:
    if name not in PRESETS:
        raise ModelError(f"train: expected a preset of {', '.join(PRESETS)}, found {name!r}")
    return PRESETS[name]


def check_trainable(model_type: str, named: str) -> None:
    """Raises ModelError for what train/ cannot train: the mixture of experts, and models of other families."""
    if model_type == "glm4v_moe":
        raise ModelError(
            f"train: {named} is a mixture of experts, which needs expert and pipeline parallelism (the paper: EP 8, "
            f"PP 4), and train/ has neither. Expected a dense model: {', '.join(trainable_presets())}, or a folder "
            "of type glm4v"
        )
    if model_type != "glm4v":
        raise ModelError(f"train: expected a model of type glm4v at {named}, found {model_type!r}")


def trainable_presets() -> list[str]:
    return [name for name, preset in PRESETS.items() if preset.model_type == "glm4v"]


def library_config(name: str, vocab_size: int | None = None, tokens: TokenIds | None = None) -> Any:
    """transformers' configuration of a preset; with `vocab_size` and `tokens` for a tokenizer other than GLM-4.1V's."""
    from transformers import Glm4vConfig, Glm4vMoeConfig

    preset = find_preset(name)
    made, ids = {"glm4v": Glm4vConfig, "glm4v_moe": Glm4vMoeConfig}[preset.model_type], tokens or preset.tokens
    text = {"rope_parameters": ROPE, **preset.text, "vocab_size": vocab_size or preset.vocab_size}
    check_ids(ids, text["vocab_size"])
    named = {f"{field}_token_id": value for field, value in ids._asdict().items() if field != "pad"}
    return made(text_config={**text, "pad_token_id": ids.pad}, vision_config=dict(preset.vision), **named)


def check_ids(tokens: TokenIds, vocab_size: int) -> None:
    """Raises ModelError where two tokens share an id or one lies outside the vocabulary."""
    if len(set(tokens)) != len(tokens) or not all(0 <= value < vocab_size for value in tokens):
        raise ModelError(f"train: expected {len(tokens)} different ids below {vocab_size}, found {tokens}")


def build_empty(config: Any) -> Any:
    """The model of a configuration with shapes but no memory (device meta)."""
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)  # type: ignore[no-untyped-call]


def count_parameters(named: Iterable[tuple[str, Any]]) -> dict[str, int]:
    """Parameters of each group and in `total`, from `model.named_parameters()`."""
    counts = dict.fromkeys(GROUPS, 0)
    for name, parameter in named:
        counts[group_of(name)] += parameter.numel()
    return {**counts, "total": sum(counts.values())}
