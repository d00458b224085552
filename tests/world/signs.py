"""Scenes of signs with a word on a wall or in a street, and of adverts."""

from __future__ import annotations

from random import Random

import numpy as np

from tests.world.composition import Composition
from tests.world.grounds import Paint, bricks, clipped, flat, grass, sky, snow, stacked, stone, wood
from tests.world.objects import THINGS
from tests.world.pen import Point, Sheet
from tests.world.shapes import OUTLINES
from tests.world.words import CHINESE_COLOURS, COLOURS, SHOP_WORDS, Colour, sentence, with_article

WHITE = COLOURS["white"]
BOARDS: dict[str, list[Point]] = {
    "rectangular": [(0, 0.18), (1, 0.18), (1, 0.82), (0, 0.82)],
    "octagonal": [(0.3, 0), (0.7, 0), (1, 0.3), (1, 0.7), (0.7, 1), (0.3, 1), (0, 0.7), (0, 0.3)],
    "round": OUTLINES["circle"],
}
WALLS: tuple[tuple[str, Paint, bool], ...] = (
    ("on a brick wall", bricks, False),
    ("on a stone wall", stone, False),
    ("on a wooden fence", wood, False),
    ("on a pole in a meadow", stacked(sky, grass, 0.7), True),
    ("on a pole in the snow", stacked(sky, snow, 0.7), True),
)
SIGN_COLOURS = ("blue", "green", "purple", "black", "red", "turquoise")


def compose_sign(random: Random) -> Composition:
    word, board, colour = random.choice(SHOP_WORDS), random.choice(sorted(BOARDS)), random.choice(SIGN_COLOURS)
    where, ground, has_pole = random.choice(WALLS)
    captions = (
        sentence(f'{with_article(f"{colour} {board} sign")} with the white word "{word}" {where}'),
        sentence(f"{where} hangs {with_article(f'{board} sign')} in {colour} that says {word} in white letters"),
        sentence(f'the word "{word}" in white letters on {with_article(f"{colour} {board} sign")} {where}'),
    )

    def paint(sheet: Sheet) -> None:
        half = 0.34 * min(sheet.width, sheet.height)
        x, y = half / sheet.width, half / sheet.height
        if has_pole:
            sheet.pen.box(0.485, 0.42, 0.515, 0.97, (120, 120, 126))
        sign = sheet.pen.inside(0.5 - x, 0.44 - y, 0.5 + x, 0.44 + y)
        sign.polygon([(0.5 + (a - 0.5) * 1.07, 0.5 + (b - 0.5) * 1.07) for a, b in BOARDS[board]], WHITE)
        sign.polygon(BOARDS[board], COLOURS[colour])
        sheet.note(word, sign.inside(0.08, 0.34, 0.92, 0.66).fit(word, WHITE))
        sheet.mark(f"{colour} {board} sign", sign)

    chinese = (f"一块{CHINESE_COLOURS[colour]}的牌子，写着{word}",)
    return Composition("sign", frozenset({"sign"}), captions, paint, ground, chinese)


def _slope(colour: Colour) -> Paint:
    def paint(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        fall = np.linspace(-40, 40, width).astype(np.int16)[None, :, None]
        return clipped(flat(rng, height, width, colour, 4) + fall)

    return paint


def compose_advert(random: Random) -> Composition:
    """What an advert filter should find later: price, call to action, goods, loud ground."""
    thing = random.choice(("car", "cup", "apple", "umbrella", "clock", "sailing boat"))
    percent, loud, colour = random.randrange(20, 80, 5), random.choice(("red", "orange", "yellow")), "blue"
    head = random.choice(("BIG SALE", "HOT DEAL", "BUY NOW", "LAST DAYS", "BEST PRICE"))
    captions = (
        sentence(
            f'an advert on {loud} ground that says "{head}" and {percent} percent off, with {with_article(thing)}'
        ),
        sentence(f'{loud} advertisement for {with_article(f"{colour} {thing}")}, {percent} percent off, "{head}"'),
    )

    def paint(sheet: Sheet) -> None:
        ink = COLOURS["black"] if loud == "yellow" else WHITE
        sheet.note(head, sheet.pen.inside(0.04, 0.04, 0.96, 0.28).fit(head, ink))
        side = 0.52 * min(sheet.width, sheet.height)
        pen = sheet.pen.inside(0.05, 0.32, 0.05 + side / sheet.width, 0.32 + side / sheet.height)
        THINGS[thing](pen, COLOURS[colour])
        sheet.mark(f"{colour} {thing}", pen)
        offer = sheet.pen.inside(0.56, 0.34, 0.97, 0.62)
        sheet.note(f"-{percent}%", offer.fit(f"-{percent}%", ink))
        button = sheet.pen.inside(0.58, 0.68, 0.96, 0.86)
        button.box(0, 0, 1, 1, COLOURS["green"], 0.3)
        sheet.note("SHOP NOW", button.inside(0.08, 0.2, 0.92, 0.8).fit("SHOP NOW", WHITE))

    return Composition("advert", frozenset({"advert"}), captions, paint, _slope(COLOURS[loud]))
