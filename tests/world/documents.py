"""Scenes of printed pages: one or two columns of prose, a letter, an invoice with a table."""

from __future__ import annotations

from random import Random

from tests.world.charts import white_page
from tests.world.composition import Composition
from tests.world.pen import Pen, Sheet
from tests.world.words import FULL_MONTHS, NUMBERS, PLACES, PROSE, SUBJECTS, sentence

INK = (38, 38, 42)
GOODS = ("apples", "paper", "nails", "paint", "rope", "lamps", "seeds", "tiles", "glue", "boards", "chairs", "soap")


def compose_document(random: Random) -> Composition:
    return random.choice((_page, _page, _letter, _invoice))(random)


def _prose(random: Random, words: int) -> list[str]:
    return [random.choice(PROSE) for _ in range(words)]


def _fill(sheet: Sheet, pen: Pen, words: list[str], size: float) -> None:
    """Sets the words in lines from top to bottom until the rectangle or the words end."""
    step, line, top = size * 1.45, "", 0.0
    limit = pen.width / (size * pen.height) / 0.52  # a letter of the built-in font is about 0.52 of its size wide
    for word in words:
        if len(line) + len(word) + 1 > limit:
            sheet.note(line, pen.write(0, top, line, INK, size=size))
            line, top = "", top + step
            if top + size > 1:
                return
        line = f"{line} {word}".strip()
    sheet.note(line, pen.write(0, top, line, INK, size=size))


def _page(random: Random) -> Composition:
    columns, title = random.choice((1, 2)), f"{random.choice(PLACES)} {random.choice(SUBJECTS)}"
    words = [_prose(random, 140) for _ in range(columns)]
    laid = "one column" if columns == 1 else "two columns"
    captions = (
        sentence(f'a printed page with the heading "{title}" over {laid} of small black text'),
        sentence(f"page of a document in {laid}, its title reads {title}"),
        sentence(f'a scanned document titled "{title}", black text on white paper in {laid}'),
    )

    def paint(sheet: Sheet) -> None:
        sheet.note(title, sheet.pen.inside(0.08, 0.05, 0.92, 0.16).fit(title, INK, size=0.72))
        sheet.pen.line([(0.08, 0.19), (0.92, 0.19)], INK, 0.008)
        width = 0.84 / columns
        for number, text in enumerate(words):
            left = 0.08 + number * width
            _fill(sheet, sheet.pen.inside(left, 0.24, left + width - 0.05, 0.95), text, 0.052)

    return Composition("document", frozenset({"document"}), captions, paint, white_page)


def _letter(random: Random) -> Composition:
    place, month, day = random.choice(PLACES), random.choice(FULL_MONTHS), random.randint(1, 28)
    name, subject = random.choice(("Ada", "Tom", "Mia", "Leo", "Eva", "Max")), random.choice(SUBJECTS)
    words = _prose(random, 70)
    captions = (
        sentence(f"a typed letter from {place} that begins with Dear {name} and speaks of the {subject}"),
        sentence(f'a document: letter to {name} dated {month} {day}, from {place}, about the "{subject}"'),
    )

    def paint(sheet: Sheet) -> None:
        head = f"{place}, {month} {day}"
        sheet.note(head, sheet.pen.write(0.92, 0.07, head, INK, size=0.055, anchor="rt"))
        for top, line in ((0.2, f"Dear {name},"), (0.84, "Yours sincerely")):
            sheet.note(line, sheet.pen.write(0.08, top, line, INK, size=0.062))
        opening = f"about the {subject}:".split()
        _fill(sheet, sheet.pen.inside(0.08, 0.31, 0.92, 0.8), opening + words, 0.075)

    return Composition("document", frozenset({"document"}), captions, paint, white_page)


def _invoice(random: Random) -> Composition:
    rows, number = random.randint(3, 6), random.randint(1000, 9999)
    goods = random.sample(GOODS, rows)
    prices = [random.randint(2, 90) for _ in goods]
    captions = (
        sentence(f"an invoice with the number {number} and a table of {NUMBERS[rows]} goods, {sum(prices)} in total"),
        sentence(f"document with a table: invoice {number} lists {', '.join(goods)} and a total of {sum(prices)}"),
    )

    def paint(sheet: Sheet) -> None:
        title = f"Invoice {number}"
        sheet.note(title, sheet.pen.write(0.08, 0.06, title, INK, size=0.1))
        table = sheet.pen.inside(0.08, 0.26, 0.92, 0.9)
        lines = [*zip(goods, map(str, prices), strict=True), ("total", str(sum(prices)))]
        for place, (good, price) in enumerate(lines):
            top = place / len(lines)
            table.line([(0, top), (1, top)], INK, 0.008)
            sheet.note(good, table.write(0.04, top + 0.5 / len(lines), good, INK, size=0.085, anchor="lm"))
            sheet.note(price, table.write(0.96, top + 0.5 / len(lines), price, INK, size=0.085, anchor="rm"))
        table.line([(0, 0), (0, 1), (1, 1), (1, 0)], INK, 0.008)
        sheet.mark("table", table)

    return Composition("document", frozenset({"document"}), captions, paint, white_page)
