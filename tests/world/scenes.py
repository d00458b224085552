"""Scenes of the world: `compose(seed, index)` gives captions in microseconds, `draw_scene` the picture as well.

Everything follows from (seed, index) by hashing, so any scene can be drawn alone and in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from tests.world.chance import noise_of, random_of, share_of
from tests.world.charts import compose_chart, white_page
from tests.world.composition import Composition, clearly_different
from tests.world.documents import compose_document
from tests.world.objects import THINGS
from tests.world.pen import Sheet
from tests.world.screens import compose_code, compose_screen
from tests.world.shapes import compose_shapes
from tests.world.signs import compose_advert, compose_sign
from tests.world.views import compose_view
from tests.world.words import sentence

__all__ = ["Scene", "caption_of", "clearly_different", "compose", "draw_scene", "paint_scene"]

# Adverts, codes and albums are sound pairs here: later filters need their truth, so a few of each suffice.
KINDS: dict[str, tuple[float, Callable[[Random], Composition]]] = {
    "shapes": (0.28, compose_shapes),
    "objects": (0.33, compose_view),
    "chart": (0.13, compose_chart),
    "document": (0.07, compose_document),
    "sign": (0.08, compose_sign),
    "screen": (0.08, compose_screen),
    "advert": (0.01, compose_advert),
    "qr": (0.01, compose_code),
    "album": (0.01, lambda random: _compose_album(random)),
}
SHORT_SIDES = (224, 352)
"""Pixels, shortest and longest short side; the longer side reaches 512. All above ImageRules.min_short_side (200)."""
RATIOS = (1.0, 1.0, 1.25, 1.33, 1.5)
CHINESE_SHARE = 0.04
"""Share of sound pairs with a Chinese caption, where the scene has one: GLM-4.1V mixes Chinese and English pools."""


@dataclass(frozen=True)
class Scene:
    """One drawn scene. `boxes` and `texts` are dicts with fractions of width and height (x1, y1, x2, y2)."""

    picture: Image.Image
    caption: str
    kind: str
    boxes: tuple[dict[str, object], ...]
    texts: tuple[dict[str, object], ...]


def compose(seed: int, index: int) -> Composition:
    random = random_of(seed, index, "scene")
    names, weights = list(KINDS), [share for share, _ in KINDS.values()]
    return KINDS[random.choices(names, weights)[0]][1](random)


def caption_of(composition: Composition, *chance: str | int) -> str:
    """One of the scene's exact captions, chosen by hash; now and then the Chinese one."""
    if composition.chinese and share_of(*chance, "chinese") < CHINESE_SHARE:
        return composition.chinese[0]
    return random_of(*chance, "caption").choice(composition.captions)


def size_of(seed: int, index: int) -> tuple[int, int]:
    """Width and height in pixels."""
    random = random_of(seed, index, "size")
    short, ratio = random.randint(*SHORT_SIDES), random.choice(RATIOS)
    long = min(round(short * ratio), 512)
    return (long, short) if random.random() < 0.65 else (short, long)


def draw_scene(seed: int, index: int) -> Scene:
    composition = compose(seed, index)
    caption = caption_of(composition, seed, index)
    return paint_scene(composition, caption, size=size_of(seed, index), rng=noise_of(seed, index, "ground"))


def paint_scene(composition: Composition, caption: str, *, size: tuple[int, int], rng: np.random.Generator) -> Scene:
    width, height = size
    sheet = Sheet(composition.ground(rng, height, width))
    composition.paint(sheet)
    return Scene(sheet.finish(), caption, composition.kind, tuple(sheet.boxes), tuple(sheet.texts))


def _compose_album(random: Random) -> Composition:
    """Four views on one page, as a photo album shows them."""
    views = [compose_view(Random(random.getrandbits(64))) for _ in range(4)]
    things = [next(name for name in THINGS if name in view.traits) for view in views]
    listed = f"{', '.join(things[:3])} and {things[3]}"
    captions = (
        sentence(f"a photo album page with four small pictures on white paper: {listed}"),
        sentence(f"an album of four separate pictures in two rows, {listed}, on a white page"),
    )

    def paint(sheet: Sheet) -> None:
        for number, view in enumerate(views):
            x, y = 0.04 + 0.48 * (number % 2), 0.04 + 0.48 * (number // 2)
            pen = sheet.pen.inside(x, y, x + 0.44, y + 0.44)
            rng = noise_of(number, view.captions[0])
            part = paint_scene(view, "", size=(round(pen.width / 2), round(pen.height / 2)), rng=rng).picture
            sheet.paste(part, pen)
            sheet.mark("picture", pen)

    return Composition("album", frozenset({"album"}), captions, paint, white_page)
