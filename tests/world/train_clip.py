"""Trains the toy world's CLIP: a small open_clip model, in minutes on two cores, deterministic for one machine.

    python -m tests.world.train_clip [--scenes 12000] [--steps 700] [--out tests/world/clip]

The contrastive loss alone fixes only the order of scores. A second term moves matched pairs above 0.3 and plainly
wrong ones below it, so that the paper's cut (GLM-4.1V sec. 3.1: above 0.3) is a sensible one on this model as well.
Left out on purpose: anything a real model needs. It has seen nothing but tests/world.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from tests.world.composition import Composition
from tests.world.scenes import compose, draw_scene
from tests.world.score import area_under_curve

TRAIN_SEED, HELD_OUT_SEED = 1_000_003, 1_000_033
"""Worlds that no run draws: the demo and the tests use small seeds."""
SIDE = 64
CUT, MARGIN, STEEPNESS = 0.3, 0.15, 20.0
"""Cosine the two sides are moved apart from, by how much on each side, and how sharply."""
CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 96,
        "vision_cfg": {"image_size": SIDE, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
        "text_cfg": {"context_length": 64, "vocab_size": 49408, "width": 48, "heads": 4, "layers": 2},
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
}


class Pairs(NamedTuple):
    """`pixels` uint8 N×3×64×64; `tokens` int64 M×64 with `first[n] : first[n + 1]` those of scene n; `traits` N×V."""

    pixels: torch.Tensor
    tokens: torch.Tensor
    first: np.ndarray
    traits: torch.Tensor


def small_picture(seed: int, index: int) -> np.ndarray:
    picture = draw_scene(seed, index).picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(picture).transpose(2, 0, 1)


def load_pairs(seed: int, count: int, workers: int) -> Pairs:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pixels = torch.from_numpy(np.stack(list(pool.map(partial(small_picture, seed), range(count), chunksize=200))))
    scenes = [compose(seed, index) for index in range(count)]
    captions = [(*scene.captions, *scene.chinese) for scene in scenes]
    tokenizer = open_clip.SimpleTokenizer(context_length=CONFIG["model_cfg"]["text_cfg"]["context_length"])
    tokens = tokenizer([text for texts in captions for text in texts])
    first = np.cumsum([0, *map(len, captions)])
    return Pairs(pixels, tokens, first, trait_matrix(scenes))


def trait_matrix(scenes: list[Composition]) -> torch.Tensor:
    """Row n marks the nouns and colours of scene n: two scenes are plainly different where rows share none."""
    names = sorted({trait for scene in scenes for trait in scene.traits})
    column = {name: place for place, name in enumerate(names)}
    marks = torch.zeros(len(scenes), len(names))
    for row, scene in enumerate(scenes):
        marks[row, [column[trait] for trait in scene.traits]] = 1
    return marks


def as_input(pixels: torch.Tensor) -> torch.Tensor:
    preprocess = CONFIG["preprocess_cfg"]
    mean, std = (torch.tensor(preprocess[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    return (pixels.float() / 255 - mean) / std


def batches(pairs: Pairs, steps: int, size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Scene numbers and the tokens of one caption of each, `steps` times, every scene once before any comes again."""
    order: list[int] = []
    for _ in range(steps):
        if len(order) < size:
            order = list(rng.permutation(len(pairs.pixels)))
        chosen, order = np.array(order[:size]), order[size:]
        starts, counts = pairs.first[chosen], pairs.first[chosen + 1] - pairs.first[chosen]
        yield chosen, pairs.tokens[starts + (rng.random(size) * counts).astype(int)]


def loss_of(cosines: torch.Tensor, different: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Contrastive loss over all pairs of the batch, and the cut's loss over the matched and the plainly different."""
    labels = torch.arange(len(cosines))
    logits = scale * cosines
    contrastive = (functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)) / 2
    matched = functional.softplus(STEEPNESS * (CUT + MARGIN - cosines.diagonal())).mean()
    wrong = functional.softplus(STEEPNESS * (cosines[different] - CUT + MARGIN)).mean()
    return contrastive + (matched + wrong) / 2


def train(model: Any, pairs: Pairs, steps: int, size: int) -> None:
    rng = np.random.default_rng(TRAIN_SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps, pct_start=0.08)
    started = time.monotonic()
    for step, (chosen, tokens) in enumerate(batches(pairs, steps, size, rng), 1):
        traits = pairs.traits[chosen]
        images = as_input(pairs.pixels[chosen])
        images = images * (1 + 0.1 * torch.randn(size, 1, 1, 1)) + 0.1 * torch.randn(size, 1, 1, 1)
        # channels_last and bf16 take a third of the time of the plain image tower on a CPU that computes in bf16
        with torch.autocast("cpu", torch.bfloat16):
            seen = model.encode_image(images.contiguous(memory_format=torch.channels_last))
        seen = functional.normalize(seen.float(), dim=-1)
        cosines = seen @ model.encode_text(tokens, normalize=True).T
        loss = loss_of(cosines, traits @ traits.T == 0, model.logit_scale.exp().clamp(max=60))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps:
            print(f"step {step}/{steps} loss {loss.item():.3f} {time.monotonic() - started:.0f} s", flush=True)


@torch.no_grad()
def evaluate(model: Any, pairs: Pairs) -> dict[str, float]:
    """Matched pairs against plainly different captions of the held-out world."""
    model.eval()
    images = torch.cat([model.encode_image(as_input(part), normalize=True) for part in pairs.pixels.split(250)])
    texts = torch.cat([model.encode_text(part, normalize=True) for part in pairs.tokens[pairs.first[:-1]].split(250)])
    cosines = images @ texts.T
    matched = cosines.diagonal().numpy()
    wrong = cosines[pairs.traits @ pairs.traits.T == 0].numpy()
    return {
        "auc": area_under_curve(matched, wrong),
        "matched above the cut": float((matched > CUT).mean()),
        "mismatched below the cut": float((wrong < CUT).mean()),
        "matched mean": float(matched.mean()),
        "mismatched mean": float(wrong.mean()),
    }


def save(model: Any, tokens: torch.Tensor, folder: Path) -> None:
    """Half-precision weights; rows of tokens that no caption used become zero, so that the file packs small."""
    weights = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()
    }
    unused = torch.ones(len(weights["token_embedding.weight"]), dtype=torch.bool)
    unused[tokens.unique()] = False
    weights["token_embedding.weight"][unused] = 0
    weights |= {name: value for name, value in model.state_dict().items() if not value.is_floating_point()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=12_000)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "clip")
    args = parser.parse_args()
    torch.manual_seed(TRAIN_SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    pairs = load_pairs(TRAIN_SEED, args.scenes, args.workers)
    model = open_clip.model.CLIP(**CONFIG["model_cfg"])
    model.visual.to(memory_format=torch.channels_last)
    train(model, pairs, args.steps, args.batch)
    save(model, pairs.tokens, args.out)
    ready, _ = open_clip.create_model_from_pretrained(f"local-dir:{args.out}")
    for name, value in evaluate(ready, load_pairs(HELD_OUT_SEED, 1500, args.workers)).items():
        print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    main()
