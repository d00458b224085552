"""Trains the demo's heads on drawn pictures: a page's pictures, and knowledge density. Deterministic for one machine.

    python -m tests.world.train_heads [--pictures 600] [--out tests/world/heads]

Every other picture is sharpened, as those of the toy web are, and the class that holds most of the world is drawn four
times as often: a linear head on 300 plain ones of each took one view in twenty for a decoration.
Left out on purpose: anything real heads need. They have seen nothing but tests/world, through its CLIP model.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from classifiers.clip import ClipScorer
from classifiers.clip_source import fingerprint_source, parse_source
from classifiers.head_training import Fitted, Labelled, fit_head
from classifiers.heads import Array, Clip, format_card, format_head
from configs.schema.caption import RelevanceRules
from configs.schema.classifier import HeadRules
from tests.world.page_pictures import TASKS, as_jpeg, draw_labelled
from transforms.class_scores import calibration_error

FOLDER = Path(__file__).parent
RULES = HeadRules(kind="mlp", class_weights="none")
MANY = {"content", "other"}
TRAIN_SEED, HELD_OUT_SEED = 2_000_003, 2_000_033
"""Worlds that no run draws: the demo and the tests use small seeds."""
CLIP = RelevanceRules(model=f"local-dir:{FOLDER / 'clip'}", pretrained="", device="cpu", precision="fp32")


def embed_drawn(scorer: ClipScorer, task: str, seed: int, count: int, many: int = 1) -> Labelled:
    """`count` drawn pictures of each class, `many` times as many of some, as JPEG files would be embedded."""
    counts = {name: count * (many if name in MANY else 1) for name in TASKS[task]}
    drawn = [(name, _draw(task, name, seed, index)) for name in counts for index in range(counts[name])]
    embeddings = scorer.embed([np.asarray(Image.open(io.BytesIO(data))) for _, data in drawn])
    return Labelled([hashlib.sha256(data).hexdigest() for _, data in drawn], [name for name, _ in drawn], embeddings)


def _draw(task: str, name: str, seed: int, index: int) -> bytes:
    picture = draw_labelled(task, name, seed, index)
    return as_jpeg(picture.filter(ImageFilter.SHARPEN) if index % 2 else picture)


def train(scorer: ClipScorer, task: str, count: int) -> Fitted:
    clip = Clip(fingerprint_source(parse_source(scorer.rules)), "tests/world/clip")
    return fit_head(embed_drawn(scorer, task, TRAIN_SEED, count, many=4), clip, RULES, 0)


def judge(found: Array, labelled: Labelled, classes: tuple[str, ...]) -> tuple[float, float]:
    """(accuracy, expected calibration error)."""
    truth = np.array([classes.index(label) for label in labelled.labels])
    return float(np.mean(found.argmax(axis=1) == truth)), calibration_error(found, truth, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=600, help="of each class")
    parser.add_argument("--out", type=Path, default=FOLDER / "heads")
    args = parser.parse_args()
    scorer = ClipScorer(CLIP)
    scorer.load()
    args.out.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        head = train(scorer, task, args.pictures).head
        (args.out / f"{task}.safetensors").write_bytes(format_head(head))
        (args.out / f"{task}.json").write_text(format_card(head.card), encoding="utf-8")
        held_out = embed_drawn(scorer, task, HELD_OUT_SEED, 200)
        accuracy, error = judge(head.predict(held_out.embeddings), held_out, head.classes)
        print(f"{task}: accuracy {accuracy:.4f}, calibration error {error:.4f}, l2 {head.card.training.l2}")


if __name__ == "__main__":
    main()
