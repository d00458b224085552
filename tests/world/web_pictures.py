"""Pictures of the toy web: sound ones, and those that a rule should find, each with the rules that truly hold of it.

`faults` are all rules that hold, whatever comes first: a banner of 728 x 90 is an advert, too small and too wide.
Left out on purpose: which page shows them (web_pages.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from random import Random

from PIL import Image, ImageFilter

from tests.world.chance import noise_of
from tests.world.charts import compose_chart
from tests.world.composition import Composition
from tests.world.diagrams import compose_illustration, compose_map
from tests.world.files import as_gif, as_jpeg, as_png
from tests.world.page_pictures import (
    compose_banner,
    compose_decoration,
    compose_icons,
    compose_logo,
    compose_plain_code,
    compose_torn_code,
)
from tests.world.scenes import paint_scene
from tests.world.screens import compose_code
from tests.world.signs import compose_advert
from tests.world.views import compose_view

ADVERT_LIST = "[Adblock Plus 2.0]\n||adnet.example^\n/sponsored-content/*$image\n"
"""What the toy world's user gives as a list in EasyList's format."""
SIDES = (224, 352)
RATIOS = (1.0, 1.25, 1.33, 1.5, 0.75)
BANNERS = ((300, 250), (336, 280), (250, 250), (300, 600), (728, 90), (160, 600))


@dataclass(frozen=True)
class WebPicture:
    """`data` is empty for a picture that no archive holds; `shown` is the stated size, (0, 0) for none. `redirect` is
    what an archive holds instead of it, `outside` the element it stands in outside the article."""

    url: str
    data: bytes
    kind: str
    faults: frozenset[str] = frozenset()
    alt: str = ""
    names: str = ""
    link: str = ""
    shown: tuple[int, int] = (0, 0)
    caption: str = ""
    redirect: str = ""
    outside: str = ""


def _paint(composition: Composition, random: Random, size: tuple[int, int]) -> Image.Image:
    return paint_scene(composition, "", size=size, rng=noise_of(random.getrandbits(64))).picture


def _size(random: Random) -> tuple[int, int]:
    short, ratio = random.randint(*SIDES), random.choice(RATIOS)
    return (round(short * ratio), short) if ratio >= 1 else (short, round(short / ratio))


SOUND: dict[str, Callable[[Random], Composition]] = {
    "view": compose_view,
    "chart": compose_chart,
    "map": compose_map,
    "illustration": compose_illustration,
}


def make_sound(random: Random, host: str, kind: str = "") -> WebPicture:
    """A picture of an article; some of them resemble an advert in one way."""
    kind = kind or random.choice(("view", "view", "chart", "map", "illustration"))
    composition = SOUND[kind](random)
    like = random.choice(("", "", "size", "link", "name"))
    size = (300, 250) if like == "size" else _size(random)
    name = random.choice(("adriatic-coast", "loading-dock", "silicon-valley", "header-image", "figure"))
    return WebPicture(
        url=f"https://{host}/photos/{name}-{random.randrange(10**8):08d}.jpg",
        # Sharpened, as cameras do: a drawn sky over a drawn beach has hardly an edge.
        data=as_jpeg(_paint(composition, random, size).filter(ImageFilter.SHARPEN), 90),
        kind=kind,
        alt=composition.captions[0],
        names="wp-image add-shadow" if like == "name" else "",
        link="https://museum.example/collection/7" if like == "link" else "",
        shown=size if random.random() < 0.5 else (0, 0),
        caption=composition.captions[0],
    )


def make_advert(random: Random, host: str) -> WebPicture:
    """An advert with two independent signs, or one that suffices."""
    size = random.choice(BANNERS)
    data = as_jpeg(_paint(random.choice((compose_banner, compose_advert))(random), random, size), 85)
    number = random.randrange(10**8)
    faults = {"picture_advert"} | ({"picture_too_small"} if min(size) < 150 else set())
    faults |= {"picture_too_wide"} if size[0] > 2 * size[1] else set()
    faults |= {"picture_too_narrow"} if size[1] > 2 * size[0] else set()
    plain = WebPicture(f"https://{host}/media/{number}.jpg", data, "advert", frozenset(faults), "Special offer")
    return random.choice(
        (
            replace(plain, url=f"https://cdn.adnet.example/c/{number}.jpg"),
            replace(plain, names="ad-slot rectangle", shown=size),
            replace(plain, alt="Advertisement", link="https://shop.example/deal"),
            replace(plain, link=f"https://track.shop.example/c/{number}", shown=size),
            replace(plain, url=f"https://{host}/ads/{number}.jpg", link="https://awin1.com/cread.php?id=4"),
            replace(plain, url=f"https://{host}/banner/{number}.jpg", shown=size),
        )
    )


def make_code(random: Random, host: str) -> WebPicture:
    """A QR code on its own, or on a poster."""
    compose = random.choice((compose_plain_code, compose_plain_code, compose_code))
    side = random.randint(240, 360)
    data = as_png(_paint(compose(random), random, (side, side)))
    url = f"https://{host}/uploads/qr-{random.randrange(10**8)}.png"
    return WebPicture(url, data, "code", frozenset({"picture_code"}), "Scan with your phone")


def make_decoration(random: Random, host: str) -> WebPicture:
    """A logo or icon, named or shown as one."""
    side = random.choice((16, 24, 32, 200, 256))
    data = as_png(_paint(compose_decoration(random), random, (side, side)))
    word = random.choice(("logo", "icon-mail", "ButtonNext", "widgets/like", "plugins/share"))
    small = {"picture_too_small"} if side < 150 else set()
    named = WebPicture(f"https://{host}/img/{word}.png", data, "decoration", frozenset({"picture_decoration", *small}))
    if random.random() < 0.3:
        return replace(named, url=f"https://{host}/img/{random.randrange(10**6)}.png", shown=(24, 24))
    return named


def make_tracker(random: Random, host: str) -> WebPicture:
    dot = as_gif([Image.new("RGB", (1, 1), "white")])
    url = random.choice((f"https://stat.example/pixel?p={random.randrange(10**6)}", f"https://{host}/t/1x1.gif"))
    faults = frozenset({"picture_tracker", "picture_too_small", "picture_blurred"})
    found = WebPicture(url, dot, "tracker", faults)
    if random.random() < 0.5:
        return found
    return replace(found, shown=(1, 1), faults=faults | {"picture_decoration"})


def make_small(random: Random, host: str) -> WebPicture:
    side = random.randint(70, 140)
    return _shaped(random, host, (side, side), "picture_too_small")


def make_narrow(random: Random, host: str) -> WebPicture:
    return _shaped(random, host, (170, random.randint(360, 480)), "picture_too_narrow")


def make_wide(random: Random, host: str) -> WebPicture:
    return _shaped(random, host, (random.randint(400, 560), 180), "picture_too_wide")


def _shaped(random: Random, host: str, size: tuple[int, int], fault: str) -> WebPicture:
    data = as_jpeg(_paint(compose_chart(random), random, size), 88)
    url = f"https://{host}/photos/{random.randrange(10**8)}.jpg"
    return WebPicture(url, data, fault.removeprefix("picture_"), frozenset({fault}))


def make_blurred(random: Random, host: str) -> WebPicture:
    soft = _paint(compose_view(random), random, _size(random)).filter(ImageFilter.GaussianBlur(4))
    url = f"https://{host}/photos/{random.randrange(10**8)}.jpg"
    return WebPicture(url, as_jpeg(soft, 88), "blurred", frozenset({"picture_blurred"}))


def make_plain_advert(random: Random, host: str) -> WebPicture:
    """An advert that nothing but its looks tells."""
    return _unmarked(random, host, random.choice((compose_banner, compose_advert)), "advertisement")


def make_plain_decoration(random: Random, host: str) -> WebPicture:
    """A large logo or row of icons that no name tells; a pattern or a line would be blurred by its sharpness."""
    return _unmarked(random, host, random.choice((compose_logo, compose_icons)), "decoration")


def make_torn_code(random: Random, host: str) -> WebPicture:
    return _unmarked(random, host, compose_torn_code, "qr_code")


def _unmarked(random: Random, host: str, compose: Callable[[Random], Composition], name: str) -> WebPicture:
    """As sound ones are named, sized and sharpened; only a classifier tells them from those."""
    side = random.randint(*SIDES)
    data = as_jpeg(_paint(compose(random), random, (round(side * 1.2), side)).filter(ImageFilter.SHARPEN), 90)
    url = f"https://{host}/photos/figure-{random.randrange(10**8):08d}.jpg"
    return WebPicture(url, data, f"unmarked_{name}", frozenset({f"picture_class_{name}"}), "In this picture")


def make_repeated(random: Random, original: WebPicture) -> WebPicture:
    """The same picture again, a little smaller and compressed anew; too_small where it comes to that."""
    picture = Image.open(BytesIO(original.data)).convert("RGB")
    smaller = picture.resize((round(picture.width * 0.8), round(picture.height * 0.8)), Image.Resampling.LANCZOS)
    url = original.url.replace(".jpg", "-small.jpg")
    return replace(
        original, url=url, data=as_jpeg(smaller, 88), kind="repeated", faults=frozenset({"picture_repeated"}),
        shown=(0, 0), names="", link="",
    )  # fmt: skip
