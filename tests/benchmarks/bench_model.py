"""What a pack costs the model: patches, attention and the patch embedding against the usual ways.

A whole step is bench_train_step.py's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from train.attention import packed_attention, plan_attention
from train.data.records import Pack
from train.media import picture_patches
from train.model import build_model
from train.positions import document_positions

ROUNDS = 7
PICTURE = (1, 32, 32)
"""448 x 448 pixels, 256 tokens."""


def bench(_: Path) -> Iterator[tuple[str, str]]:
    torch.set_num_threads(1)
    yield from bench_patches()
    yield from bench_attention()
    yield from bench_embedding()


def best_ratio(usual: Callable[[], object], ours: Callable[[], object]) -> str:
    """CPU seconds of the usual way over ours, one thread; both in turns, the best of several rounds."""
    seconds: dict[Callable[[], object], list[float]] = {usual: [], ours: []}
    for _ in range(ROUNDS):
        for side, times in seconds.items():
            started = time.process_time()
            side()
            times.append(time.process_time() - started)
    slow, fast = (1e3 * min(times) for times in seconds.values())
    return f"{slow:.2f} ms / {fast:.2f} ms = {slow / fast:.2f}"


def bench_patches() -> Iterator[tuple[str, str]]:
    from transformers import Glm4vImageProcessorPil

    library = Glm4vImageProcessorPil()
    for width, height in ((448, 448), (640, 480), (1280, 960)):
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))

        def usual(picture: Image.Image = picture) -> object:
            return library(picture, return_tensors="np")

        def ours(picture: Image.Image = picture) -> object:
            return picture_patches(picture)

        yield f"model: Glm4vImageProcessorPil / patches, {width} x {height}", best_ratio(usual, ours)


def bench_attention() -> Iterator[tuple[str, str]]:
    """Forward and backward of one layer's, 8 heads of 64 and 2 for keys, over 2,048 tokens."""
    query, key, value = (torch.randn(1, heads, 2048, 64, requires_grad=True) for heads in (8, 2, 2))
    for length in (128, 512, 2048):
        plan, places = plan_attention(range(0, 2049, length)), torch.arange(2048)
        mask = (places[None] <= places[:, None]) & (places[None] // length == places[:, None] // length)

        def usual(mask: Tensor = mask) -> None:
            scaled_dot_product_attention(query, key, value, mask, enable_gqa=True).sum().backward()

        def ours(plan: object = plan) -> None:
            packed_attention(None, query, key, value, None, scaling=0.125, plan=plan)[0].sum().backward()

        yield f"model: masked / packed attention, documents of {length}", best_ratio(usual, ours)


def bench_embedding() -> Iterator[tuple[str, str]]:
    embedding = build_model("tiny").glm.model.visual.patch_embed.proj
    windows = torch.randn(2048, 3, 2, 14, 14)
    yield (
        "model: convolution / product of 2,048 patches",
        best_ratio(
            lambda: nn.Conv3d.forward(embedding, windows).sum().backward(), lambda: embedding(windows).sum().backward()
        ),
    )


def made_pack(tokens: int, image: int) -> Pack:
    """Documents of 512 tokens, each with a picture of 256 in its middle."""
    own = PICTURE[1] * PICTURE[2] // 4
    kinds = np.repeat([0, 1, 0], [128, own, 128]).astype(np.int8)
    count = tokens // len(kinds)
    random, grids = np.random.default_rng(0), np.array([PICTURE], np.int32)
    ids = np.where(np.tile(kinds, count) == 1, image, random.integers(0, 500, count * len(kinds))).astype(np.int32)
    return Pack(
        input_ids=ids,
        labels=np.roll(ids, -1),
        weights=np.ones(len(ids), np.float32),
        positions=np.tile(document_positions(kinds, grids), (1, count)),
        bounds=np.arange(count + 1, dtype=np.int32) * len(kinds),
        grids=np.tile(grids, (count, 1)),
        patches=random.normal(size=(count * 4 * own, 1176)).astype(np.float32),
        sources=("made",) * count,
        keys=tuple(map(str, range(count))),
    )
