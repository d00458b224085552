"""What is measured on a picture of a page beside its pixels: what the page says of it, and the signs of an advert.

Measured when the picture is opened, because its real size is one of the signs; lists in EasyList's format are read
once in a process.
Left out on purpose: the rules (transforms/web_pictures.py, adverts.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from configs.schema.web_rules import AdvertRules, CodeRules, WebPictureRules
from transforms.adverts import AdvertLists, Shown, measure_advert
from transforms.interleaved_documents import MAX_SIDE, pool_fields
from transforms.picture_decoding import Pixels
from transforms.qr_codes import measure_codes
from transforms.records import Measures, Picture, Sample
from transforms.web_pictures import measure_page_picture, measure_real_shape, measure_sharpness
from transforms.web_rows import read_text

LABELS = ("alt", "title", "caption", "alt_text")
"""Fields in which a page or a record labels a picture; the last is OBELICS'."""
SIZES = (("width", "height"), ("rendered_width", "rendered_height"))
"""Those in which it states a size; the second are OBELICS'."""


def measure_pixels(pixels: Pixels, codes: CodeRules) -> Measures:
    """Sharpness, and codes where they are looked for."""
    return {"sharpness": measure_sharpness(pixels)} | (measure_codes(pixels, codes) if codes.enabled else {})


@dataclass(frozen=True)
class PageSigns:
    """Measures of an opened picture that depend on the page it stands in."""

    picture: WebPictureRules
    adverts: AdvertRules

    def measure(self, picture: Picture, sample: Sample) -> Measures:
        said: dict[str, Any] = json.loads(picture.meta) if picture.meta else {}
        stated, real = stated_size(said), (picture.width, picture.height)
        link, names = said.get("link"), said.get("names")
        shown = Shown(
            picture.url,
            page_address(sample),
            link if isinstance(link, str) else "",
            [name for name in names if isinstance(name, str)] if isinstance(names, list) else (),
            [said[name] for name in LABELS if isinstance(said.get(name), str)],
            [size for size in (stated, real) if all(size)],
            float(picture.measures["place"]),
        )
        lists = load_lists(self.adverts.lists) if self.adverts.lists else None
        shape = measure_real_shape(*real) if all(real) else {}
        return (
            shape | measure_page_picture(picture.url, stated, self.picture) | measure_advert(shown, self.adverts, lists)
        )


def stated_size(said: dict[str, Any]) -> tuple[int, int]:
    """Width and height in pixels as a page or a record states them; 0 x 0 where it does not."""
    for pair in SIZES:
        width, height = (said.get(name) for name in pair)
        if type(width) is int and type(height) is int and 0 < min(width, height) <= max(width, height) <= MAX_SIDE:
            return width, height
    return 0, 0


def page_address(sample: Sample) -> str:
    """Where a page or document is from; empty where nobody says."""
    if sample.source_key.startswith(("http://", "https://")) or not sample.meta:
        return sample.source_key
    url = pool_fields(json.loads(sample.meta)).get("url")
    return url if isinstance(url, str) else ""


@cache
def load_lists(uris: tuple[str, ...]) -> AdvertLists:
    """The user's lists, once in a process. Raises OSError, UnicodeDecodeError."""
    return AdvertLists([read_text(uri) for uri in uris])
