"""Scenes of charts: bars, lines and pies with a title, labels, and a caption that reads them off."""

from __future__ import annotations

from random import Random

import numpy as np

from tests.world.composition import Composition
from tests.world.grounds import clipped, flat
from tests.world.pen import Pen, Sheet
from tests.world.words import COLOURS, FULL_MONTHS, MONTHS, NUMBERS, PLACES, TOPICS, VIVID, sentence, with_article

INK = (46, 48, 54)
RULE = (206, 208, 212)


def white_page(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return clipped(flat(rng, height, width, (250, 250, 248), 3))


def compose_chart(random: Random) -> Composition:
    return random.choice((_bars, _line, _pie))(random)


def _frame(sheet: Sheet, title: str) -> Pen:
    """Writes the title and gives the pen of the plotting area."""
    sheet.note(title, sheet.pen.inside(0.04, 0.02, 0.96, 0.14).fit(title, INK, size=0.62))
    return sheet.pen.inside(0.08, 0.17, 0.96, 0.88)


def _axes(plot: Pen) -> None:
    for level in (0.0, 0.25, 0.5, 0.75):
        plot.line([(0, level), (1, level)], RULE, 0.006)
    plot.line([(0, 0), (0, 1), (1, 1)], INK, 0.012)


def _label(sheet: Sheet, plot: Pen, middle: float, text: str) -> None:
    sheet.note(text, plot.write(middle, 1.03, text, INK, size=0.065, anchor="mt"))


def _bars(random: Random) -> Composition:
    count, start, colour = random.randint(4, 7), random.randint(0, 5), random.choice(VIVID)
    values = random.sample(range(15, 96, 3), count)
    title = f"{random.choice(TOPICS)} in {random.choice(PLACES)}"
    best = FULL_MONTHS[start + values.index(max(values))]
    worst = FULL_MONTHS[start + values.index(min(values))]
    captions = (
        sentence(f'a bar chart titled "{title}" with {NUMBERS[count]} {colour} bars, the tallest one for {best}'),
        sentence(f"{NUMBERS[count]} {colour} bars of a chart show {title}, highest in {best}, lowest in {worst}"),
        sentence(f'bar chart with {colour} bars, "{title}", where {worst} has the smallest value'),
    )

    def paint(sheet: Sheet) -> None:
        plot = _frame(sheet, title)
        _axes(plot)
        for number, value in enumerate(values):
            left = (number + 0.2) / count
            bar = plot.inside(left, 1 - value / 100, left + 0.64 / count, 0.995)
            bar.box(0, 0, 1, 1, COLOURS[colour])
            month = MONTHS[start + number]
            sheet.mark(f"bar {month} {value}", bar)
            _label(sheet, plot, left + 0.32 / count, month)

    return Composition("chart", frozenset({"bar chart"}), captions, paint, white_page)


def _line(random: Random) -> Composition:
    count, start, colour = random.randint(5, 7), random.randint(0, 5), random.choice(VIVID)
    rising = random.random() < 0.5
    values = sorted(random.sample(range(10, 96, 3), count), reverse=not rising)
    title = f"{random.choice(TOPICS)} in {random.choice(PLACES)}"
    trend, first, last = "rises" if rising else "falls", FULL_MONTHS[start], FULL_MONTHS[start + count - 1]
    captions = (
        sentence(f'a line chart titled "{title}", its {colour} line {trend} from {first} to {last}'),
        sentence(f"the {colour} line of a line chart {trend} between {first} and {last}: {title}"),
        sentence(f'line chart of "{title}" with {NUMBERS[count]} {colour} points on a line that {trend}'),
    )

    def paint(sheet: Sheet) -> None:
        plot = _frame(sheet, title)
        _axes(plot)
        points = [((number + 0.5) / count, 1 - value / 100) for number, value in enumerate(values)]
        plot.line(points, COLOURS[colour], 0.025)
        for number, (x, y) in enumerate(points):
            dot = plot.inside(x - 0.018, y - 0.024, x + 0.018, y + 0.024)
            dot.ellipse(0, 0, 1, 1, COLOURS[colour])
            sheet.mark(f"point {MONTHS[start + number]} {values[number]}", dot)
            _label(sheet, plot, x, MONTHS[start + number])

    return Composition("chart", frozenset({"line chart"}), captions, paint, white_page)


def _pie(random: Random) -> Composition:
    count = random.randint(3, 5)
    colours = random.sample((*VIVID, "yellow", "grey"), count)
    weights = sorted(random.sample(range(6, 40, 3), count), reverse=True)
    weights[0] += 12  # the largest slice must be told at a glance
    title = f"{random.choice(TOPICS)} of {random.choice(PLACES)}"
    largest, listed = colours[0], ", ".join(colours[:-1]) + f" and {colours[-1]}"
    captions = (
        sentence(f'a pie chart titled "{title}" with {NUMBERS[count]} slices, the largest one {largest}'),
        sentence(f'pie chart of "{title}", its slices are {listed}, and {with_article(largest)} one is largest'),
        sentence(f"{NUMBERS[count]} slices of a pie chart, {listed}, show {title}"),
    )

    def paint(sheet: Sheet) -> None:
        plot = _frame(sheet, title)
        side = 0.98 * min(plot.width, plot.height)
        half = (side / plot.width / 2, side / plot.height / 2)
        angle = -90.0
        for colour, weight in zip(colours, weights, strict=True):
            turn = 360 * weight / sum(weights)
            plot.slice(
                (0.5 - half[0], 0.5 - half[1], 0.5 + half[0], 0.5 + half[1]), angle, angle + turn, COLOURS[colour]
            )
            angle += turn
        sheet.mark("pie", plot.inside(0.5 - half[0], 0.5 - half[1], 0.5 + half[0], 0.5 + half[1]))

    return Composition("chart", frozenset({"pie chart"}), captions, paint, white_page)
