"""Supervised fine-tuning: conversations with and without thoughts, of which the responses are trained on.

    python -m train sft --config configs/train/sft.yaml --output out/sft_model
    torchrun --nproc-per-node 8 -m train.sft --config configs/train/sft.yaml --output out/sft_model

Left out on purpose: which responses are worth it, which is curation (pipelines/sft.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from configs.schema.train import TrainConfig


def sft(cfg: TrainConfig, output: Path, say: Callable[[str], None]) -> None:
    """Writes checkpoints, metrics.jsonl and, at the end, the model in the hub's format to `output`; goes on from the
    newest checkpoint there."""
    from train.chat.tokenizer import load_tokenizer
    from train.loop import run_stage

    run_stage(
        cfg, output, load_tokenizer(cfg.model.tokenizer, cfg.chat.form, add_missing=cfg.chat.add_missing_tokens), say
    )


if __name__ == "__main__":
    from train.__main__ import main

    sys.exit(main(["sft", *sys.argv[1:]]))
