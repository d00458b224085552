"""A GLM-4.1V to train: made from a preset, read from a folder or hub, written back in the hub's format.

Left out on purpose: sharding over ranks (train/parallel.py) and checkpoints of a run (train/checkpoint.py); tokenizers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from classifiers.errors import ModelError
from train.packed_forward import PackedModel
from train.presets import GROUPS, TokenIds, check_trainable, find_preset, group_of, library_config

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def build_model(
    name: str,
    *,
    seed: int = 0,
    dtype: str = "float32",
    device: Any = "cpu",
    vocab_size: int | None = None,
    tokens: TokenIds | None = None,
) -> PackedModel:
    """A preset with random weights: the same of the same seed, on the same kind of device. The process's own chance is
    left as it was. Raises ModelError for the mixture of experts."""
    from transformers import AutoModelForImageTextToText

    check_trainable(find_preset(name).model_type, repr(name))
    config, place = library_config(name, vocab_size, tokens), torch.device(device)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []), place:
        torch.manual_seed(seed)
        made = AutoModelForImageTextToText.from_config(config, dtype=find_dtype(dtype))  # type: ignore[no-untyped-call]
    return _prepared(made)


def load_model(source: str, *, dtype: str = "float32", device: Any = "cpu") -> PackedModel:
    """From a folder in the hub's format, or a hub name. Raises ModelError where it is none, of another family, or where
    weights are missing, left over or of another shape: transformers would fill these with chance."""
    from transformers import AutoConfig, Glm4vForConditionalGeneration

    _hide_progress()
    named: dict[str, Any] = {"local_files_only": Path(source).is_dir()}
    try:
        check_trainable(AutoConfig.from_pretrained(source, **named).model_type, source)
        named |= {"dtype": find_dtype(dtype), "output_loading_info": True, "ignore_mismatched_sizes": True}
        opened: Any = Glm4vForConditionalGeneration.from_pretrained(source, **named)
    except ModelError:
        raise
    except Exception as error:  # transformers, safetensors, torch and the hub client each have their own
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"train: expected a GLM-4.1V at {source!r} (a folder with config.json and weights, or a hub name), "
            f"found {type(error).__name__}: {reason}"
        ) from error
    made, told = opened
    faults = {fault: sorted(map(str, told[f"{fault}_keys"])) for fault in ("missing", "mismatched", "unexpected")}
    if any(faults.values()):
        told_faults = "; ".join(f"{len(names)} {fault}: {names[0]}" for fault, names in faults.items() if names)
        raise ModelError(f"train: expected the weights that config.json of {source!r} describes, found {told_faults}")
    return _prepared(made.to(device))


def export_model(
    model: PackedModel, folder: Path, *, state: Mapping[str, Tensor] | None = None, beside: Sequence[Any] = ()
) -> None:
    """Writes the hub's format, which from_pretrained opens; the folder appears whole or not at all.

    state: whole weights by name where the model's own are shards of them. beside: what else is saved into the folder,
    by its `save_pretrained` (tokenizer, image processor). Raises ModelError where the folder exists.
    """
    if folder.exists():
        raise ModelError(f"train: expected no {folder} to export to, found one")
    _hide_progress()
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    whole = None if state is None else {name.removeprefix("glm."): value for name, value in state.items()}
    try:
        model.glm.save_pretrained(draft, state_dict=whole)
        for part in beside:
            part.save_pretrained(draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def freeze(model: PackedModel, groups: Collection[str]) -> dict[str, int]:
    """Trains all but these groups; gives how many parameters of each are trained. Raises ModelError for an unknown
    group and where nothing is left."""
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown or set(groups) == set(GROUPS):
        raise ModelError(f"train: expected some but not all of {', '.join(GROUPS)} to freeze, found {sorted(groups)}")
    trained = dict.fromkeys(GROUPS, 0)
    for name, parameter in model.glm.named_parameters():
        group = group_of(name)
        parameter.requires_grad_(group not in groups)
        trained[group] += parameter.numel() * (group not in groups)
    return trained


def checkpoint_layers(model: PackedModel, every: int = 1) -> None:
    """Every nth layer, of vision and of language, keeps its input alone and is computed again in the backward pass; 0
    for none."""
    if every:
        model.glm.activation_checkpointing_enable(every_n_layers=every)
    else:
        model.glm.activation_checkpointing_disable()


def compile_layers(model: PackedModel, backend: str = "inductor") -> None:
    """Compiles each layer by itself, whole, and no more often than a few times: lengths may differ from pack to pack.
    Where attention goes document by document, as on a CPU, every new set of lengths would be compiled anew instead."""
    for layer in [*model.glm.model.visual.blocks, *model.glm.model.language_model.layers]:
        layer.compile(backend=backend)


def find_dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise ModelError(f"train: expected a dtype of {', '.join(DTYPES)}, found {name!r}")
    return DTYPES[name]


def _hide_progress() -> None:
    """A run has a progress line of its own."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _prepared(glm: Any) -> PackedModel:
    visual = glm.model.visual
    for convolution in (visual.patch_embed.proj, visual.downsample):
        convolution.forward = partial(_multiply, convolution)
    return PackedModel(glm)


def _multiply(convolution: nn.Conv2d | nn.Conv3d, windows: Tensor) -> Tensor:
    """A convolution whose windows are its whole input, as the matrix product it is: a third of the time on a CPU."""
    weight = convolution.weight
    if windows.shape[1:] != weight.shape[1:]:
        raise ModelError(f"vision: expected windows of {tuple(weight.shape[1:])}, found {tuple(windows.shape[1:])}")
    made = linear(windows.flatten(1), weight.flatten(1), convolution.bias)
    return made.view(*made.shape, *[1] * (windows.ndim - 2))
