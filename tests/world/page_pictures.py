"""Labelled pictures of web pages: what classifiers/heads.py learns from in tests and in the demo.

    TASKS["page_pictures"]  content, advertisement, qr_code, decoration
    TASKS["knowledge"]      academic_chart, scientific_illustration, schematic, instructional_diagram, map, other

A picture follows from (task, class, seed, index) by hashing, so that held-out ones are another seed.
Left out on purpose: pages around them; pictures that belong to two classes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from random import Random

import segno
from PIL import Image

from tests.world.chance import noise_of, random_of
from tests.world.charts import compose_chart, white_page
from tests.world.composition import Composition
from tests.world.diagrams import compose_illustration, compose_instruction, compose_map, compose_schematic
from tests.world.documents import compose_document
from tests.world.grounds import clipped, flat
from tests.world.objects import THINGS
from tests.world.pen import Sheet
from tests.world.scenes import paint_scene, size_of
from tests.world.screens import compose_code, compose_screen
from tests.world.shapes import OUTLINES, compose_shapes
from tests.world.signs import compose_advert, compose_sign
from tests.world.views import compose_view
from tests.world.words import COLOURS, PLACES, SHOP_WORDS, VIVID, sentence

Compose = Callable[[Random], Composition]
WHITE = COLOURS["white"]
CALLS = ("SHOP NOW", "BUY NOW", "SIGN UP", "GET IT", "ORDER", "TRY FREE")
OFFERS = ("BIG SALE", "HOT DEAL", "50% OFF", "LAST DAYS", "BEST PRICE", "ONLY $9", "FREE GIFT")


def _one_of(*composers: Compose) -> Compose:
    return lambda random: random.choice(composers)(random)


def compose_banner(random: Random) -> Composition:
    """A flat banner with an offer, goods and a button, its parts in a row or in a column."""
    ground, ink = random.choice(VIVID), random.choice(("white", "yellow"))
    thing, offer, call = random.choice(sorted(THINGS)), random.choice(OFFERS), random.choice(CALLS)
    captions = (sentence(f'a banner advertisement that says "{offer}" with a button "{call}"'),)

    def paint(sheet: Sheet) -> None:
        wide = sheet.width > sheet.height
        boxes = (
            ((0.02, 0.1, 0.3, 0.9), (0.32, 0.2, 0.68, 0.8), (0.71, 0.25, 0.97, 0.75))
            if wide
            else ((0.1, 0.36, 0.9, 0.66), (0.05, 0.05, 0.95, 0.3), (0.12, 0.74, 0.88, 0.92))
        )
        goods, words, button = (sheet.pen.inside(*box) for box in boxes)
        THINGS[thing](goods, COLOURS["white" if ground != "grey" else "blue"])
        sheet.note(offer, words.fit(offer, COLOURS[ink]))
        button.box(0, 0, 1, 1, COLOURS["green" if ground != "green" else "orange"], 0.3)
        sheet.note(call, button.inside(0.08, 0.2, 0.92, 0.8).fit(call, WHITE))

    return Composition(
        "advert", frozenset({"advert"}), captions, paint, lambda rng, h, w: clipped(flat(rng, h, w, COLOURS[ground], 4))
    )


def compose_torn_code(random: Random) -> Composition:
    """A plain one whose first corner is covered, so that no reader reads it."""
    return compose_plain_code(random, torn=True)


def compose_plain_code(random: Random, torn: bool = False) -> Composition:
    """A QR code as pages carry it: bare on white, with a word below or none."""
    address = f"https://example.com/{random.randrange(10**8):08d}"
    matrix = [list(row) for row in segno.make_qr(address, error=random.choice("lmq")).matrix]
    captions = (sentence("a QR code on white"),)
    word = random.choice(("", "SCAN ME", "Follow us"))
    ink = random.choice(("black", "black", "blue", "purple"))

    def paint(sheet: Sheet) -> None:
        side = 0.84 * min(sheet.width, sheet.height)
        x, y = side / sheet.width / 2, side / sheet.height / 2
        code, cells = sheet.pen.inside(0.5 - x, 0.46 - y, 0.5 + x, 0.46 + y), len(matrix)
        for row, line in enumerate(matrix):
            for column, dark in enumerate(line):
                if dark:
                    code.box(column / cells, row / cells, (column + 1) / cells, (row + 1) / cells, COLOURS[ink])
        if torn:
            code.box(-0.02, -0.02, 0.36, 0.36, COLOURS["white"])
        if word:
            sheet.note(word, sheet.pen.inside(0.2, 0.9, 0.8, 0.99).fit(word, COLOURS["black"]))
        sheet.mark("QR code", code)

    return Composition("qr", frozenset({"qr"}), captions, paint, white_page)


def compose_decoration(random: Random) -> Composition:
    return random.choice((compose_logo, compose_icons, _divider, _backdrop))(random)


def _decoration(
    captions: tuple[str, ...], paint: Callable[[Sheet], None], ground: Callable = white_page
) -> Composition:
    return Composition("decoration", frozenset({"decoration"}), captions, paint, ground)


def compose_logo(random: Random) -> Composition:
    shape, colour = random.choice(sorted(OUTLINES)), random.choice(VIVID)
    name = random.choice((random.choice(PLACES), random.choice(SHOP_WORDS).title()))

    def paint(sheet: Sheet) -> None:
        short = 0.5 * min(sheet.width, sheet.height)
        pen = sheet.pen.inside(
            0.08, 0.5 - short / sheet.height / 2, 0.08 + short / sheet.width, 0.5 + short / sheet.height / 2
        )
        pen.polygon(OUTLINES[shape], COLOURS[colour])
        left = 0.12 + short / sheet.width
        sheet.note(name, sheet.pen.inside(left, 0.34, 0.97, 0.66).fit(name, COLOURS[colour]))

    return _decoration((sentence(f"the logo of {name}, a {colour} {shape}"),), paint)


def compose_icons(random: Random) -> Composition:
    count, colour = random.randint(2, 5), random.choice((*VIVID, "grey", "black"))
    shapes = random.sample(sorted(OUTLINES), count)

    def paint(sheet: Sheet) -> None:
        side = min(0.7 * sheet.width / count, 0.6 * sheet.height)
        for number, shape in enumerate(shapes):
            x, half = (number + 0.5) / count, (side / sheet.width / 2, side / sheet.height / 2)
            button = sheet.pen.inside(x - half[0], 0.5 - half[1], x + half[0], 0.5 + half[1])
            button.ellipse(0, 0, 1, 1, COLOURS[colour])
            button.inside(0.26, 0.26, 0.74, 0.74).polygon(OUTLINES[shape], WHITE)

    return _decoration((sentence(f"a row of {count} {colour} icons"),), paint)


def _divider(random: Random) -> Composition:
    colour, lines, diamonds = random.choice((*VIVID, "grey")), random.randint(1, 3), random.random() < 0.6

    def paint(sheet: Sheet) -> None:
        for number in range(lines):
            y = 0.5 + 0.06 * (number - (lines - 1) / 2)
            sheet.pen.line([(0.04, y), (0.96, y)], COLOURS[colour], 0.012)
        if diamonds:
            half = 0.08 * min(sheet.width, sheet.height)
            x, y = half / sheet.width, half / sheet.height
            sheet.pen.inside(0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y).polygon(OUTLINES["diamond"], COLOURS[colour])

    return _decoration((sentence(f"a {colour} ornament that divides a page"),), paint)


def _backdrop(random: Random) -> Composition:
    colour, shape, count = random.choice(sorted(COLOURS)), random.choice(sorted(OUTLINES)), random.randint(4, 8)

    def paint(sheet: Sheet) -> None:
        lighter = tuple(min(255, part + 34) for part in COLOURS[colour])
        for row in range(count):
            for column in range(count):
                x, y = (column + 0.5 * (row % 2)) / count, row / count
                sheet.pen.inside(x, y, x + 0.4 / count, y + 0.4 / count).polygon(OUTLINES[shape], lighter)

    ground = lambda rng, height, width: clipped(flat(rng, height, width, COLOURS[colour], 2))  # noqa: E731
    return _decoration((sentence(f"a {colour} background with a pattern of {shape}s"),), paint, ground)


TASKS: dict[str, dict[str, Compose]] = {
    "page_pictures": {
        "content": _one_of(
            compose_view, compose_view, compose_shapes, compose_chart, compose_document, compose_sign, compose_screen,
            compose_illustration, compose_map,
        ),
        "advertisement": _one_of(compose_advert, compose_banner),
        "qr_code": _one_of(compose_code, compose_plain_code, compose_torn_code),
        "decoration": compose_decoration,
    },
    "knowledge": {
        "academic_chart": compose_chart,
        "scientific_illustration": compose_illustration,
        "schematic": compose_schematic,
        "instructional_diagram": compose_instruction,
        "map": compose_map,
        "other": _one_of(
            compose_view, compose_view, compose_shapes, compose_document, compose_sign, compose_screen, compose_advert,
            compose_decoration,
        ),
    },
}  # fmt: skip


def draw_labelled(task: str, name: str, seed: int, index: int) -> Image.Image:
    """Picture `index` of class `name` of the task."""
    composition = TASKS[task][name](random_of(task, name, seed, index))
    rng = noise_of(task, name, seed, index, "ground")
    return paint_scene(composition, "", size=size_of(seed, index), rng=rng).picture


def as_jpeg(picture: Image.Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=88)
    return made.getvalue()


def write_folder(folder: Path, task: str, seed: int, count: int) -> Path:
    """`folder/class/0000.jpg`: `count` pictures of each class."""
    for name in TASKS[task]:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            (folder / name / f"{index:04d}.jpg").write_bytes(as_jpeg(draw_labelled(task, name, seed, index)))
    return folder
