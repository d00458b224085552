"""QR codes: which codes a picture holds, and how much of it they cover.

Found and decoded by zxing-cpp: QR codes of both models, Micro QR and rMQR. What cannot be decoded is not counted, so
that a pattern of squares is no code: on ../shared/data/web_images 16 of 16 are found and none on 9 pictures without.
A picture of nothing but the squares that codes begin with, which costs most, takes 0.8 s at 4 megapixels; noise 0.1 s.
Left out on purpose: bars and other matrices, which stand on goods and tickets and not at the end of articles.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from configs.schema.web_rules import CodeRules
from transforms.records import Drop, Measures, Picture

CODE_MEASURES = {
    "codes": "QR codes decoded in the picture",
    "code_share": "their area over the picture's",
    "code_text": "what the largest one says, 200 characters of it",
}
_MAX_TEXT = 200

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def measure_codes(pixels: Pixels, rules: CodeRules) -> Measures:
    """`codes`, and where there are any, `code_share` 0..1 (quadrilaterals added up, 1 at most) and `code_text`.

    `pixels` is (height, width, 3) RGB or (…, 4) RGBA; transparent pixels are composited on white, as a reader sees
    them. A picture of more than `max_pixels` is halved until it fits.
    """
    grey = _searched(pixels, rules.max_pixels)
    found = _read(grey) or _read(grey, plainly=True)
    if not found:
        return {"codes": 0}
    found.sort(key=lambda one: -one[0])
    share = min(1.0, sum(area for area, _ in found) / grey.size)
    # Through UTF-8: a code may say any bytes, a record's text is valid.
    text = found[0][1][:_MAX_TEXT].encode("utf-8", "replace").decode()
    return {"codes": len(found), "code_share": round(share, 4), "code_text": text}


def check_codes(picture: Picture, rules: CodeRules) -> Drop | None:
    """Drop a picture of which codes cover `drop_share` or more. A picture that was not searched is not judged."""
    share = picture.measures.get("code_share", 0.0)
    if not rules.enabled or not isinstance(share, (int, float)) or share < rules.drop_share:
        return None
    return Drop("picture_code", share, rules.drop_share, str(picture.measures.get("code_text", "")))


@cache
def _formats() -> Any:
    import zxingcpp

    kinds = zxingcpp.BarcodeFormat
    return [kinds.QRCode, kinds.MicroQRCode, kinds.RMQRCode]


def _read(grey: Pixels, plainly: bool = False) -> list[tuple[float, str]]:
    """Area in pixels and text of each code.

    `plainly`: black is what is darker than half. A cheap second look, which finds some of the codes that letters touch.
    """
    import zxingcpp

    kind = zxingcpp.Binarizer.FixedThreshold if plainly else zxingcpp.Binarizer.LocalAverage
    codes = zxingcpp.read_barcodes(grey, formats=_formats(), binarizer=kind)
    return [(_area(code.position), str(code.text)) for code in codes if code.valid]


def _searched(pixels: Pixels, limit: int) -> Pixels:
    picture = Image.fromarray(pixels)
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    factor = 1
    while picture.width * picture.height > limit * factor * factor:
        factor *= 2
    grey = picture.convert("L")
    return np.asarray(grey.reduce(factor) if factor > 1 else grey)


def _area(position: Any) -> float:
    """Of the quadrilateral, in pixels, by the shoelace formula."""
    corners = [position.top_left, position.top_right, position.bottom_right, position.bottom_left]
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return float(abs(sum(a.x * b.y - b.x * a.y for a, b in pairs))) / 2
