"""The world's vocabulary: colours and numbers in English and Chinese, and the words of titles, signs and screens."""

from __future__ import annotations

Colour = tuple[int, int, int]

# Twelve colours that a person names without doubt; what lies between them (olive, beige) is left to the grounds.
COLOURS: dict[str, Colour] = {
    "red": (214, 32, 38),
    "orange": (247, 136, 20),
    "yellow": (250, 214, 28),
    "green": (34, 150, 60),
    "turquoise": (32, 196, 190),
    "blue": (34, 78, 206),
    "purple": (126, 44, 168),
    "pink": (246, 128, 176),
    "brown": (122, 70, 28),
    "black": (24, 24, 28),
    "grey": (136, 138, 142),
    "white": (248, 248, 248),
}
CHINESE_COLOURS: dict[str, str] = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "turquoise": "青绿色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
    "black": "黑色",
    "grey": "灰色",
    "white": "白色",
}
VIVID = ("red", "orange", "green", "turquoise", "blue", "purple", "pink", "brown")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

TOPICS = (
    "Rainfall", "Visitors", "Harvest", "Bicycle sales", "Energy use", "Library loans", "Exam results", "Fish catch",
    "Train delays", "Coffee imports", "Museum tickets", "Water levels", "Bread prices", "Solar output", "New members",
)  # fmt: skip
PLACES = (
    "Lisbon", "Oslo", "Kyoto", "Quito", "Nairobi", "Porto", "Riga", "Hanoi", "Cusco", "Tunis", "Bergen", "Ghent",
    "Galway", "Turin", "Lima", "Izmir", "Perth", "Malmo", "Vigo", "Dakar",
)  # fmt: skip
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FULL_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
SUBJECTS = (
    "annual report", "safety guide", "garden plan", "meeting notes", "travel diary", "cooking class", "school rules",
    "field study", "house lease", "music lesson", "bird survey", "boat repair", "city budget", "winter menu",
    "chess club", "tree care", "road works", "night shift", "spring fair", "pottery course",
)  # fmt: skip
PROSE = (
    "the", "of", "river", "garden", "market", "and", "to", "a", "in", "window", "morning", "letter", "bread", "light",
    "with", "from", "stone", "bridge", "village", "summer", "for", "paper", "quiet", "winter", "harbour", "train",
    "over", "under", "small", "large", "old", "new", "field", "water", "people", "between", "station", "evening",
)  # fmt: skip
SHOP_WORDS = (
    "OPEN", "CLOSED", "BAKERY", "COFFEE", "BOOKS", "MUSEUM", "EXIT", "PARKING", "HOTEL", "MARKET", "LIBRARY", "GARAGE",
    "TICKETS", "FLOWERS", "PIZZA", "CINEMA", "SCHOOL", "BEACH", "STATION", "TEA ROOM",
)  # fmt: skip


def with_article(phrase: str) -> str:
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"


def sentence(text: str) -> str:
    """The text with its first letter raised and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
