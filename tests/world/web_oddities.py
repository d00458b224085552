"""Pages of the toy web for the rules that its ordinary pages never meet: each rule is the first that holds of some.

PAGES pages a rule on documents, as many that come near it, and PAGES pages that show one picture a rule on pictures.
Left out on purpose: `picture_passage_score_low`, whose truth is a model's judgement.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from tests.world.chance import noise_of, random_of
from tests.world.files import as_gif, as_png
from tests.world.web_pages import WebPage
from tests.world.web_pictures import SOUND, WebPicture, make_small, make_sound
from tests.world.web_prose import (
    ADJECTIVES,
    NOUNS,
    PEOPLE,
    UNSAFE,
    VERBS,
    make_paragraph,
    make_sentence,
)
from tests.world.words import PLACES, SUBJECTS

PAGES = 5
HOST = "odd.example"
WORDS = sorted({word for word in (*NOUNS, *PEOPLE, *VERBS, *ADJECTIVES) if " " not in word})
SETTINGS = ("text.languages=[en]", "album.max_words_per_picture=700")
"""Rules that are off by default, and what turns them on."""
GERMAN = (
    "Nachbarn", "Fischer", "Bauern", "Brücke", "Hafen", "Kloster", "Mühle", "Leuchtturm", "Winter", "Krieg", "Flut",
    "Sommer", "Regen", "Dorf", "Kinder", "haben", "hatten", "gebaut", "bewundert", "beschrieben", "verkauft",
    "gezeichnet", "gefragt", "weil", "obwohl", "damit", "ohne", "viele", "einige", "zwischen", "schmale", "alte",
    "verlassene", "kleine", "niemand", "wieder", "später", "früher", "während", "gegenüber", "und", "nicht", "über",
    "jeder", "seiner",
)  # fmt: skip
SHORT = ("it", "is", "of", "to", "as", "we", "go", "on", "up", "in", "an", "by")


def _words(random: Random, number: int) -> list[str]:
    """No two neighbours in the same order twice, as far as chance goes."""
    return [random.choice(WORDS) for _ in range(number)]


def _lines(words: list[str], size: int = 40) -> list[str]:
    return [" ".join(words[at : at + size]).capitalize() + "." for at in range(0, len(words), size)]


def _phrase(size: int, every: int) -> Callable[[Random], list[str]]:
    """One run of `size` words in each `every` words. They are of six letters, so that shares are those of words."""

    def draw(random: Random) -> list[str]:
        phrase = random.sample([word for word in WORDS if len(word) == 6], size)
        rest = [word for word in WORDS if 5 <= len(word) <= 7 and word not in phrase]
        words = [word for _ in range(20) for word in (*phrase, *(random.choice(rest) for _ in range(every - size)))]
        return _lines(words, 37)

    return draw


def _sentences_again(random: Random) -> list[str]:
    """Ten sentences, and the same again, parted otherwise."""
    sentences = _lines(_words(random, 120), 12)
    pairs = [sentences[at : at + 2] for at in range(0, 10, 2)]
    again = [sentences[at : at + 2] for at in range(1, 9, 2)]
    return [" ".join(pair) for pair in (*pairs, *again)]


def _three_sentences_again(random: Random, different: int = 22) -> list[str]:
    """Sentences of 12 words, three of which come twice: 0.12 of the text where they are 22, in runs of 12."""
    sentences = _lines(_words(random, different * 12), 12)
    for number in (3, 8, 13):
        sentences.insert(number + 9, sentences[number])
    return [" ".join(sentences[at : at + 2]) for at in range(0, len(sentences), 2)]


def _unsafe(random: Random, sentences: int = 4) -> list[str]:
    """Two words of the list, which may stay, among so few that they may not; among 400 and more they may."""
    first, second = make_paragraph(random, sentences), make_paragraph(random, sentences)
    return [f"{first} {random.choice(UNSAFE)}", f"{second} {random.choice(UNSAFE)}"]


def _german(random: Random) -> list[str]:
    return _lines(random.choices(GERMAN, k=120), 12)


def _noise(random: Random) -> list[str]:
    """Words of no language."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return _lines(["".join(random.choices(letters, k=random.randint(3, 8))) for _ in range(120)])


def _numbers(random: Random, share: float = 0.6) -> list[str]:
    return _lines([str(random.randrange(10**5)) if random.random() < share else word for word in _words(random, 120)])


TEXTS: dict[str, Callable[[Random], list[str]]] = {
    "document_too_many_words": lambda random: [" ".join(make_sentence(random) for _ in range(60)) for _ in range(120)],
    "document_short_words": lambda random: _lines(random.choices(SHORT, k=120)),
    "document_long_words": lambda random: _lines(
        [a + b for a, b in zip(_words(random, 90), _words(random, 90), strict=True)]
    ),
    "document_few_letters": _numbers,
    "document_top_2gram": _phrase(2, 5),
    "document_top_3gram": _phrase(3, 12),
    "document_top_4gram": _phrase(4, 20),
    "document_repeated_5grams": _sentences_again,
    "document_repeated_10grams": _three_sentences_again,
    "document_language_unsure": _noise,
    "document_language": _german,
    "document_unsafe_share": _unsafe,
    "document_without_pictures": lambda random: [make_paragraph(random) for _ in range(4)],
    "document_album": lambda random: _lines(_words(random, 56), 8),
    "document_few_pictures": lambda random: _lines(_words(random, 800), 24),
}
"""Paragraphs, by the rule that is the first to hold of them."""
NEAR: dict[str, Callable[[Random], list[str]]] = {
    "document_top_2gram": _phrase(2, 12),
    "document_top_3gram": _phrase(3, 20),
    "document_top_4gram": _phrase(4, 28),
    "document_repeated_10grams": lambda random: _three_sentences_again(random, 33),
    "document_few_letters": lambda random: _numbers(random, 0.1),
    "document_unsafe_share": lambda random: _unsafe(random, 15),
    "document_album": lambda random: _lines(_words(random, 96), 12),
    "document_few_pictures": lambda random: _lines(_words(random, 620), 24),
}
"""Paragraphs of which the rule does not hold yet."""


def draw_odd_pages(seed: int) -> list[WebPage]:
    odd = [_text_page(seed, rule, number) for rule in TEXTS for number in range(PAGES)]
    near = [_text_page(seed, rule, number, near=True) for rule in NEAR for number in range(PAGES)]
    return odd + near + [_picture_page(seed, number) for number in range(PAGES)]


def _text_page(seed: int, rule: str, number: int, near: bool = False) -> WebPage:
    kind = f"near {rule}" if near else rule
    random = random_of(seed, number, kind)
    title = f"{random.choice(PLACES)} {random.choice(SUBJECTS)} {kind.replace('_', ' ')} {number}"
    shown = [make_small(random, HOST)] if rule == "document_without_pictures" else _shared(seed, rule)
    first, *rest = (NEAR if near else TEXTS)[rule](random)
    url = f"https://{HOST}/{kind.replace(' ', '/')}/{number}.html"
    return WebPage(url, kind, (title, first, *shown, *rest), frozenset() if near else frozenset({rule}))


@cache
def _shared(seed: int, rule: str) -> list[WebPicture]:
    """The sound pictures on all pages of a rule, and near it, which are no more than may share one."""
    kinds = [(kind, number) for number in range(2) for kind in SOUND] if rule == "document_album" else [("view", 0)]
    made = [make_sound(random_of(seed, rule, kind, number), HOST, kind) for kind, number in kinds]
    return [replace(one, caption="") for one in made]


def _picture_page(seed: int, number: int) -> WebPage:
    random = random_of(seed, number, "odd pictures")
    title, sound = f"{random.choice(PLACES)} pictures {number}", make_sound(random, HOST, "view")
    pieces = [title, make_paragraph(random), sound, make_paragraph(random, 5)]
    pieces += [make_odd(random, rule) for rule in PICTURES] + [make_paragraph(random, 5)]
    return WebPage(f"https://{HOST}/pictures/{number}.html", "odd", tuple(pieces))


PICTURES = (
    "picture_outside_content", "picture_without_address", "picture_redirect_loop", "picture_unresolved",
    "image_too_many_pixels", "image_animated", "image_solid_colour", "image_low_information",
)  # fmt: skip


def make_odd(random: Random, rule: str) -> WebPicture:
    """A picture of which `rule` is the first to hold."""
    url = f"https://{HOST}/photos/{random.randrange(10**8):08d}.png"
    plain = WebPicture(url, b"", rule.partition("_")[2], frozenset({rule}))
    rng = noise_of(random.getrandbits(64))
    if rule == "picture_outside_content":
        return replace(
            make_sound(random, HOST, "view"), caption="", faults=plain.faults, outside=random.choice(_OUTSIDE)
        )
    if rule == "picture_without_address":
        return replace(plain, url="", alt="Drawn by a script")
    if rule == "picture_redirect_loop":
        return replace(plain, redirect=url)
    if rule == "image_too_many_pixels":
        return replace(plain, data=_bomb(9_500 + random.randrange(99)))
    if rule == "image_animated":
        frames = [Image.fromarray(rng.integers(0, 256, (200, 220), dtype=np.uint8)) for _ in range(2)]
        return replace(plain, url=url.replace(".png", ".gif"), data=as_gif(frames))
    if rule == "image_solid_colour":
        grey = np.clip(rng.normal(random.randint(60, 200), 3, (220, 240)), 0, 255).astype(np.uint8)
        return replace(plain, data=as_png(Image.fromarray(grey)))
    if rule == "image_low_information":
        specks = np.where(rng.random((220, 240)) < 0.003, 0, 255).astype(np.uint8)
        return replace(plain, data=as_png(Image.fromarray(specks)))
    return plain


_OUTSIDE = ("footer", "aside", "nav")


def _bomb(side: int) -> bytes:
    """A white PNG of one bit a pixel, 11 kB of side² pixels."""
    row = zlib.compress((b"\0" + b"\xff" * ((side + 7) // 8)) * side, 9)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", row), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
