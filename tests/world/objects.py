"""Simple things drawn from a few strokes: house, tree, car, boat, cat face, … each in one leading colour."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.world.pen import Pen
from tests.world.words import COLOURS, Colour

WHITE, BLACK, BROWN = COLOURS["white"], COLOURS["black"], COLOURS["brown"]
GLASS: Colour = (190, 226, 246)
DARK: Colour = (56, 56, 62)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour darker (factor below 1) or lighter (above 1)."""
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def house(pen: Pen, colour: Colour) -> None:
    pen.box(0.12, 0.44, 0.88, 1, colour)
    pen.polygon([(0, 0.46), (0.5, 0.04), (1, 0.46)], shade(colour, 0.6))
    pen.box(0.42, 0.66, 0.6, 1, BROWN)
    for left in (0.2, 0.68):
        pen.box(left, 0.56, left + 0.13, 0.72, WHITE)
        pen.box(left + 0.02, 0.58, left + 0.11, 0.7, GLASS)


def tree(pen: Pen, colour: Colour) -> None:
    pen.box(0.43, 0.55, 0.57, 1, BROWN)
    for x, y, radius in ((0.3, 0.45, 0.24), (0.7, 0.45, 0.24), (0.5, 0.27, 0.27), (0.5, 0.5, 0.24)):
        pen.ellipse(x - radius, y - radius, x + radius, y + radius, colour)
    for x, y in ((0.35, 0.35), (0.6, 0.25), (0.65, 0.5)):
        pen.ellipse(x - 0.04, y - 0.04, x + 0.04, y + 0.04, shade(colour, 0.7))


def car(pen: Pen, colour: Colour) -> None:
    pen.polygon([(0.2, 0.5), (0.32, 0.26), (0.7, 0.26), (0.84, 0.5)], shade(colour, 0.8))
    pen.polygon([(0.28, 0.48), (0.36, 0.31), (0.5, 0.31), (0.5, 0.48)], GLASS)
    pen.polygon([(0.54, 0.48), (0.54, 0.31), (0.67, 0.31), (0.76, 0.48)], GLASS)
    pen.box(0, 0.46, 1, 0.74, colour, 0.1)
    for x in (0.24, 0.76):
        pen.ellipse(x - 0.13, 0.6, x + 0.13, 0.86, BLACK)
        pen.ellipse(x - 0.06, 0.67, x + 0.06, 0.79, (190, 190, 196))


def boat(pen: Pen, colour: Colour) -> None:
    pen.box(0.48, 0.05, 0.52, 0.75, BROWN)
    pen.polygon([(0.54, 0.08), (0.92, 0.64), (0.54, 0.64)], WHITE)
    pen.polygon([(0.46, 0.16), (0.46, 0.64), (0.16, 0.64)], (228, 228, 232))
    pen.polygon([(0, 0.7), (1, 0.7), (0.82, 0.96), (0.18, 0.96)], colour)


def cat(pen: Pen, colour: Colour) -> None:
    for ear in ([(0.12, 0.5), (0.1, 0.02), (0.46, 0.26)], [(0.88, 0.5), (0.9, 0.02), (0.54, 0.26)]):
        pen.polygon(ear, shade(colour, 0.75))
    pen.ellipse(0.06, 0.16, 0.94, 0.96, colour)
    for x in (0.32, 0.68):
        pen.ellipse(x - 0.09, 0.42, x + 0.09, 0.58, WHITE)
        pen.ellipse(x - 0.04, 0.43, x + 0.04, 0.57, BLACK)
    pen.polygon([(0.44, 0.64), (0.56, 0.64), (0.5, 0.71)], (240, 110, 130))
    for y in (0.68, 0.76):
        pen.line([(0.4, 0.7), (0.02, y)], DARK, 0.014)
        pen.line([(0.6, 0.7), (0.98, y)], DARK, 0.014)


def flower(pen: Pen, colour: Colour) -> None:
    pen.line([(0.5, 0.4), (0.5, 1)], (30, 120, 50), 0.05)
    pen.ellipse(0.5, 0.72, 0.76, 0.84, (40, 140, 60))
    for step in range(6):
        x, y = 0.5 + 0.22 * math.cos(step * math.tau / 6), 0.34 + 0.22 * math.sin(step * math.tau / 6)
        pen.ellipse(x - 0.15, y - 0.15, x + 0.15, y + 0.15, colour)
    pen.ellipse(0.36, 0.2, 0.64, 0.48, (250, 222, 90))


def fish(pen: Pen, colour: Colour) -> None:
    pen.polygon([(0.7, 0.5), (1, 0.22), (1, 0.78)], shade(colour, 0.75))
    pen.polygon([(0.35, 0.3), (0.55, 0.08), (0.62, 0.35)], shade(colour, 0.75))
    pen.ellipse(0, 0.24, 0.82, 0.76, colour)
    pen.ellipse(0.12, 0.38, 0.24, 0.5, WHITE)
    pen.ellipse(0.15, 0.41, 0.21, 0.47, BLACK)


def balloon(pen: Pen, colour: Colour) -> None:
    pen.line([(0.5, 0.68), (0.44, 0.82), (0.54, 1)], DARK, 0.018)
    pen.polygon([(0.5, 0.64), (0.43, 0.74), (0.57, 0.74)], shade(colour, 0.75))
    pen.ellipse(0.18, 0, 0.82, 0.7, colour)
    pen.ellipse(0.3, 0.12, 0.42, 0.28, shade(colour, 1.5))


def umbrella(pen: Pen, colour: Colour) -> None:
    pen.line([(0.5, 0.1), (0.5, 0.86), (0.58, 0.94), (0.66, 0.86)], DARK, 0.035)
    pen.slice((0, 0.08, 1, 0.98), 180, 360, colour)
    pen.slice((0.3, 0.08, 0.7, 0.98), 180, 360, shade(colour, 0.7))


def mushroom(pen: Pen, colour: Colour) -> None:
    pen.box(0.38, 0.46, 0.62, 0.96, (240, 228, 206), 0.1)
    pen.slice((0.04, 0.06, 0.96, 1.0), 180, 360, colour)
    for x, y, radius in ((0.3, 0.36, 0.07), (0.52, 0.2, 0.08), (0.72, 0.38, 0.06)):
        pen.ellipse(x - radius, y - radius, x + radius, y + radius, WHITE)


def cup(pen: Pen, colour: Colour) -> None:
    pen.ellipse(0.6, 0.36, 0.98, 0.76, shade(colour, 0.75))
    pen.ellipse(0.68, 0.44, 0.9, 0.68, (226, 214, 196))
    pen.polygon([(0.08, 0.28), (0.78, 0.28), (0.7, 0.92), (0.16, 0.92)], colour)
    pen.ellipse(0.08, 0.2, 0.78, 0.36, shade(colour, 0.6))


def rocket(pen: Pen, colour: Colour) -> None:
    pen.polygon([(0.38, 0.8), (0.62, 0.8), (0.5, 1)], (250, 170, 40))
    for fin in ([(0.34, 0.5), (0.34, 0.84), (0.14, 0.88)], [(0.66, 0.5), (0.66, 0.84), (0.86, 0.88)]):
        pen.polygon(fin, shade(colour, 0.6))
    pen.box(0.32, 0.26, 0.68, 0.82, colour)
    pen.polygon([(0.32, 0.27), (0.5, 0), (0.68, 0.27)], shade(colour, 0.6))
    pen.ellipse(0.4, 0.36, 0.6, 0.56, WHITE)
    pen.ellipse(0.43, 0.39, 0.57, 0.53, GLASS)


def clock(pen: Pen, colour: Colour) -> None:
    pen.ellipse(0.02, 0.02, 0.98, 0.98, colour)
    pen.ellipse(0.12, 0.12, 0.88, 0.88, (252, 250, 244))
    for hour in range(12):
        x, y = math.cos(hour * math.tau / 12), math.sin(hour * math.tau / 12)
        pen.line([(0.5 + 0.31 * x, 0.5 + 0.31 * y), (0.5 + 0.36 * x, 0.5 + 0.36 * y)], DARK, 0.025)
    pen.line([(0.5, 0.5), (0.5, 0.22)], BLACK, 0.035)
    pen.line([(0.5, 0.5), (0.7, 0.58)], BLACK, 0.045)


def apple(pen: Pen, colour: Colour) -> None:
    pen.line([(0.5, 0.28), (0.56, 0.04)], BROWN, 0.05)
    pen.ellipse(0.56, 0.06, 0.82, 0.18, (60, 160, 60))
    pen.ellipse(0.06, 0.2, 0.64, 0.98, colour)
    pen.ellipse(0.36, 0.2, 0.94, 0.98, colour)
    pen.ellipse(0.2, 0.36, 0.32, 0.54, shade(colour, 1.5))


def key(pen: Pen, colour: Colour) -> None:
    pen.ellipse(0, 0.28, 0.42, 0.72, colour)
    pen.ellipse(0.12, 0.4, 0.3, 0.6, DARK)
    pen.box(0.4, 0.46, 1, 0.55, colour)
    for x in (0.76, 0.9):
        pen.box(x, 0.54, x + 0.07, 0.7, colour)


def butterfly(pen: Pen, colour: Colour) -> None:
    for side in (-1, 1):
        for y, radius, factor in ((0.34, 0.23, 1.0), (0.7, 0.17, 0.75)):
            x = 0.5 + side * (radius + 0.02)
            pen.ellipse(x - radius, y - radius, x + radius, y + radius, shade(colour, factor))
            pen.ellipse(x - 0.06, y - 0.06, x + 0.06, y + 0.06, WHITE)
        pen.line([(0.5, 0.24), (0.5 + side * 0.14, 0.04)], BLACK, 0.02)
    pen.ellipse(0.45, 0.18, 0.55, 0.9, BLACK)


def sun(pen: Pen) -> None:
    for step in range(12):
        x, y = math.cos(step * math.tau / 12), math.sin(step * math.tau / 12)
        pen.line([(0.5, 0.5), (0.5 + 0.5 * x, 0.5 + 0.5 * y)], (252, 206, 40), 0.05)
    pen.ellipse(0.18, 0.18, 0.82, 0.82, (252, 220, 60))


def cloud(pen: Pen) -> None:
    for x, y, radius in ((0.25, 0.6, 0.22), (0.5, 0.45, 0.28), (0.75, 0.6, 0.22)):
        pen.ellipse(x - radius, y - radius, x + radius, y + radius, (252, 252, 254))


THINGS: dict[str, Callable[[Pen, Colour], None]] = {
    "house": house,
    "tree": tree,
    "car": car,
    "sailing boat": boat,
    "cat face": cat,
    "flower": flower,
    "fish": fish,
    "balloon": balloon,
    "umbrella": umbrella,
    "mushroom": mushroom,
    "cup": cup,
    "rocket": rocket,
    "clock": clock,
    "apple": apple,
    "key": key,
    "butterfly": butterfly,
}
CHINESE_THINGS = {
    "house": "一座{}的房子",
    "tree": "一棵{}的树",
    "car": "一辆{}的汽车",
    "sailing boat": "一艘{}的帆船",
    "cat face": "一张{}的猫脸",
    "flower": "一朵{}的花",
    "fish": "一条{}的鱼",
    "balloon": "一只{}的气球",
    "umbrella": "一把{}的雨伞",
    "mushroom": "一个{}的蘑菇",
    "cup": "一个{}的杯子",
    "rocket": "一枚{}的火箭",
    "clock": "一个{}的时钟",
    "apple": "一个{}的苹果",
    "key": "一把{}的钥匙",
    "butterfly": "一只{}的蝴蝶",
}
