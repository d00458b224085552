"""Scenes of simple things in a place: a red house on a meadow, two things side by side on a table.

Left out on purpose: what the things look like (objects.py).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.world.composition import Composition
from tests.world.grounds import Paint, bricks, grass, night, paper, road, sand, sky, snow, stacked, water, wood
from tests.world.objects import CHINESE_THINGS, THINGS, cloud, sun
from tests.world.pen import Sheet
from tests.world.words import CHINESE_COLOURS, COLOURS, sentence, with_article

OUTDOORS = ("house", "tree", "car", "flower", "mushroom", "balloon", "umbrella", "rocket", "butterfly")
INDOORS = ("cup", "clock", "apple", "key", "mushroom", "umbrella", "flower", "fish", "cat face", "butterfly")


class Place(NamedTuple):
    phrase: str
    chinese: str
    things: tuple[str, ...]
    near: frozenset[str]
    """Colours that are lost against the place."""
    paint: Paint
    has_sky: bool


PLACES: tuple[Place, ...] = (
    Place("in a green meadow", "草地上", OUTDOORS, frozenset({"green", "turquoise"}), stacked(sky, grass, 0.5), True),
    Place("on a sandy beach", "沙滩上", OUTDOORS, frozenset({"yellow", "white"}), stacked(sky, sand, 0.55), True),
    Place("in a snowy field", "雪原上", OUTDOORS, frozenset({"white", "grey"}), stacked(sky, snow, 0.5), True),
    Place("beside a grey road", "公路旁", OUTDOORS, frozenset({"grey"}), stacked(sky, road, 0.66), True),
    Place(
        "on the blue sea",
        "蓝色的海上",
        ("sailing boat",) * 4 + ("balloon", "fish"),
        frozenset({"blue", "turquoise"}),
        stacked(sky, water, 0.52),
        True,
    ),
    Place(
        "under a dark starry sky",
        "夜空下",
        ("house", "rocket", "balloon", "tree"),
        frozenset({"black", "blue", "purple", "brown"}),
        stacked(night, grass, 0.8),
        False,
    ),
    Place("on a wooden table", "木桌上", INDOORS, frozenset({"brown", "orange"}), wood, False),
    Place("against a brick wall", "砖墙前", INDOORS, frozenset({"red", "brown", "orange", "pink"}), bricks, False),
    Place("on a sheet of lined paper", "横格纸上", INDOORS, frozenset({"white", "yellow"}), paper, False),
)


def compose_view(random: Random) -> Composition:
    place = random.choice(PLACES)
    colours = [name for name in COLOURS if name not in place.near]
    kinds = sorted(set(place.things))
    if len(kinds) > 2 and random.random() < 0.4:
        return _pair(random, place, colours, random.sample(kinds, 2))
    return _single(random, place, colours)


def _single(random: Random, place: Place, colours: list[str]) -> Composition:
    thing, colour = random.choice(place.things), random.choice(colours)
    weather = random.choice(("sun", "cloud", "")) if place.has_sky else ""
    share, level = random.choice(((0.5, 0.5), (0.6, 0.5), (0.6, 0.44)))
    middle, where = random.choice(((0.34, "on the left"), (0.5, "in the middle"), (0.66, "on the right")))
    size = "big" if share > 0.5 else "small"
    beyond = {"sun": " under the shining sun", "cloud": " below a white cloud", "": ""}[weather]
    named = f"{size} {colour} {thing}"
    captions = (
        sentence(f"{with_article(named)} {place.phrase}{beyond}, {where} of the drawing"),
        sentence(f"a simple drawing of {with_article(named)} {place.phrase}{beyond}, {where}"),
        sentence(f"{place.phrase} there is {with_article(named)} {where}{beyond}"),
        sentence(f"picture of a single {colour} {thing}, {size}, {where}, {place.phrase}{beyond}"),
    )
    chinese = f"{place.chinese}有{CHINESE_THINGS[thing].format(CHINESE_COLOURS[colour])}"
    paint = _painter([(thing, colour, middle, share)], level, weather)
    return Composition("objects", frozenset({thing, colour}), captions, paint, place.paint, (chinese,))


def _pair(random: Random, place: Place, colours: list[str], things: list[str]) -> Composition:
    pair = random.sample(colours, 2)
    first, second = (f"{c} {t}" for c, t in zip(pair, things, strict=True))
    captions = (
        sentence(f"{with_article(first)} on the left and {with_article(second)} on the right, {place.phrase}"),
        sentence(f"{place.phrase}, {with_article(first)} stands beside {with_article(second)}"),
        sentence(f"a drawing of {with_article(second)} to the right of {with_article(first)}, {place.phrase}"),
    )
    one, two = (CHINESE_THINGS[t].format(CHINESE_COLOURS[c]) for c, t in zip(pair, things, strict=True))
    paint = _painter([(things[0], pair[0], 0.27, 0.42), (things[1], pair[1], 0.73, 0.42)], 0.5, "")
    traits = frozenset({*things, *pair})
    return Composition("objects", traits, captions, paint, place.paint, (f"{place.chinese}，左边{one}，右边{two}",))


def _painter(items: list[tuple[str, str, float, float]], level: float, weather: str) -> Callable[[Sheet], None]:
    """Paints (thing, colour, middle from the left, share of the shorter side), all at one `level` from the top."""

    def paint(sheet: Sheet) -> None:
        short = min(sheet.width, sheet.height)
        if weather:
            pen = sheet.pen.inside(0.78, 0.03, 0.78 + 0.2 * short / sheet.width, 0.03 + 0.2 * short / sheet.height)
            (sun if weather == "sun" else cloud)(pen)
            sheet.mark(weather, pen)
        for thing, colour, middle, share in items:
            half_x, half_y = share * short / sheet.width / 2, share * short / sheet.height / 2
            pen = sheet.pen.inside(middle - half_x, level + 0.06 - half_y, middle + half_x, level + 0.06 + half_y)
            THINGS[thing](pen, COLOURS[colour])
            sheet.mark(f"{colour} {thing}", pen)

    return paint
