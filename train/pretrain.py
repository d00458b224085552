"""Pre-training, both stages: captions and interleaved documents, every token of text is trained on.

    python -m train pretrain --config configs/train/pretrain.yaml --output out/pretrain
    torchrun --nproc-per-node 8 -m train.pretrain --config configs/train/long_context.yaml --output out/long_context

Left out on purpose: conversations, which are train/sft.py's. One among the data is trained on as there where the
tokenizer has its special tokens, and is a corrupt sample where it has not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from configs.schema.train import TrainConfig


def pretrain(cfg: TrainConfig, output: Path, say: Callable[[str], None]) -> None:
    """Writes checkpoints, metrics.jsonl and, at the end, the model in the hub's format to `output`; goes on from the
    newest checkpoint there."""
    from train.chat.tokenizer import load_tokenizer
    from train.loop import run_stage

    run_stage(cfg, output, load_tokenizer(cfg.model.tokenizer, None), say)


if __name__ == "__main__":
    from train.__main__ import main

    sys.exit(main(["pretrain", *sys.argv[1:]]))
