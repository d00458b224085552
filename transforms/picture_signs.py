"""What is measured on a picture of a page beside its pixels: what the page says of it, and the signs of an advert.

Measured when the picture is opened, because its real size is one of the signs; lists in EasyList's format are read
once in a process.
Left out on purpose: the rules (transforms/web_pictures.py, adverts.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from configs.schema.web_rules import AdvertRules, CodeRules, WebPictureRules
from transforms.adverts import AdvertLists, Shown, measure_advert
from transforms.picture_decoding import Pixels
from transforms.qr_codes import measure_codes
from transforms.records import Measures, Picture, Sample
from transforms.web_pictures import measure_page_picture, measure_real_shape, measure_sharpness
from transforms.web_rows import read_text


def measure_pixels(pixels: Pixels, codes: CodeRules) -> Measures:
    """Sharpness, and codes where they are looked for."""
    return {"sharpness": measure_sharpness(pixels)} | (measure_codes(pixels, codes) if codes.enabled else {})


@dataclass(frozen=True)
class PageSigns:
    """Measures of an opened picture that depend on the page it stands in."""

    picture: WebPictureRules
    adverts: AdvertRules

    def measure(self, picture: Picture, sample: Sample) -> Measures:
        said: dict[str, Any] = msgspec.json.decode(picture.meta)
        stated, real = (said.get("width", 0), said.get("height", 0)), (picture.width, picture.height)
        shown = Shown(
            picture.url,
            sample.source_key,
            said.get("link", ""),
            said.get("names", ()),
            [said[name] for name in ("alt", "title", "caption") if name in said],
            [size for size in (stated, real) if all(size)],
            float(picture.measures["place"]),
        )
        lists = load_lists(self.adverts.lists) if self.adverts.lists else None
        shape = measure_real_shape(*real) if all(real) else {}
        return (
            shape | measure_page_picture(picture.url, stated, self.picture) | measure_advert(shown, self.adverts, lists)
        )


@cache
def load_lists(uris: tuple[str, ...]) -> AdvertLists:
    """The user's lists, once in a process. Raises OSError, UnicodeDecodeError."""
    return AdvertLists([read_text(uri) for uri in uris])
