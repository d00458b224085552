"""Prose of the toy web: plain English sentences that hardly repeat each other, and the texts that rules should find.

Left out on purpose: sense. A page's text is judged by its words, its lines and their number.
"""

from __future__ import annotations

from random import Random

from tests.world.words import PLACES, sentence

NOUNS = (
    "bridge", "harbour", "library", "orchard", "engine", "glacier", "violin", "market", "lighthouse", "railway",
    "well", "kitchen", "cathedral", "laboratory", "windmill", "forest", "telescope", "workshop", "museum", "canal",
    "village", "meadow", "printing press", "observatory", "vineyard", "ferry", "theatre", "quarry", "beehive",
    "greenhouse",
)  # fmt: skip
PEOPLE = (
    "engineers", "farmers", "students", "sailors", "doctors", "painters", "neighbours", "bakers", "historians",
    "pilots", "gardeners", "teachers", "miners", "musicians", "visitors", "children", "carpenters", "nurses",
    "fishermen", "poets",
)  # fmt: skip
VERBS = (
    "repaired", "measured", "painted", "visited", "described", "remembered", "rebuilt", "studied", "bought",
    "cleaned", "photographed", "defended", "discovered", "admired", "explored", "abandoned", "restored",
    "inherited", "borrowed", "organised", "improved", "questioned", "celebrated", "protected", "surveyed",
)  # fmt: skip
ADJECTIVES = (
    "narrow", "ancient", "bright", "quiet", "wooden", "frozen", "famous", "crooked", "gentle", "crowded", "hollow",
    "new", "rusty", "forgotten", "steep", "colourful", "modest", "broken", "enormous", "hidden", "cheap", "sunny",
    "windy",
)  # fmt: skip
TIMES = (
    "before the war", "after a long winter", "during the summer", "at the end of the century", "on a rainy morning",
    "for almost ten years", "within a single week", "when the snow had melted", "as early as spring",
    "late at night", "twice a year", "since the flood", "long before anyone else", "every other Sunday",
    "without much help",
)  # fmt: skip
REASONS = (
    "because money was short", "although nobody had asked", "so that ships could pass", "while the river was low",
    "to everyone's surprise", "in spite of the cold", "thanks to a generous gift", "as letters from that time show",
    "which changed the town for good", "until the last train left", "and the newspapers wrote about it",
    "if the records can be trusted", "with tools of their own", "despite several warnings",
)  # fmt: skip
UNSAFE = ("zorgblat", "quimfex", "vile brell")
"""Made-up words that the toy world's safety list names."""


def make_sentence(random: Random) -> str:
    noun, other = random.sample(NOUNS, 2)
    person, verb, place = random.choice(PEOPLE), random.choice(VERBS), random.choice(PLACES)
    first, second = random.sample(ADJECTIVES, 2)
    time, reason = random.choice(TIMES), random.choice(REASONS)
    return sentence(
        random.choice(
            (
                f"{time} the {person} of {place} {verb} their {first} {noun} {reason}",
                f"a {second} {noun} near {place} was {verb} by {random.randint(3, 90)} {person} {time}",
                f"{reason}, some {first} {person} {verb} both the {noun} and the {second} {other}",
                f"no {noun} in {place} looked as {first} as this {second} {other} that {person} once {verb}",
                f"{person} {verb} it {time}, {reason}, and {place} still keeps the {first} {noun}",
                f"what the {person} had {verb} became the most {second} {other} of {place} {time}",
            )
        )
    )


def make_paragraph(random: Random, sentences: int = 4) -> str:
    return " ".join(make_sentence(random) for _ in range(sentences))


def make_repeated_lines(random: Random) -> list[str]:
    """Two paragraphs, and the lines of one of them again and again, as generated pages have them."""
    line = make_sentence(random)
    return [make_paragraph(random), *[line] * random.randint(5, 9), make_paragraph(random, 2)]


def make_symbols(random: Random) -> list[str]:
    """Paragraphs under a rain of hash tags."""
    tags = " ".join(f"#{noun.replace(' ', '')}" for noun in random.sample(NOUNS, 24))
    return [make_paragraph(random), tags, make_paragraph(random, 2)]


def with_unsafe_words(random: Random, paragraphs: list[str]) -> list[str]:
    """The paragraphs with four words of the safety list in them."""
    spoiled = [paragraph.split(" ") for paragraph in paragraphs]
    for _ in range(4):
        words = random.choice(spoiled)
        words.insert(random.randrange(len(words)), random.choice(UNSAFE))
    return [" ".join(words) for words in spoiled]


def with_changed_words(random: Random, paragraph: str) -> str:
    """A copy as another site makes it: a word of two hundred is another one."""
    words = paragraph.split(" ")
    for place in range(random.randrange(200), len(words), 200):
        words[place] = random.choice(ADJECTIVES)
    return " ".join(words)
