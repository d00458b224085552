"""A set of drawn pictures and captions that name what is on them, a tokenizer, and a config to train a tiny model."""

import io
import json
from pathlib import Path

from PIL import Image, ImageDraw

from configs.schema.strict import parse_config
from configs.schema.train import TrainConfig
from tests.train.data.toy_set import write_indexed
from tests.train.tokenizer import save_toy_tokenizer

COLOURS = ("red", "green", "blue", "yellow")


def drawn(number: int) -> bytes:
    side = 56 + 28 * (number % 2)
    picture = Image.new("RGB", (side, 56), "white")
    ImageDraw.Draw(picture).ellipse((8, 8, 48, 48), fill=COLOURS[number % 4])
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


def caption(number: int) -> str:
    return f"a {COLOURS[number % 4]} circle above a blue square" + ", with a small black cat" * (number % 3)


def write_captions(folder: Path, samples: int = 40, prefix: str = "c") -> str:
    rows = [
        # Every third sample is text alone.
        (f"{prefix}{n}", {**({"jpg": drawn(n)} if n % 3 else {}), "txt": caption(n).encode()})
        for n in range(samples)
    ]
    return str(write_indexed(folder, rows, per_shard=16))


def write_talks(folder: Path, samples: int = 20) -> str:
    """Conversations about the pictures, every other answer with a thought."""
    rows = []
    for n in range(samples):
        answer = f"<think>It is {COLOURS[n % 4]}.</think>" * (n % 2) + f"<answer>a {COLOURS[n % 4]} circle</answer>"
        turns = [{"role": "user", "content": "<image>What is it?"}, {"role": "assistant", "content": answer}]
        rows.append((f"t{n}", {"jpg": drawn(n), "json": json.dumps({"messages": turns}).encode()}))
    return str(write_indexed(folder, rows, per_shard=16))


def toy_config(folder: Path, **changes) -> TrainConfig:
    """A run of some steps in `folder`, whose sets are written where they are missing."""
    if not (folder / "set").exists():
        write_captions(folder / "set")
    if not (folder / "tokenizer").exists():
        save_toy_tokenizer(folder / "tokenizer")
    values = {
        "stage": "pretrain",
        "context": 96,
        "batch": 4,
        "steps": 6,
        "model": {"source": "tiny", "tokenizer": str(folder / "tokenizer"), "checkpoint_layers": 0},
        "data": {
            "sources": [{"name": "captions", "uri": str(folder / "set")}],
            "workers": 0,
            "window": 8,
        },
        "parallel": {"compute": "float32", "timeout_seconds": 60, "lost_seconds": 4},
        "optimiser": {"learning_rate": 3e-3, "warmup_steps": 2},
        "save": {"every": 2, "keep": 2},
        "report": {"every": 1},
    }
    return parse_config({**values, **changes}, TrainConfig, "toy")
