"""One sample of the world: its files as a downloader would have left them, and the truth about it."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import NamedTuple

from PIL import Image

from tests.world.bad_captions import BAD_CAPTIONS, boilerplate_caption, not_utf8
from tests.world.bad_pictures import BAD_PICTURES, Made, near_copy
from tests.world.chance import noise_of, random_of
from tests.world.faults import COPY_FORMATS, FAULTS, Plan, plan_sample, swapped_scene
from tests.world.files import as_png, as_webp, encode, format_of, with_exif
from tests.world.scenes import Scene, caption_of, compose, paint_scene, size_of


class World(NamedTuple):
    seed: int
    pairs: int
    shard_size: int

    def shard_of(self, index: int) -> str:
        return f"{index // self.shard_size:05d}.tar"

    def key_of(self, index: int) -> str:
        """img2dataset's keys: five digits of the shard, four of the sample's place in it."""
        return f"{index // self.shard_size:05d}{index % self.shard_size:04d}"


class Drawn(NamedTuple):
    """`files` are (extension, bytes) in tar order; `text` is the caption that a reader finds, if any."""

    key: str
    files: list[tuple[str, bytes]]
    text: str
    plan: Plan
    kind: str
    caption: str

    @property
    def fault(self) -> str:
        return FAULTS[self.plan.kind][1] if self.plan.kind else ""


def draw_sample(world: World, index: int) -> Drawn:
    plan = plan_sample(world.seed, index, world.pairs)
    random = random_of(world.seed, index, "spoil")
    composition = compose(world.seed, plan.source)
    caption = caption_of(composition, world.seed, index)
    rng = noise_of(world.seed, plan.source, "ground")
    scene = paint_scene(composition, caption, size=size_of(world.seed, plan.source), rng=rng)
    kind, data = _picture(world.seed, plan, scene.picture, random)
    text = _caption(world, plan, caption, random)
    meta = _meta(world.key_of(index), scene, data)
    files = [
        (kind, data),
        ("json", meta[:-25] if plan.kind == "broken_json" else meta),
        ("txt", not_utf8(random, caption) if plan.kind == "caption_not_utf8" else text.encode()),
    ]
    absent = {"absent_caption": "txt", "absent_picture": kind}.get(plan.kind)
    files = [(name, body) for name, body in files if name != absent]
    return Drawn(world.key_of(index), files, text, plan, plan.kind or scene.kind, caption)


def _caption(world: World, plan: Plan, caption: str, random: Random) -> str:
    if plan.kind == "swapped_caption":
        return caption_of(swapped_scene(world.seed, plan.number, world.pairs), world.seed, plan.number, "swap")
    if plan.kind == "boilerplate":
        return boilerplate_caption(random, world.pairs)
    if plan.kind == "absent_caption":
        return ""
    return BAD_CAPTIONS[plan.kind](random, caption) if plan.kind in BAD_CAPTIONS else caption


def _picture(seed: int, plan: Plan, picture: Image.Image, random: Random) -> Made:
    if plan.kind in BAD_PICTURES:
        return BAD_PICTURES[plan.kind](random, picture)
    if plan.kind == "near":
        return near_copy(random, picture)
    if plan.kind == "same_pixels_lossless":
        repacked = random.random() < 0.5
        return ("png", as_png(picture, 9)) if repacked else ("webp", as_webp(picture, 0, lossless=True))
    data = encode(picture, seed, plan.source)
    if plan.kind == "same_pixels_exif":
        data = with_exif(data, f"copy {plan.number}")
    return format_of(seed, plan.source), data


def _meta(key: str, scene: Scene, data: bytes) -> bytes:
    """img2dataset's fields, and the scene's truth under `world`. No caption: it would stand in for a missing .txt."""
    fields = {
        "key": key,
        "url": f"https://example.com/pictures/{key}",
        "status": "success",
        "width": scene.picture.width,
        "height": scene.picture.height,
        "sha256": hashlib.sha256(data).hexdigest(),
        "world": {"kind": scene.kind, "boxes": scene.boxes, "texts": scene.texts},
    }
    return json.dumps(fields, ensure_ascii=False).encode()


def group_of(drawn: Drawn, world: World) -> str:
    """Copies bear the key of their original, which does not know that it has any (truth.py tells it)."""
    return world.key_of(drawn.plan.source) if drawn.plan.kind in COPY_FORMATS else ""
