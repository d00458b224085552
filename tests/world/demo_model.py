"""What `make demo-train` starts with: a tokenizer of the training part's captions, and a tiny model with trained eyes.

    python -m tests.world.demo_model tests/world/demo_train.yaml

Writes the folder that the config names as its model. The vision tower is the one of tests/world/eyes, which has seen
drawings of another seed; all else is random, and what words mean it has to find out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from configs.schema.strict import ConfigError, load_config
from configs.schema.train import SourceRules, TrainConfig
from tests.train.tokenizer import train_tokenizer
from train.chat.tokenizer import ChatTokenizer
from train.data.decoding import Workers
from train.data.errors import DataError
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.records import RawSample

EYES = Path(__file__).parent / "eyes"
WORDS = 1000
"""Tokens besides the special ones: enough that colours and shapes are one each."""


def read_samples(cfg: TrainConfig, sources: Sequence[SourceRules]) -> Iterator[RawSample]:
    """Each sample once, as it lies in the set. Raises DataError."""
    specs = [SourceSpec(one.name, one.uri) for one in sources]
    with Loader(open_mixture(specs, cfg.seed), rules=LoaderRules(Workers(0), rounds=1)) as loader:
        yield from (given.item for given in loader)


def write_start(cfg: TrainConfig) -> int:
    """The folder `model.source` of a config; gives the number of parameters. Raises DataError, ConfigError."""
    from transformers.utils import logging

    folder = Path(cfg.model.source)
    if folder.exists() and not (folder / "tokenizer.json").exists():
        raise ConfigError(f"{folder}: expected nothing there, or what an earlier call left, found something else")
    captions = sorted(sample.parts["txt"].decode() for sample in read_samples(cfg, cfg.data.sources))
    tokenizer = ChatTokenizer(train_tokenizer(captions, WORDS), None, "demo")
    model = new_model(tokenizer, cfg.seed)
    shutil.rmtree(folder, ignore_errors=True)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def new_model(tokenizer: ChatTokenizer, seed: int) -> Any:
    """transformers' Glm4v: preset `tiny` with the trained tower in place of its own."""
    import torch
    from safetensors.torch import load_file
    from transformers import Glm4vForConditionalGeneration, Glm4vVisionConfig

    from train.job import ROUND, token_ids
    from train.presets import library_config

    words = -(-tokenizer.vocabulary // ROUND) * ROUND
    config = library_config("tiny", words, token_ids(tokenizer))
    config.vision_config = Glm4vVisionConfig(**json.loads((EYES / "tower.json").read_text(encoding="utf-8")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Glm4vForConditionalGeneration(config)
    found = load_file(str(EYES / "tower.safetensors"))
    model.model.visual.load_state_dict({name: value.float() for name, value in found.items()})
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    cfg = load_config(str(parser.parse_args().config), TrainConfig)
    try:
        parameters = write_start(cfg)
    except (ConfigError, DataError) as error:
        print(f"{error}\n`make demo` writes out/demo/set, which this starts from", file=sys.stderr)
        return 2
    print(f"{cfg.model.source}: {parameters:,} parameters, a tokenizer of {WORDS:,} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
