"""Trains the vision tower that the demo's model starts with: on drawn scenes, where it is told what lies where.

    python -m tests.world.train_eyes tests/world/eyes [--scenes 24000] [--passes 6]

GLM-4.1V starts with AIMv2-Huge, which has seen billions of pictures; the demo's start has seen drawings of other seeds.
It is told classes, no words: that a class is called "circle", the demo's training has to find out from its captions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.world.objects import THINGS
from tests.world.scenes import compose, draw_scene
from tests.world.shapes import OUTLINES
from tests.world.words import COLOURS

SEED = 2_000_003
"""Of scenes that no world of tests or demo draws."""
NOUNS, HUES = (*OUTLINES, *THINGS), tuple(COLOURS)
NONE = -1
LOUDNESS = 4.0
"""Scores are about this large; what a model is given should be about 1."""
MOST = 28 * 28 * 2 * 25
"""Pixels as the library counts them: 25 tokens, as in tests/world/demo_train.yaml."""
SHAPE: dict[str, Any] = {
    "depth": 3,
    "hidden_size": 64,
    "num_heads": 2,
    "image_size": 112,
    "out_hidden_size": 64,
    "intermediate_size": 128,
    "initializer_range": 0.12,  # about 1 / sqrt(64); the library's 0.02 is that of 2,500
}


class Told(NamedTuple):
    pixels: np.ndarray
    """(height, width, 3) uint8, as it is resized for the model."""
    nouns: np.ndarray
    """(tokens,) int64: what covers each token's middle, NONE for the ground."""
    hues: np.ndarray


def draw(index: int) -> Told | None:
    """None for scenes of words and numbers, and for half of the things, which are told more easily than shapes."""
    from PIL import Image

    from train.media import FACTOR, PixelLimits, fit_size

    kind = compose(SEED, index).kind
    if kind != "shapes" and (kind != "objects" or index % 2):
        return None
    scene = draw_scene(SEED, index)
    height, width = fit_size(scene.picture.height, scene.picture.width, PixelLimits(most=MOST))
    grid = height // FACTOR, width // FACTOR
    nouns, hues = (np.full(grid, NONE) for _ in range(2))
    for mark in scene.boxes:
        hue, _, noun = str(mark["label"]).partition(" ")
        if hue in HUES and noun in NOUNS:
            rows, columns = covered(mark["box"], grid)  # type: ignore[arg-type]
            nouns[rows, columns], hues[rows, columns] = NOUNS.index(noun), HUES.index(hue)
    pixels = np.asarray(scene.picture.resize((width, height), Image.Resampling.BICUBIC))
    return Told(pixels, nouns.ravel(), hues.ravel())


def covered(box: list[float], grid: tuple[int, int]) -> tuple[slice, slice]:
    """The tokens whose middle is in a box of fractions; at least the one that holds the box's own middle."""
    spans = []
    for low, high, count in ((box[1], box[3], grid[0]), (box[0], box[2], grid[1])):
        first, end = int(np.ceil(low * count - 0.5)), int(np.floor(high * count - 0.5)) + 1
        middle = min(int((low + high) / 2 * count), count - 1)
        spans.append(slice(min(first, middle), max(end, middle + 1)))
    return spans[0], spans[1]


def draw_all(count: int, workers: int) -> list[Told]:
    with Pool(workers) as pool:
        found = (told for told in pool.imap(draw, range(10**9), chunksize=64) if told is not None)
        return list(islice(found, count))


def batches(scenes: list[Told], passes: int, size: int = 32) -> Iterator[list[Told]]:
    for number in range(passes):
        order = np.random.default_rng(number).permutation(len(scenes))
        yield from ([scenes[n] for n in order[at : at + size]] for at in range(0, len(order) - size + 1, size))


def look(tower: Any, scenes: list[Told]) -> Any:
    """(tokens of all scenes, 64)."""
    import torch

    from train.attention import place_borders
    from train.media import PixelLimits, picture_patches
    from train.positions import patch_positions, picture_bounds

    seen = [picture_patches(told.pixels, PixelLimits(most=MOST)) for told in scenes]
    grids = np.array([one.grid for one in seen])
    bounds = picture_bounds(grids).tolist()
    borders = place_borders(bounds, bounds, "cpu")
    return tower(
        torch.from_numpy(np.concatenate([one.values for one in seen])),
        grid_thw=torch.from_numpy(grids),
        position_ids=torch.from_numpy(patch_positions(grids)).long(),
        cu_seqlens=borders.queries,
        max_seqlen=0,
        picture_borders=borders,
    ).pooler_output


def new_heads() -> Any:
    from torch import nn

    return nn.ModuleList([nn.Linear(64, len(NOUNS) + 1), nn.Linear(64, len(HUES) + 1)])


def spoken_scores() -> list[Any]:
    """In place of heads, once the tower's own outputs are their scores (`speak_up`)."""
    nouns, hues = len(NOUNS) + 1, len(HUES) + 1
    return [lambda seen: seen[:, :nouns] * LOUDNESS, lambda seen: seen[:, nouns : nouns + hues] * LOUDNESS]


def train(tower: Any, heads: Any, scenes: list[Told], passes: int, rate: float) -> None:
    """Trains the tower, and the heads where they have weights."""
    import torch
    from torch import nn

    trained = [*tower.parameters(), *getattr(heads, "parameters", list)()]
    optimiser = torch.optim.AdamW(trained, rate, betas=(0.9, 0.95), weight_decay=0.05)
    steps, started, lost = passes * (len(scenes) // 32), time.process_time(), 0.0
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.05, cycle_momentum=False)
    for step, batch in enumerate(batches(scenes, passes), 1):
        loss = sum(losses(look(tower, batch), heads, batch))
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        lost += float(loss.detach())
        if step % 100 == 0 or step == steps:
            mean, seconds = lost / ((step - 1) % 100 + 1), time.process_time() - started
            print(f"step {step} of {steps}  loss {mean:.4f}  {seconds:.0f} s", flush=True)
            lost = 0.0


def speak_up(tower: Any, heads: Any) -> None:
    """Turns the tower's last layer so that its first 27 and 13 outputs are the heads' own scores, the others a mix.

    Before, what tells shapes apart is a small part of the outputs, and a model that begins to read does not find it.
    """
    import torch

    with torch.no_grad():
        last = tower.merger.down_proj.weight
        scores = torch.cat([head.weight for head in heads])
        rest = torch.randn(len(last) - len(scores), len(last)) / len(last) ** 0.5
        last.copy_(torch.cat([scores / LOUDNESS, rest / LOUDNESS]) @ last)


def losses(seen: Any, heads: Any, scenes: list[Told]) -> Iterator[Any]:
    """Of nouns and of hues; the ground is a class of its own."""
    import torch
    from torch.nn.functional import cross_entropy

    for head, part in zip(heads, ("nouns", "hues"), strict=True):
        truth = torch.from_numpy(np.concatenate([getattr(told, part) for told in scenes]))
        logits = head(seen)
        yield cross_entropy(logits, torch.where(truth < 0, logits.shape[1] - 1, truth))


def right(tower: Any, heads: Any, scenes: list[Told]) -> dict[str, float]:
    """Share of covered tokens whose class has the highest score."""
    import torch

    found: dict[str, float] = {}
    with torch.no_grad():
        seen = torch.cat([look(tower, scenes[at : at + 64]) for at in range(0, len(scenes), 64)])
        for head, part in zip(heads, ("nouns", "hues"), strict=True):
            truth = torch.from_numpy(np.concatenate([getattr(told, part) for told in scenes]))
            there = truth >= 0
            found[part] = float((head(seen)[there].argmax(1) == truth[there]).float().mean())
    return found


def new_tower() -> Any:
    import torch
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration

    from train.model import _prepared
    from train.presets import library_config

    config = library_config("tiny")
    config = Glm4vConfig(**{**config.to_dict(), "vision_config": SHAPE})
    torch.manual_seed(0)
    return _prepared(Glm4vForConditionalGeneration(config)).glm.model.visual


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=24_000)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    started = time.monotonic()
    scenes = draw_all(args.scenes + 300, args.workers)
    print(f"drawn in {time.monotonic() - started:.0f} s", flush=True)
    tower, heads, spoken = new_tower(), new_heads(), spoken_scores()
    train(tower, heads, scenes[300:], args.passes, args.rate)
    print(right(tower, heads, scenes[:300]), flush=True)
    speak_up(tower, heads)
    train(tower, spoken, scenes[300:], max(args.passes // 3, 1), args.rate / 2)
    print(right(tower, spoken, scenes[:300]))
    args.folder.mkdir(parents=True, exist_ok=True)
    save_file({n: v.half() for n, v in tower.state_dict().items()}, str(args.folder / "tower.safetensors"))
    (args.folder / "tower.json").write_text(json.dumps(SHAPE, indent=1))


if __name__ == "__main__":
    main()
