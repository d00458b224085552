"""Everything a stage needs before its first step: ranks, watch, model, optimiser and checkpoints, made from a config.

Left out on purpose: data (train/feed.py) and the steps (train/loop.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

from configs.schema.strict import ConfigError
from configs.schema.train import TrainConfig
from train.chat.tokenizer import END, IMAGE, IMAGE_END, IMAGE_START, VIDEO_END, VIDEO_START, ChatTokenizer
from train.checkpoint import Checkpoints, Trained
from train.errors import TrainError
from train.flops import Costs, costs_of
from train.model import build_model, checkpoint_layers, compile_layers, freeze, load_model
from train.output_lock import hold
from train.packed_forward import PackedModel
from train.parallel import Ranks, join_ranks, shard_model
from train.presets import PRESETS, TokenIds
from train.schedule import make_optimiser
from train.watch import Limits, Watch

VIDEO = "<|video|>"
ROUND = 64
"""A vocabulary made for a tokenizer is a multiple of this, so that tensor parallel ranks and the GPU deal it evenly."""


class Job(NamedTuple):
    cfg: TrainConfig
    output: Path
    ranks: Ranks
    watch: Watch
    tokenizer: ChatTokenizer
    model: PackedModel
    costs: Costs
    optimiser: torch.optim.Optimizer
    checkpoints: Checkpoints
    say: Callable[[str], None]

    @property
    def vocabulary(self) -> int:
        return int(self.model.glm.config.text_config.vocab_size)

    @property
    def packs_a_step(self) -> int:
        """Of each data rank: micro-batches, of a pack each."""
        return self.cfg.batch // self.ranks.data_world


@contextmanager
def open_job(cfg: TrainConfig, output: Path, tokenizer: ChatTokenizer, say: Callable[[str], None]) -> Iterator[Job]:
    """Raises TrainError, ModelError and ConfigError before anything is trained."""
    rules = cfg.parallel
    with join_ranks(rules) as ranks:
        check_batch(cfg, ranks)
        store = PrefixStore("beamsift", _get_default_store())
        limits = Limits(rules.lost_seconds, rules.timeout_seconds)
        held = hold(output) if ranks.rank == 0 else nullcontext()
        with Watch(store, ranks.rank, ranks.world, limits, say) as watch, held:
            watch.note("making the model")
            model = make_model(cfg, tokenizer, ranks)
            costs = costs_of(model.glm)
            shard_model(model, ranks, rules)
            optimiser = make_optimiser(model, cfg.optimiser, fused=ranks.device.type == "cuda")
            checkpoints = Checkpoints(output / "checkpoints", cfg.save.keep, Trained(model, optimiser))
            if ranks.rank == 0:
                write_config(cfg, output)
            yield Job(cfg, output, ranks, watch, tokenizer, model, costs, optimiser, checkpoints, say)


def check_batch(cfg: TrainConfig, ranks: Ranks) -> None:
    """Raises TrainError where the packs of a step cannot be dealt evenly."""
    if cfg.batch % ranks.data_world:
        raise TrainError(
            f"batch: expected a multiple of the {ranks.data_world} ranks that read data, found {cfg.batch} packs"
        )


def make_model(cfg: TrainConfig, tokenizer: ChatTokenizer, ranks: Ranks) -> PackedModel:
    rules, source = cfg.model, cfg.model.source
    if rules.compile:
        check_compile(ranks.device, cfg.parallel.compute)
    if source in PRESETS:
        words = -(-tokenizer.vocabulary // ROUND) * ROUND
        vocabulary = max(words, PRESETS[source].vocab_size)
        named: dict[str, Any] = {"vocab_size": vocabulary, "tokens": token_ids(tokenizer)}
        dtype = cfg.parallel.parameters
        model = build_model(source, seed=cfg.seed, dtype=dtype, device=ranks.device, **named)
    else:
        model = load_model(source, dtype=cfg.parallel.parameters, device=ranks.device)
    check_tokenizer(model.glm.config, tokenizer, cfg.model.tokenizer)
    freeze(model, rules.freeze)
    checkpoint_layers(model, rules.checkpoint_layers)
    if rules.compile:
        compile_layers(model)
    return model


def check_compile(device: torch.device, compute: str) -> None:
    """Raises ConfigError where attention goes document by document: each new set of lengths would be compiled anew."""
    if device.type != "cuda" or compute != "bfloat16":
        raise ConfigError(
            f"model.compile: expected a CUDA device and parallel.compute bfloat16, found {device.type} and {compute}, "
            "where every pack of other lengths would be compiled anew; leave it out"
        )


def token_ids(tokenizer: ChatTokenizer) -> TokenIds:
    """Raises ConfigError where the tokenizer lacks one that the model must know."""
    names = (IMAGE, VIDEO, IMAGE_START, IMAGE_END, VIDEO_START, VIDEO_END, END)
    missing = [name for name in names if name not in tokenizer.ids]
    if missing:
        raise ConfigError(f"tokenizer: expected the special tokens {', '.join(names)}, found no {', '.join(missing)}")
    return TokenIds(*(tokenizer.ids[name] for name in names))


def check_tokenizer(config: Any, tokenizer: ChatTokenizer, name: str) -> None:
    """Raises ConfigError where a model and a tokenizer are not made for each other."""
    rows = config.text_config.vocab_size
    if tokenizer.vocabulary > rows:
        raise ConfigError(f"tokenizer {name!r}: expected at most {rows} words, found {tokenizer.vocabulary}")
    if config.image_token_id != tokenizer.ids[IMAGE]:
        found = tokenizer.ids[IMAGE]
        raise ConfigError(f"tokenizer {name!r}: expected {IMAGE} to be token {config.image_token_id}, found {found}")


def write_config(cfg: TrainConfig, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(cfg.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (output / "config.yaml").write_text(text, encoding="utf-8")
