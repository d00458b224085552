"""Scenes of coloured shapes: one shape somewhere, two in a relation, three in a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from tests.world.composition import Composition
from tests.world.grounds import GROUNDS, Ground
from tests.world.pen import Pen, Point, Sheet
from tests.world.words import CHINESE_COLOURS, COLOURS, Colour, sentence, with_article


def _regular(corners: int, turn: float = -90, inner: float = 1.0) -> list[Point]:
    """Corners on a circle; with `inner` below 1 every second one lies further in, which makes a star."""
    steps = corners if inner == 1.0 else 2 * corners
    angles = [math.radians(turn + 360 * step / steps) for step in range(steps)]
    reach = [0.5 if step % 2 == 0 else 0.5 * inner for step in range(steps)]
    return [(0.5 + r * math.cos(a), 0.5 + r * math.sin(a)) for r, a in zip(reach, angles, strict=True)]


def _heart() -> list[Point]:
    turns = [math.tau * step / 40 for step in range(40)]
    tops = [13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) for t in turns]
    return [(0.5 + math.sin(t) ** 3 / 2, 0.44 - top / 30) for t, top in zip(turns, tops, strict=True)]


def _crescent() -> list[Point]:
    """A circle of radius 0.5 less one of 0.4 that lies 0.22 to the right; their rims meet at 51 and 76 degrees."""
    outer, inner = range(51, 310, 6), range(284, 75, -8)
    rim = [(0.59 + 0.5 * math.cos(math.radians(a)), 0.5 + 0.5 * math.sin(math.radians(a))) for a in outer]
    return rim + [(0.81 + 0.4 * math.cos(math.radians(a)), 0.5 + 0.4 * math.sin(math.radians(a))) for a in inner]


def _arrow() -> list[Point]:
    return [(0, 0.34), (0.52, 0.34), (0.52, 0.08), (1, 0.5), (0.52, 0.92), (0.52, 0.66), (0, 0.66)]


def _cross() -> list[Point]:
    a, b = 0.34, 0.66
    return [(a, 0), (b, 0), (b, a), (1, a), (1, b), (b, b), (b, 1), (a, 1), (a, b), (0, b), (0, a), (a, a)]


OUTLINES: dict[str, list[Point]] = {
    "circle": _regular(48),
    "square": [(0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)],
    "triangle": [(0.5, 0.04), (1, 0.94), (0, 0.94)],
    "star": _regular(5, inner=0.42),
    "heart": _heart(),
    "hexagon": _regular(6, turn=0),
    "cross": _cross(),
    "crescent": _crescent(),
    "arrow": _arrow(),
    "diamond": [(0.5, 0), (0.86, 0.5), (0.5, 1), (0.14, 0.5)],
}
CHINESE_SHAPES = {
    "circle": "圆形",
    "square": "正方形",
    "triangle": "三角形",
    "star": "星星",
    "heart": "爱心",
    "hexagon": "六边形",
    "cross": "十字",
    "crescent": "月牙",
    "arrow": "箭头",
    "diamond": "菱形",
}
CORNERS = {
    (0.27, 0.27): ("in the upper left", "左上角"),
    (0.73, 0.27): ("in the upper right", "右上角"),
    (0.5, 0.5): ("in the middle", "中间"),
    (0.27, 0.73): ("in the lower left", "左下角"),
    (0.73, 0.73): ("in the lower right", "右下角"),
}
SIZES = {0.3: ("small", "小"), 0.44: ("medium sized", "中等"), 0.58: ("large", "大")}


def draw_shape(pen: Pen, shape: str, colour: Colour) -> None:
    """The shape with a thin darker rim, so that it stands out on any ground."""
    rim: Colour = tuple(round(part * 0.55) for part in colour)  # type: ignore[assignment]
    outline = OUTLINES[shape]
    pen.polygon(outline, rim)
    pen.polygon([(0.5 + (x - 0.5) * 0.93, 0.5 + (y - 0.5) * 0.93) for x, y in outline], colour)


def _painter(items: list[tuple[str, str, Point, float]]) -> Callable[[Sheet], None]:
    """Paints (shape, colour, centre, share of the shorter side) in order."""

    def paint(sheet: Sheet) -> None:
        short = min(sheet.width, sheet.height)
        for shape, colour, (x, y), share in items:
            half_x, half_y = share * short / sheet.width / 2, share * short / sheet.height / 2
            pen = sheet.pen.inside(x - half_x, y - half_y, x + half_x, y + half_y)
            draw_shape(pen, shape, COLOURS[colour])
            sheet.mark(f"{colour} {shape}", pen)

    return paint


def compose_shapes(random: Random) -> Composition:
    ground = GROUNDS[random.choice(sorted(GROUNDS))]
    colours = [name for name in COLOURS if name not in ground.near]
    compose = random.choices((_one, _two, _three), weights=(5, 4, 2))[0]
    return compose(random, ground, colours)


def _one(random: Random, ground: Ground, colours: list[str]) -> Composition:
    shape, colour, share = random.choice(sorted(OUTLINES)), random.choice(colours), random.choice(sorted(SIZES))
    spot = random.choice(sorted(CORNERS)) if share < 0.5 else (0.5, 0.5)
    (size, size_zh), (where, where_zh) = SIZES[share], CORNERS[spot]
    thing = f"{size} {colour} {shape}"
    captions = (
        sentence(f"{with_article(thing)} {where} of the picture, {ground.phrase}"),
        sentence(f"there is {with_article(thing)} {ground.phrase}, {where}"),
        sentence(f"this picture shows one single {colour} {shape}, {size}, {where}, {ground.phrase}"),
        sentence(f"{ground.phrase}, {with_article(thing)} can be seen {where}"),
    )
    chinese = (f"{ground.chinese}{where_zh}有一个{CHINESE_COLOURS[colour]}的{size_zh}{CHINESE_SHAPES[shape]}",)
    traits = frozenset({shape, colour})
    return Composition("shapes", traits, captions, _painter([(shape, colour, spot, share)]), ground.paint, chinese)


def _two(random: Random, ground: Ground, colours: list[str]) -> Composition:
    shapes, pair = random.sample(sorted(OUTLINES), 2), random.sample(colours, 2)
    upright = random.random() < 0.5
    spots: list[Point] = [(0.5, 0.28), (0.5, 0.72)] if upright else [(0.28, 0.5), (0.72, 0.5)]
    relation, inverse, chinese = (
        ("above", "below", "上方") if upright else ("to the left of", "to the right of", "左边")
    )
    first, second = (f"{c} {s}" for c, s in zip(pair, shapes, strict=True))
    captions = (
        sentence(f"{with_article(first)} {relation} {with_article(second)}, {ground.phrase}"),
        sentence(f"{ground.phrase} there is {with_article(second)} {inverse} {with_article(first)}"),
        sentence(f"two shapes {ground.phrase}: {with_article(first)}, and {with_article(second)} {inverse} it"),
    )
    one, two = (f"{CHINESE_COLOURS[c]}{CHINESE_SHAPES[s]}" for c, s in zip(pair, shapes, strict=True))
    items = [(shapes[i], pair[i], spots[i], 0.38) for i in (0, 1)]
    traits = frozenset({*shapes, *pair})
    zh = (f"{ground.chinese}，{one}在{two}的{chinese}",)
    return Composition("shapes", traits, captions, _painter(items), ground.paint, zh)


def _three(random: Random, ground: Ground, colours: list[str]) -> Composition:
    shape, trio = random.choice(sorted(OUTLINES)), random.sample(colours, 3)
    a, b, c = trio
    captions = (
        sentence(f"three {shape}s in a row {ground.phrase}: {a}, {b} and {c} from left to right"),
        sentence(f"a row of three {shape}s {ground.phrase}, the left one {a}, the middle one {b}, the right one {c}"),
    )
    spots: list[Point] = [(0.19, 0.5), (0.5, 0.5), (0.81, 0.5)]
    items = [(shape, colour, spot, 0.27) for colour, spot in zip(trio, spots, strict=True)]
    names = "、".join(CHINESE_COLOURS[colour] for colour in trio)
    traits = frozenset({shape, *trio})
    zh = (f"{ground.chinese}有三个{CHINESE_SHAPES[shape]}，{names}",)
    return Composition("shapes", traits, captions, _painter(items), ground.paint, zh)
