"""Captions as the web spoils them: one function for each kind of fault, from chance and the exact caption."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

BOILERPLATE = (
    "Click here to see the full size image",
    "This image is not available in your region",
    "Photo courtesy of the image library, all rights reserved",
    "Please enable scripts to view this picture",
    "Download this wallpaper for free in high resolution",
    "Share this picture with your friends and family",
)
SYLLABLES = [a + b + c for a in "bdfgklmnprstvz" for b in "aeiou" for c in "dklmnrst"]
"""560 three-letter nonsense words: a long caption of distinct words must not trip the repetition rules."""


def _number(random: Random, digits: int) -> str:
    return f"{random.randrange(10**digits):0{digits}d}"


def file_name(random: Random, caption: str) -> str:
    stem = random.choice(("IMG_{}", "DSC{}", "P10{}", "image-{}", "photo_{}", "scan{}"))
    return stem.format(_number(random, 5)) + random.choice((".jpg", ".JPG", ".png", ".jpeg"))


def url(random: Random, caption: str) -> str:
    site, path = random.choice(("www.example.com", "shop.example.org")), _number(random, 6)
    forms = (f"https://{site}/gallery/{path}", f"http://{site}/item?id={path}&size=big", f"see https://{site}/p/{path}")
    return random.choice(forms)


def too_short(random: Random, caption: str) -> str:
    return random.choice(("logo", "icon", "home", "a cat", "new", "sale"))


def too_few_words(random: Random, caption: str) -> str:
    return random.choice(("Photograph", "Product view", "Stock photo", "Decorative", "Gallery", "Front side"))


def _keywords(random: Random, count: int) -> str:
    """Keyword stuffing: 560 distinct words first, then some of them again."""
    return " ".join((random.sample(SYLLABLES, len(SYLLABLES)) + random.choices(SYLLABLES, k=count))[:count])


def too_many_words(random: Random, caption: str) -> str:
    return _keywords(random, random.randint(840, 940))  # 3 letters and a space each: below 4,000 characters


def too_long(random: Random, caption: str) -> str:
    doubled = random.sample(SYLLABLES, len(SYLLABLES))
    return " ".join(first + second for first in SYLLABLES[:2] for second in doubled)[: random.randint(4200, 6000)]


def repeated_characters(random: Random, caption: str) -> str:
    run = random.choice("!aeoxz*") * random.randint(14, 40)
    return f"{caption.rstrip('.')} {run}" if random.random() < 0.5 else f"W{run}w, {caption}"


def repeated_words(random: Random, caption: str) -> str:
    words = random.sample(("buy", "cheap", "shoes", "best", "price", "sale", "online"), 3)
    return " ".join(words * random.randint(4, 8))


def control_characters(random: Random, caption: str) -> str:
    place = random.randrange(1, len(caption))
    return caption[:place] + random.choice(("\x00", "\x07", "\x1b[0m", "\x02", "\x9b")) + caption[place:]


BAD_CAPTIONS: dict[str, Callable[[Random, str], str]] = {
    "file_name": file_name,
    "url": url,
    "too_short": too_short,
    "too_few_words": too_few_words,
    "too_many_words": too_many_words,
    "too_long": too_long,
    "repeated_characters": repeated_characters,
    "repeated_words": repeated_words,
    "control_characters": control_characters,
    "empty_caption": lambda random, caption: "",
    "blank_caption": lambda random, caption: random.choice((" ", "\n", " \t \n")),
    "caption_too_large": lambda random, caption: " ".join([caption] * (70_000 // len(caption) + 1)),
}


def boilerplate_caption(random: Random, pairs: int) -> str:
    """Few sentences in a small world, so that each is shared by more pictures than the rule allows."""
    return random.choice(BOILERPLATE[: max(1, min(len(BOILERPLATE), pairs // 1500))])


def not_utf8(random: Random, caption: str) -> bytes:
    """The caption as old tools wrote it: Latin-1 with an accent, or UTF-16 with its byte order mark."""
    if random.random() < 0.5:
        return f"Café: {caption}".encode("latin-1", "replace")
    return caption.encode("utf-16")
