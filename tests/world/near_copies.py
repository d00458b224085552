"""Copies of a picture as the web makes them, by kind, and pools of scenes with planted copies: `group` is the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageEnhance

from tests.world.faults import plan_sample
from tests.world.files import as_jpeg
from tests.world.samples import World, draw_sample


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)


def _cropped(picture: Image.Image, share: float) -> Image.Image:
    x, y = round(picture.width * share), round(picture.height * share)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def _tinted(picture: Image.Image, factors: tuple[float, float, float]) -> Image.Image:
    bands = [
        band.point([min(255, int(level * factor)) for level in range(256)])
        for band, factor in zip(picture.split(), factors, strict=True)
    ]
    return Image.merge("RGB", bands)


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized 50 %": lambda picture: _scaled(picture, 0.5),
    "resized 130 %": lambda picture: _scaled(picture, 1.3),
    "recompressed": lambda picture: picture,
    "recompressed hard": lambda picture: picture,
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.75),
    "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.2),
    "warmer": lambda picture: _tinted(picture, (1.1, 1.0, 0.85)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
    "cropped 1 %": lambda picture: _cropped(picture, 0.01),
    "cropped 4 %": lambda picture: _cropped(picture, 0.04),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}
QUALITY = {"recompressed": 50, "recompressed hard": 15}


class Planted(NamedTuple):
    """A picture file; `kind` is empty for an original, `group` the scene it shows, `template` what kind of scene."""

    key: str
    kind: str
    group: int
    template: str
    data: bytes


def make_copy(picture: Image.Image, kind: str) -> bytes:
    return as_jpeg(KINDS[kind](picture), QUALITY.get(kind, 88))


def plant_copies(seed: int, scenes: int, every: int) -> Iterator[Planted]:
    """The sound pictures of a world of `scenes`, and of one in `every` a copy of each kind."""
    world = World(seed, scenes, scenes)
    sound = [index for index in range(scenes) if not plan_sample(seed, index, scenes).kind]
    for number, index in enumerate(sound):
        drawn = draw_sample(world, index)
        data = drawn.files[0][1]
        yield Planted(f"{index:05d}", "", index, drawn.kind, data)
        for kind in KINDS if number % every == 0 else ():
            picture = Image.open(BytesIO(data)).convert("RGB")
            yield Planted(f"{index:05d} {kind}", kind, index, drawn.kind, make_copy(picture, kind))
