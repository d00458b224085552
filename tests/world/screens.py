"""Scenes of app screens: login, settings with switches, chat, weather; and QR codes on a poster."""

from __future__ import annotations

from random import Random

import numpy as np
import segno

from tests.world.composition import Composition
from tests.world.grounds import clipped, flat, stone, wood
from tests.world.objects import cloud, sun
from tests.world.pen import Pen, Sheet
from tests.world.words import COLOURS, NUMBERS, PLACES, SHOP_WORDS, sentence, with_article

INK, PALE, WHITE = (44, 46, 52), (228, 230, 236), COLOURS["white"]
THEMES = ("blue", "green", "purple", "orange", "red")
OPTIONS = ("Sound", "Wi Fi", "Dark mode", "Location", "Updates", "Backup", "Privacy", "Language")
REPLIES = (
    "See you at six",
    "Where are you",
    "On my way",
    "Thank you",
    "Call me later",
    "Dinner is ready",
    "Good night",
)


def _desk(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return clipped(flat(rng, height, width, (70, 74, 86), 6))


def _screen(sheet: Sheet, head: str, theme: str) -> Pen:
    """Draws a device with a title bar and gives the pen of the area below it."""
    device = sheet.pen.inside(0.08, 0.03, 0.92, 0.97)
    device.box(0, 0, 1, 1, (20, 20, 24), 0.06)
    screen = device.inside(0.03, 0.03, 0.97, 0.97)
    screen.box(0, 0, 1, 1, (250, 250, 252))
    screen.box(0, 0, 1, 0.15, COLOURS[theme])
    sheet.note(head, screen.inside(0.1, 0.02, 0.9, 0.13).fit(head, WHITE, size=0.8))
    sheet.mark("screen", screen)
    return screen.inside(0.06, 0.2, 0.94, 0.97)


def compose_screen(random: Random) -> Composition:
    return random.choice((_login, _settings, _chat, _weather))(random)


def _login(random: Random) -> Composition:
    theme, shop = random.choice(THEMES), f"{random.choice(SHOP_WORDS).title()} {random.choice(PLACES)}"
    captions = (
        sentence(f'the login screen of the app "{shop}" with two empty fields and {with_article(theme)} button'),
        sentence(f"app screen with {with_article(f'{theme} title bar')} and a form to sign in to {shop}"),
    )

    def paint(sheet: Sheet) -> None:
        area = _screen(sheet, shop, theme)
        for top, label in ((0.08, "User name"), (0.38, "Password")):
            field = area.inside(0.05, top, 0.95, top + 0.2)
            field.box(0, 0, 1, 1, PALE, 0.2)
            sheet.note(label, field.write(0.06, 0.5, label, (120, 122, 130), size=0.5, anchor="lm"))
            sheet.mark(f"field {label}", field)
        button = area.inside(0.2, 0.7, 0.8, 0.92)
        button.box(0, 0, 1, 1, COLOURS[theme], 0.3)
        sheet.note("Sign in", button.inside(0, 0.2, 1, 0.8).fit("Sign in", WHITE))
        sheet.mark("button Sign in", button)

    return Composition("screen", frozenset({"login"}), captions, paint, _desk)


def _settings(random: Random) -> Composition:
    theme, names = random.choice(THEMES), random.sample(OPTIONS, 4)
    states = [random.random() < 0.5 for _ in names]
    active = sum(states)
    captions = (
        sentence(f"{theme} settings screen with switches: {', '.join(names)}, {NUMBERS[active]} of them on"),
        sentence(f"app screen with switches for {', '.join(names[:-1])} and {names[-1]} below {theme} title bar"),
    )

    def paint(sheet: Sheet) -> None:
        area = _screen(sheet, "Settings", theme)
        for number, (name, state) in enumerate(zip(names, states, strict=True)):
            row = area.inside(0, number * 0.25, 1, number * 0.25 + 0.22)
            row.line([(0, 1), (1, 1)], PALE, 0.05)
            sheet.note(name, row.write(0.02, 0.5, name, INK, size=0.5, anchor="lm"))
            switch = row.inside(0.76, 0.22, 0.98, 0.78)
            switch.box(0, 0, 1, 1, COLOURS[theme] if state else (176, 178, 184), 0.5)
            knob = (0.54, 0.96) if state else (0.04, 0.46)
            switch.ellipse(knob[0], 0.08, knob[1], 0.92, WHITE)
            sheet.mark(f"switch {name} {'on' if state else 'off'}", switch)

    return Composition("screen", frozenset({"settings"}), captions, paint, _desk)


def _chat(random: Random) -> Composition:
    theme, name = random.choice(THEMES), random.choice(("Ada", "Tom", "Mia", "Leo", "Eva", "Max"))
    lines = random.sample(REPLIES, 3)
    captions = (
        sentence(f'a chat screen with {name}, three message bubbles from "{lines[0]}" to "{lines[-1]}"'),
        sentence(f"app screen of a conversation with {name} in grey and {theme} bubbles: {', '.join(lines)}"),
    )

    def paint(sheet: Sheet) -> None:
        area = _screen(sheet, name, theme)
        for number, text in enumerate(lines):
            left, mine = (0.3, True) if number % 2 else (0.0, False)
            bubble = area.inside(left, number * 0.32, left + 0.7, number * 0.32 + 0.25)
            bubble.box(0, 0, 1, 1, COLOURS[theme] if mine else PALE, 0.4)
            sheet.note(text, bubble.inside(0.06, 0.25, 0.94, 0.75).fit(text, WHITE if mine else INK))
            sheet.mark("bubble", bubble)

    return Composition("screen", frozenset({"chat"}), captions, paint, _desk)


def _weather(random: Random) -> Composition:
    theme, place, degrees = random.choice(THEMES), random.choice(PLACES), random.randint(-9, 38)
    sunny = random.random() < 0.5
    said = f"{'minus ' if degrees < 0 else ''}{abs(degrees)} degrees"
    captions = (
        sentence(f"weather app screen for {place} showing a {'sun' if sunny else 'cloud'} and {said}"),
        sentence(f"app screen with the {'sunny' if sunny else 'cloudy'} weather of {place}, {said}, {theme} title bar"),
    )

    def paint(sheet: Sheet) -> None:
        area = _screen(sheet, place, theme)
        area.box(0, 0, 1, 1, (120, 182, 232))
        side = 0.5 * min(area.width, area.height)
        picture = area.inside(0.5 - side / area.width / 2, 0.03, 0.5 + side / area.width / 2, 0.03 + side / area.height)
        (sun if sunny else cloud)(picture)
        sheet.mark("sun" if sunny else "cloud", picture)
        sheet.note(f"{degrees} C", area.inside(0.1, 0.62, 0.9, 0.94).fit(f"{degrees} C", WHITE))

    return Composition("screen", frozenset({"weather"}), captions, paint, _desk)


def compose_code(random: Random) -> Composition:
    """A QR code that a reader can read: what a code filter should find later."""
    address, ground = f"https://example.com/{random.randrange(10**6):06d}", random.choice((wood, stone))
    wall = "wooden board" if ground is wood else "stone wall"
    head = f"{random.choice(SHOP_WORDS).title()} {random.choice(PLACES)}"
    captions = (
        sentence(f'a black and white QR code below the words "{head}" on a white poster on a {wall}'),
        sentence(f"poster of {head} with a QR code to scan with a phone, on a {wall}"),
    )
    matrix = [list(row) for row in segno.make_qr(address, error="m", version=3).matrix]

    def paint(sheet: Sheet) -> None:
        side = 0.8 * min(sheet.width, sheet.height)
        x, y = side / sheet.width / 2, side / sheet.height / 2
        poster = sheet.pen.inside(0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y)
        poster.box(0, 0, 1, 1, WHITE)
        sheet.note(head, poster.inside(0.08, 0.02, 0.92, 0.16).fit(head, INK))
        code, cells = poster.inside(0.12, 0.17, 0.88, 0.93), len(matrix)
        for row, line in enumerate(matrix):
            for column, dark in enumerate(line):
                if dark:
                    code.box(column / cells, row / cells, (column + 1) / cells, (row + 1) / cells, COLOURS["black"])
        sheet.mark("QR code", code)
        sheet.texts.append({"text": address, "box": sheet.boxes[-1]["box"]})

    return Composition("qr", frozenset({"qr"}), captions, paint, ground)
