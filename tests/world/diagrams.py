"""Scenes of knowledge: labelled illustrations, circuits, instructions in numbered steps, maps.

Left out on purpose: charts (charts.py); which class of a task a scene stands for (page_pictures.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np

from tests.world.charts import INK, white_page
from tests.world.composition import Composition
from tests.world.grounds import Paint, clipped, flat
from tests.world.objects import THINGS, shade
from tests.world.pen import Pen, Point, Sheet
from tests.world.shapes import OUTLINES
from tests.world.words import COLOURS, NUMBERS, PLACES, VIVID, Colour, sentence

CELL_PARTS = ("Nucleus", "Membrane", "Vacuole", "Ribosome", "Golgi", "Plastid", "Cytoplasm", "Lysosome")
EARTH_PARTS = ("Crust", "Upper mantle", "Lower mantle", "Outer core", "Inner core")
PLANETS = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn")
ATOMS: dict[str, Colour] = {"H": (236, 236, 240), "C": (70, 70, 76), "N": (60, 90, 210), "O": (214, 40, 40)}
DEVICES = ("R", "C", "L", "D", "U")
VERBS = ("Fold", "Cut", "Glue", "Turn", "Press", "Pour", "Mix", "Paint", "Screw", "Lift", "Wait", "Dry")
SEA, LAND, ROAD = (166, 208, 236), (232, 228, 206), (240, 196, 92)
PASTELS: tuple[Colour, ...] = ((232, 228, 206), (214, 232, 196), (246, 222, 188), (236, 214, 226), (250, 240, 190))


def compose_illustration(random: Random) -> Composition:
    return random.choice((_cell, _molecule, _orbits, _layers))(random)


def compose_schematic(random: Random) -> Composition:
    return random.choice((_circuit, _circuit, _blocks))(random)


def compose_instruction(random: Random) -> Composition:
    return random.choice((_steps, _flow))(random)


def _knowledge(kind: str, captions: tuple[str, ...], paint: Callable[[Sheet], None], ground: Paint) -> Composition:
    return Composition(kind, frozenset({kind}), captions, paint, ground)


def _square(sheet: Sheet, share: float) -> Pen:
    """A square pen in the middle, `share` of the shorter side."""
    half = share * min(sheet.width, sheet.height) / 2
    x, y = half / sheet.width, half / sheet.height
    return sheet.pen.inside(0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y)


def _leader(sheet: Sheet, pen: Pen, at: Point, end: Point, text: str) -> None:
    """A name beside a thing, with a thin line from the one to the other."""
    pen.line([at, end], INK, 0.008)
    anchor = "lm" if end[0] > 0.5 else "rm"
    sheet.note(text, pen.write(end[0], end[1], text, INK, size=0.06, anchor=anchor))


def _cell(random: Random) -> Composition:
    parts = random.sample(CELL_PARTS, random.randint(3, 5))
    tint = random.choice(((190, 226, 170), (246, 206, 190), (206, 214, 244)))
    organs = [(random.uniform(0.25, 0.75), random.uniform(0.25, 0.75), random.choice(VIVID)) for _ in parts]
    captions = (sentence(f"a labelled illustration of a cell that names {', '.join(parts)}"),)

    def paint(sheet: Sheet) -> None:
        pen = _square(sheet, 0.62)
        pen.ellipse(0.08, 0.1, 0.92, 0.9, shade(tint, 0.6))
        pen.ellipse(0.1, 0.12, 0.9, 0.88, tint)
        for number, ((x, y, colour), name) in enumerate(zip(organs, parts, strict=True)):
            size = 0.12 if number == 0 else 0.05 + 0.015 * (number % 3)
            pen.ellipse(x - size, y - size * 0.8, x + size, y + size * 0.8, COLOURS[colour])
            _leader(sheet, pen, (x, y), (0.98 if x > 0.5 else 0.02, 0.06 + number * 0.2), name)
        sheet.mark("cell", pen)

    return _knowledge("illustration", captions, paint, white_page)


def _molecule(random: Random) -> Composition:
    count, names = random.randint(5, 7), list(ATOMS)
    ring = [random.choice(names[1:]) for _ in range(count)]
    captions = (sentence(f"structure of a molecule with a ring of {NUMBERS[count]} atoms, {', '.join(ring)}"),)
    turn = random.random()

    def paint(sheet: Sheet) -> None:
        pen = _square(sheet, 0.9)
        angles = [math.tau * (step / count + turn) for step in range(count)]
        inner, outer = (
            [(0.5 + reach * math.cos(a), 0.5 + reach * math.sin(a)) for a in angles] for reach in (0.26, 0.43)
        )
        pen.line([*inner, inner[0]], INK, 0.02)
        for near, far, name in zip(inner, outer, ring, strict=True):
            pen.line([near, far], INK, 0.02)
            for (x, y), atom, radius in ((near, name, 0.075), (far, "H", 0.05)):
                pen.ellipse(x - radius - 0.008, y - radius - 0.008, x + radius + 0.008, y + radius + 0.008, INK)
                pen.ellipse(x - radius, y - radius, x + radius, y + radius, ATOMS[atom])
                ink = INK if atom == "H" else COLOURS["white"]
                sheet.note(atom, pen.write(x, y, atom, ink, size=radius * 1.2, anchor="mm"))

    return _knowledge("illustration", captions, paint, white_page)


def _orbits(random: Random) -> Composition:
    names = PLANETS[: random.randint(4, 6)]
    colours, turns = random.sample(VIVID, len(names)), [random.random() for _ in names]
    captions = (sentence(f"illustration of a sun and the orbits of {', '.join(names)}"),)

    def paint(sheet: Sheet) -> None:
        pen = _square(sheet, 0.94)
        for number in reversed(range(len(names))):
            reach = 0.14 + 0.36 * (number + 1) / len(names)
            for radius, ink in ((reach, (150, 152, 160)), (reach - 0.006, (250, 250, 248))):
                pen.ellipse(0.5 - radius, 0.5 - radius, 0.5 + radius, 0.5 + radius, ink)
        for number, (name, colour, turn) in enumerate(zip(names, colours, turns, strict=True)):
            reach = 0.14 + 0.36 * (number + 1) / len(names)
            x, y = 0.5 + reach * math.cos(math.tau * turn), 0.5 + reach * math.sin(math.tau * turn)
            pen.ellipse(x - 0.03, y - 0.03, x + 0.03, y + 0.03, COLOURS[colour])
            sheet.note(name, pen.write(x, y + 0.035, name, INK, size=0.05, anchor="mt"))
        pen.ellipse(0.41, 0.41, 0.59, 0.59, COLOURS["yellow"])

    return _knowledge("illustration", captions, paint, white_page)


def _layers(random: Random) -> Composition:
    warm = [(246 - 12 * step, 196 - 34 * step, 96 - 14 * step) for step in range(5)]
    order = warm if random.random() < 0.5 else [shade((120, 150, 190), 0.6 + 0.14 * step) for step in range(5)]
    captions = (sentence(f"a labelled cross section with the layers {', '.join(EARTH_PARTS)}"),)

    def paint(sheet: Sheet) -> None:
        pen = _square(sheet, 0.72)
        for step, (colour, name) in enumerate(zip(order, EARTH_PARTS, strict=True)):
            radius = 0.42 - 0.08 * step
            pen.ellipse(0.3 - radius, 0.5 - radius, 0.3 + radius, 0.5 + radius, colour)
            _leader(sheet, pen, (0.3 + radius - 0.04, 0.5), (0.8, 0.14 + 0.18 * step), name)

    return _knowledge("illustration", captions, paint, white_page)


def _circuit(random: Random) -> Composition:
    upper = [random.choice(DEVICES) for _ in range(random.randint(2, 3))]
    lower = [random.choice(DEVICES) for _ in range(random.randint(1, 2))]
    rungs = random.randint(1, 2)
    captions = (sentence(f"schematic of an electric circuit with {', '.join(upper + lower)} and {rungs} branches"),)

    def paint(sheet: Sheet) -> None:
        pen = sheet.pen.inside(0.1, 0.16, 0.9, 0.84)
        pen.line([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], INK, 0.012)
        for step in range(rungs):
            x = (step + 1) / (rungs + 1)
            pen.line([(x, 0), (x, 1)], INK, 0.012)
            for y in (0, 1):
                pen.ellipse(x - 0.012, y - 0.02, x + 0.012, y + 0.02, INK)
            _device(sheet, pen, (x, 0.5), f"C{step + 1}")
        for names, y in ((upper, 0.0), (lower, 1.0)):
            for step, name in enumerate(names):
                _device(sheet, pen, ((step + 0.5) / len(names), y), f"{name}{step + 1}")
        pen.line([(-0.04, 0.46), (0.04, 0.46)], INK, 0.02)
        pen.line([(-0.02, 0.54), (0.02, 0.54)], INK, 0.02)

    return _knowledge("schematic", captions, paint, white_page)


def _device(sheet: Sheet, pen: Pen, at: Point, name: str) -> None:
    x, y = at
    white, kind = (250, 250, 248), name[0]
    if kind == "R":
        pen.box(x - 0.07, y - 0.045, x + 0.07, y + 0.045, INK)
        pen.box(x - 0.06, y - 0.03, x + 0.06, y + 0.03, white)
    elif kind == "C":
        pen.box(x - 0.05, y - 0.03, x + 0.05, y + 0.03, white)
        for shift in (-0.035, 0.035):
            pen.line([(x - 0.06, y + shift), (x + 0.06, y + shift)], INK, 0.02)
    elif kind == "L":
        for step in range(4):
            pen.ellipse(x - 0.08 + 0.04 * step, y - 0.05, x - 0.04 + 0.04 * step, y + 0.03, INK)
            pen.ellipse(x - 0.074 + 0.04 * step, y - 0.036, x - 0.046 + 0.04 * step, y + 0.04, white)
    elif kind == "D":
        pen.polygon([(x - 0.05, y - 0.06), (x - 0.05, y + 0.06), (x + 0.04, y)], INK)
        pen.line([(x + 0.04, y - 0.06), (x + 0.04, y + 0.06)], INK, 0.016)
    else:
        pen.ellipse(x - 0.055, y - 0.08, x + 0.055, y + 0.08, INK)
        pen.ellipse(x - 0.045, y - 0.066, x + 0.045, y + 0.066, white)
    sheet.note(name, pen.write(x + 0.06, y - 0.06, name, INK, size=0.075, anchor="lb"))


def _blocks(random: Random) -> Composition:
    rows, columns = random.randint(2, 3), random.randint(2, 3)
    names = random.sample(("CPU", "RAM", "ROM", "I/O", "ADC", "DAC", "CLK", "BUS", "PSU", "USB"), rows * columns)
    captions = (sentence(f"block schematic that wires {', '.join(names)}"),)

    def paint(sheet: Sheet) -> None:
        pen = sheet.pen.inside(0.06, 0.06, 0.94, 0.94)
        for row in range(rows):
            y = (row + 0.5) / rows
            pen.line([(0.0, y), (1.0, y)], INK, 0.01)
        for column in range(columns):
            x = (column + 0.5) / columns
            pen.line([(x, 0.5 / rows), (x, 1 - 0.5 / rows)], INK, 0.01)
        for number, name in enumerate(names):
            x, y = (number % columns + 0.5) / columns, (number // columns + 0.5) / rows
            block = pen.inside(x - 0.28 / columns, y - 0.28 / rows, x + 0.28 / columns, y + 0.28 / rows)
            block.box(0, 0, 1, 1, INK)
            block.box(0.03, 0.05, 0.97, 0.95, (250, 250, 248))
            sheet.note(name, block.inside(0.14, 0.25, 0.86, 0.75).fit(name, INK))

    return _knowledge("schematic", captions, paint, white_page)


def _steps(random: Random) -> Composition:
    columns, rows = random.choice(((2, 1), (3, 1), (2, 2), (3, 2)))
    verbs = random.sample(VERBS, columns * rows)
    things = [random.choice(sorted(THINGS)) for _ in verbs]
    colour = random.choice(VIVID)
    captions = (sentence(f"instructions in {NUMBERS[len(verbs)]} numbered steps: {', '.join(verbs)}"),)

    def paint(sheet: Sheet) -> None:
        for number, (verb, thing) in enumerate(zip(verbs, things, strict=True)):
            x, y = number % columns / columns, number // columns / rows
            panel = sheet.pen.inside(x + 0.02, y + 0.02, x + 1 / columns - 0.02, y + 1 / rows - 0.02)
            panel.box(0, 0, 1, 1, (196, 200, 208), 0.05)
            panel.box(0.015, 0.015, 0.985, 0.985, (252, 252, 250), 0.05)
            badge = panel.inside(0.05, 0.05, 0.05 + 0.2 * min(panel.width, panel.height) / panel.width, 0.25)
            badge.ellipse(0, 0, 1, 1, COLOURS[colour])
            sheet.note(str(number + 1), badge.inside(0.2, 0.2, 0.8, 0.8).fit(str(number + 1), COLOURS["white"]))
            THINGS[thing](panel.inside(0.28, 0.26, 0.72, 0.7), shade(COLOURS[colour], 0.8))
            panel.inside(0.72, 0.4, 0.94, 0.58).polygon(OUTLINES["arrow"], INK)
            sheet.note(verb, panel.inside(0.1, 0.76, 0.9, 0.94).fit(verb, INK))

    return _knowledge("instruction", captions, paint, white_page)


def _flow(random: Random) -> Composition:
    verbs, colour = random.sample(VERBS, random.randint(3, 5)), random.choice(VIVID)
    captions = (sentence(f"flow chart of the steps {', '.join(verbs)} with arrows between them"),)

    def paint(sheet: Sheet) -> None:
        wide = sheet.width > sheet.height
        for number, verb in enumerate(verbs):
            start, end = number / len(verbs), (number + 0.68) / len(verbs)
            box = (
                sheet.pen.inside(start + 0.02, 0.3, end, 0.7) if wide else sheet.pen.inside(0.2, start + 0.02, 0.8, end)
            )
            box.box(0, 0, 1, 1, COLOURS[colour], 0.2)
            box.box(0.03, 0.05, 0.97, 0.95, (252, 252, 250), 0.2)
            sheet.note(f"{number + 1}. {verb}", box.inside(0.08, 0.3, 0.92, 0.7).fit(f"{number + 1}. {verb}", INK))
            if number + 1 < len(verbs):
                _arrow(sheet, wide, (end, (number + 1) / len(verbs) + 0.02))

    return _knowledge("instruction", captions, paint, white_page)


def _arrow(sheet: Sheet, wide: bool, span: tuple[float, float]) -> None:
    start, end = span
    if wide:
        sheet.pen.inside(start, 0.44, end, 0.56).polygon(OUTLINES["arrow"], INK)
        return
    down = [(y, x) for x, y in OUTLINES["arrow"]]
    sheet.pen.inside(0.44, start, 0.56, end).polygon(down, INK)


def _sea(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return clipped(flat(rng, height, width, SEA, 3))


def compose_map(random: Random) -> Composition:
    """Land with districts, a river, roads and named towns; now and then no sea at all."""
    towns = random.sample(PLACES, random.randint(3, 5))
    spots = [(random.uniform(0.16, 0.8), random.uniform(0.16, 0.84)) for _ in towns]
    coast = [random.uniform(0.36, 0.5) for _ in range(18)]
    inland, tint = random.random() < 0.3, random.randrange(len(PASTELS))
    river = [(0.1 + 0.16 * step, random.uniform(0.3, 0.7)) for step in range(6)]
    captions = (sentence(f"a map with the towns {', '.join(towns)}, a river and roads"),)

    def paint(sheet: Sheet) -> None:
        rim = [
            (0.5 + r * math.cos(math.tau * i / 18), 0.5 + r * math.sin(math.tau * i / 18)) for i, r in enumerate(coast)
        ]
        edge: list[Point] = [(0, 0), (1, 0), (1, 1), (0, 1)] if inland else rim
        sheet.pen.polygon(edge, LAND)
        for part in range(3):
            ring = edge[part * len(edge) // 3 : (part + 1) * len(edge) // 3 + 1]
            sheet.pen.polygon(
                [(0.5, 0.5), *ring, edge[0]] if len(ring) < 3 else [(0.5, 0.5), *ring], PASTELS[(tint + part) % 5]
            )
        sheet.pen.line(river, (104, 164, 220), 0.016)
        for one, other in zip(spots, spots[1:], strict=False):
            sheet.pen.line([one, ((one[0] + other[0]) / 2, one[1]), other], ROAD, 0.014)
        for (x, y), name in zip(spots, towns, strict=True):
            sheet.pen.ellipse(x - 0.012, y - 0.012, x + 0.012, y + 0.012, (190, 40, 40))
            sheet.note(name, sheet.pen.write(x + 0.02, y, name, INK, size=0.045, anchor="lm"))
        sheet.mark("map", sheet.pen)

    return _knowledge("map", captions, paint, _sea)
