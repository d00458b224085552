"""Pictures of a web page: size, shape, name and sharpness, and the rules that turn one away.

The rules of MMC4 and OBELICS in their order, cheap before dear: what is there to be fetched and not seen, what
decorates, what is small, long or blurred. What was not measured is not judged: a picture that was named and never
found has an address only.
Left out on purpose: copies (transforms/repeated_pictures.py), adverts (transforms/adverts.py), codes
(transforms/qr_codes.py); compressed noise, which is as sharp as detail.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from configs.schema.web_rules import WebPictureRules
from transforms.limits import Limit, Table
from transforms.records import Drop, Measures, Picture

SAMPLED_PIXELS = 1_000_000
"""Pixels whose Laplacian is computed; of a larger picture every n-th row, at full size, so that the unit is the same.
Every 12th row of 12 megapixels: 0.6 % off (measured)."""
PICTURE_MEASURES = {
    "width_to_height": "width over height",
    "sharpness": "variance of the Laplacian, squared grey levels",
    "shown_width": "pixels as the page states them",
    "shown_height": "pixels as the page states them",
    "decoration_word": "word of the address that only decoration bears",
    "tracker_word": "word of the address that only trackers bear",
}
SHAPE_AND_SHARPNESS = Table(
    [
        Limit("picture_too_small", "short_side", "min_side"),
        Limit("picture_too_narrow", "width_to_height", "min_width_to_height"),
        Limit("picture_too_wide", "width_to_height", "max_width_to_height"),
        Limit("picture_blurred", "sharpness", "min_sharpness"),
    ]
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[a-z]+|[0-9]+x[0-9]+")
_PICTURE_NAME = re.compile(r"\.(?:jpe?g|png|webp|avif|bmp|tiff?|svg)$", re.IGNORECASE)
_MAX_URL = 2_000

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def measure_sharpness(pixels: Pixels) -> float:
    """Variance of the Laplacian (4 neighbours, borders mirrored) of the grey picture, in squared grey levels.

    `pixels` is (height, width, 3) RGB or (…, 4) RGBA; transparent pixels are composited on white: drawings in black on
    nothing have no edge else. Equal to OpenCV's `Laplacian(grey, CV_64F).var()` up to SAMPLED_PIXELS. 0 for one pixel.
    """
    grey = _grey(pixels)
    height, width = grey.shape
    rows = np.arange(0, height, -(-height * width // SAMPLED_PIXELS))
    middle = grey[rows].astype(np.int16)
    found = grey[np.abs(rows - 1) % height].astype(np.int16)
    found += grey[np.where(rows + 1 < height, rows + 1, max(height - 2, 0))]
    found[:, 1:] += middle[:, :-1]
    found[:, :-1] += middle[:, 1:]
    found[:, 0] += middle[:, min(1, width - 1)]
    found[:, -1] += middle[:, max(width - 2, 0)]
    found -= 4 * middle
    # In whole numbers, so that no order of adding up matters.
    whole = found.astype(np.int32)
    mean, square = (int(numbers.sum(dtype=np.int64)) / whole.size for numbers in (whole, whole * whole))
    return float(round(max(square - mean * mean, 0.0), 4))


def _grey(pixels: Pixels) -> Pixels:
    """Luma of BT.601 in whole grey levels, by Pillow."""
    picture = Image.fromarray(pixels)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(picture.convert("L"))


def measure_page_picture(url: str, shown: tuple[int, int], rules: WebPictureRules) -> Measures:
    """Measures of what the page says: the absolute address, and (width, height) in pixels, 0 where not stated.

    A measure is left out where there is nothing to say.
    """
    # Cut here, so that no cache holds the megabytes of a data: URI.
    url = url[:_MAX_URL]
    words = address_words(url)
    found: Measures = {}
    if word := _first_of(words, rules.decoration_words):
        found["decoration_word"] = word
    if not _PICTURE_NAME.search(url.partition("?")[0]) and (word := _first_of(words, rules.tracker_words)):
        found["tracker_word"] = word
    if all(shown):
        found |= {"shown_width": shown[0], "shown_height": shown[1]}
    return found


def measure_real_shape(width: int, height: int) -> Measures:
    """Measures of the header that `measure_shape` has not; sides in pixels."""
    return {"width_to_height": round(width / height, 4)}


@lru_cache(maxsize=8192)
def address_words(url: str) -> tuple[str, ...]:
    """Folders that are one word, and the words of the file's name, in lower case and singular.

    Names are parted at capitals, digits and punctuation; "300x250" is one word. A folder of several words names a
    subject ("native-form-widgets"), one of one word a kind ("widgets"). Of a data: URI none. A path is read as one.
    """
    if url.startswith("data:"):
        return ()
    path = url.split("#")[0].split("?")[0]
    path = path.partition("://")[2].partition("/")[2] if "://" in path else path
    *folders, name = unquote(path).split("/")
    words = [folder.lower() for folder in folders if folder.isalpha()]
    words += _WORD.findall(_CAMEL.sub("-", name).lower())
    return tuple(word.removesuffix("s") if len(word) > 3 else word for word in words)


def _first_of(words: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    singular = {word.removesuffix("s") if len(word) > 3 else word: word for word in wanted}
    return next((singular[word] for word in words if word in singular), "")


def check_tracker(picture: Picture, rules: WebPictureRules) -> Drop | None:
    """A pixel to be fetched: by its sides, real or stated, or by its address."""
    if word := picture.measures.get("tracker_word"):
        return Drop("picture_tracker", 1, 0, str(word))
    sides = [side for side in _sides(picture) if max(side) <= rules.max_tracker_side]
    return Drop("picture_tracker", max(sides[0]), rules.max_tracker_side) if sides else None


def check_decoration(picture: Picture, rules: WebPictureRules) -> Drop | None:
    """A logo, button or icon by its address, or one by the size it is shown at."""
    if word := picture.measures.get("decoration_word"):
        return Drop("picture_decoration", 1, 0, str(word))
    shown = _shown(picture)
    if shown and min(shown) < rules.min_shown_side:
        return Drop("picture_decoration", min(shown), rules.min_shown_side)
    return None


def check_web_picture(picture: Picture, rules: WebPictureRules) -> Drop | None:
    """The first rule that fires; a value exactly at its limit stays. A measure that was not taken cannot fire."""
    if not rules.enabled:
        return None
    return (
        check_tracker(picture, rules)
        or check_decoration(picture, rules)
        or SHAPE_AND_SHARPNESS.first_crossed(picture, rules)
    )


def _sides(picture: Picture) -> list[tuple[int, int]]:
    real = [(picture.width, picture.height)] if picture.width and picture.height else []
    shown = _shown(picture)
    return real + [shown] if shown else real


def _shown(picture: Picture) -> tuple[int, int] | None:
    if "shown_width" not in picture.measures:
        return None
    return int(picture.measures["shown_width"]), int(picture.measures["shown_height"])
