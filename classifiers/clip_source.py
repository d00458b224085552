"""Where a CLIP model's weights come from: checked without torch, and hashed so that a resume cannot mix two models.

Left out on purpose: loading them (classifiers/clip.py); which architectures and tags exist, which only open_clip knows.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from classifiers.errors import ModelError
from configs.schema.caption import RelevanceRules
from transforms.fingerprints import file_digest

LOCAL = "local-dir:"
HUB = "hf-hub:"
CONFIG_NAME = "open_clip_config.json"
# What open_clip 3.3 looks for in a local folder (factory._find_checkpoint_in_dir), and what a checkpoint path may be.
FOLDER_WEIGHTS = (".safetensors", ".bin", ".pth")
CHECKPOINT_WEIGHTS = (*FOLDER_WEIGHTS, ".pt", ".ckpt", ".npz", ".npy")
# Beside the weights a folder holds the config and, for tokenizers from the hub, their vocabulary.
FOLDER_CONFIG = (".json", ".txt", ".model")


@dataclass(frozen=True)
class ClipSource:
    """A model's name as open_clip takes it, its weights, and the local files that decide what it computes."""

    kind: Literal["folder", "checkpoint", "tag", "hub"]
    model: str
    pretrained: str | None
    files: tuple[Path, ...] = ()


def parse_source(rules: RelevanceRules) -> ClipSource:
    """The source that `rules.model` and `rules.pretrained` name.

    `pretrained` is not read for `local-dir:` and `hf-hub:`, whose weights come with the folder.
    Raises ModelError where a local path lacks what it must have.
    """
    if rules.model.startswith(LOCAL):
        return ClipSource("folder", rules.model, None, _folder_files(Path(rules.model.removeprefix(LOCAL))))
    if rules.model.startswith(HUB):
        return ClipSource("hub", rules.model, None)
    if not rules.pretrained:
        raise ModelError(
            f"relevance.pretrained: expected a weights tag or a checkpoint path for {rules.model!r}, found ''"
        )
    path = Path(rules.pretrained)
    if os.sep not in rules.pretrained and path.suffix not in CHECKPOINT_WEIGHTS:
        return ClipSource("tag", rules.model, rules.pretrained)
    if not path.is_file():
        raise ModelError(f"relevance.pretrained: expected a checkpoint file, found {_what_is_at(path)}")
    return ClipSource("checkpoint", rules.model, rules.pretrained, (path,))


def fingerprint_source(source: ClipSource) -> str:
    """Hex digest of what decides the model's numbers: the bytes of its local files, else its names.

    A local folder may move without a change of fingerprint; a weights tag is trusted to stay what it was.
    """
    digest = hashlib.blake2b(digest_size=16)
    names = (source.kind,) if source.kind == "folder" else (source.kind, source.model)
    _add(digest, *names, *((source.pretrained or "",) if source.kind == "tag" else ()))
    for path in source.files:
        _add(digest, path.name if source.kind == "folder" else "", file_digest(path))
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, *parts: str) -> None:
    for part in parts:
        digest.update(f"{len(part)}:{part};".encode())


def _folder_files(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise ModelError(f"relevance.model: expected a folder of an open_clip model, found {_what_is_at(folder)}")
    config = _read_config(folder / CONFIG_NAME)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if not any(path.suffix in FOLDER_WEIGHTS for path in files):
        found = ", ".join(path.name for path in files)
        raise ModelError(f"relevance.model: expected weights ({', '.join(FOLDER_WEIGHTS)}) in {folder}, found {found}")
    tower = config["text_cfg"].get("hf_model_name")
    if tower and not Path(tower).is_dir():
        # open_clip would ask the hub for this tower's config, although the model is said to be local.
        raise ModelError(
            f"relevance.model: {folder} names a text tower that is not local: expected a folder, found {tower!r}"
        )
    return tuple(path for path in files if path.suffix in (*FOLDER_WEIGHTS, *FOLDER_CONFIG))


def _read_config(path: Path) -> dict[str, Any]:
    """The `model_cfg` of a folder's config."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: expected the JSON config of an open_clip model: {error}") from error
    config = values.get("model_cfg") if isinstance(values, dict) else None
    for key in ("vision_cfg", "text_cfg"):
        if not isinstance(config, dict) or not isinstance(config.get(key), dict):
            found = sorted(config) if isinstance(config, dict) else type(values).__name__ + " without model_cfg"
            raise ModelError(f"{path}: expected an object at model_cfg.{key}, found {found}")
    assert isinstance(config, dict)
    return config


def _what_is_at(path: Path) -> str:
    if not path.exists():
        return f"nothing at {path}"
    return f"a folder at {path}" if path.is_dir() else f"a file at {path}"
