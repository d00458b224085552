"""Adverts on web pages by rules: independent signs, each on the ledger, and a score of their weights.

A sign alone is no proof: photographs are 300 x 250 as well, and articles end with pictures. Signs are measured in the
scan; the score is made of them when it is decided, so that another weight needs no second scan.
Lists in EasyList's format are the user's. They are matched by Brave's engine (adblock 0.6, Rust; its regular
expressions are linear): 21,000 addresses a second against 20,000 rules, where adblockparser 0.7 matched 53 (measured).
Left out on purpose: how an advert looks (classifiers/), element hiding rules, which need the page's style.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from configs.schema.web_rules import AdvertRules
from transforms.records import Drop, Measures, Picture

BANNER_SIZES = (
    (88, 31), (120, 60), (120, 90), (120, 240), (120, 600), (125, 125), (160, 600), (180, 150), (200, 200), (234, 60),
    (240, 400), (250, 250), (250, 360), (300, 50), (300, 100), (300, 250), (300, 600), (300, 1050), (320, 50),
    (320, 100), (336, 280), (468, 60), (580, 400), (728, 90), (930, 180), (970, 66), (970, 90), (970, 250), (980, 120),
)  # fmt: skip
"""Width and height in pixels: IAB's fixed sizes, old and new, and those that Google's ad server calls common. Without
320 x 480 and its turn, which are photographs as often."""
ADVERT_LABELS = frozenset({
    "ad", "ads", "advert", "advertisement", "advertisements", "advertising", "sponsored", "sponsored content",
    "promoted", "anzeige", "werbung", "publicité", "publicidad", "publicidade", "pubblicità", "реклама", "广告", "廣告",
    "推广", "広告", "光告", "광고"
})  # fmt: skip
"""What stands beside an advert by law or custom, in lower case."""
ADVERT_SIGNS = {
    "advert_list": "1 where a list of the user has the address of the picture or its link",
    "advert_name": "word of a class or id",
    "advert_label": "alt text or title that only labels adverts",
    "advert_url": "word of the address",
    "advert_banner": "weaker word of class, id or address",
    "advert_size": "standard banner that it is as large as",
    "advert_link": "host of another site behind a redirect that counts clicks",
    "place": "share of the document's characters before it",
}
_AD_HOSTS = frozenset({
    "2mdn.net", "adform.net", "adnxs.com", "adroll.com", "adsrvr.org", "anrdoezrs.net", "awin1.com", "clickbank.net",
    "clickserve.cc-dt.com", "criteo.com", "dpbolvw.net", "doubleclick.net", "googleadservices.com",
    "googlesyndication.com", "jdoqocy.com", "kqzyfj.com", "linksynergy.com", "mgid.com", "outbrain.com",
    "pntrac.com", "revcontent.com", "s.click.taobao.com", "shareasale.com", "skimresources.com", "taboola.com",
    "tkqlhce.com", "tradedoubler.com", "union-click.jd.com", "viglink.com", "webgains.com", "zanox.com", "zenaps.com",
})  # fmt: skip
"""Ad servers and affiliate networks that count clicks, as they stand in links."""
_COUNTED_PATH = re.compile(
    r"(?:^|[/_.-])(?:aclk|adclick|ad-?click|adredir|clickthru|clk|click|aff|affiliate|banner-?click|go2?|jump|out|"
    r"outbound|partner|redir|redirect|track(?:ing)?)(?:[/_.-]|$)",
    re.IGNORECASE,
)
_CARRIED = re.compile(r"=(?:https?(?::|%3a)|//|%2f%2f|www\.)", re.IGNORECASE)
_CAMPAIGN = re.compile(
    r"(?:^|&)(?:utm_medium=(?:affiliate|banner|cpc|cpm|display|ppc|paid)|gclid=|aff(?:iliate)?_?id=|tag=[\w-]+-2\d(?:&|$))",
    re.IGNORECASE,
)
_COUNTING_LABELS = frozenset({"ad", "ads", "adserver", "adclick", "adserv", "click", "clicks", "clk", "track"})
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[a-z]+")
_SIZE = re.compile(r"(?<![0-9])([0-9]{2,4})x([0-9]{2,4})(?![0-9])")
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "or", "org"})
_MAX_URL = 2_000


class Shown(NamedTuple):
    """What a page says of a picture. Addresses are absolute, or empty; sizes (width, height) in pixels."""

    url: str
    page: str
    link: str = ""
    names: Sequence[str] = ()
    """Class and id words of it and the two elements around it."""
    labels: Sequence[str] = ()
    """Alt text, title, and a caption that is no sentence."""
    sizes: Sequence[tuple[int, int]] = ()
    """Stated and real."""
    place: float = 0.0
    """Share of the document's characters before it, 0..1."""


class AdvertLists:
    """Rules on addresses in EasyList's format, ready to be asked; 20,000 are built in 0.05 s, once in a process."""

    def __init__(self, texts: Sequence[str]) -> None:
        """`texts` are whole lists; a line that is no rule on addresses is passed over, as in browsers."""
        import adblock

        rules = adblock.FilterSet()
        for text in texts:
            rules.add_filter_list(text)
        self._engine = adblock.Engine(rules)

    def has(self, url: str, page: str, kind: str = "image") -> bool:
        """Whether a browser on `page` would not fetch `url`; never for what is no http(s) address."""
        if not url.startswith(("http://", "https://")):
            return False
        return bool(self._engine.check_network_urls(url[:_MAX_URL], page[:_MAX_URL], kind).matched)


def measure_advert(shown: Shown, rules: AdvertRules, lists: AdvertLists | None = None) -> Measures:
    """The signs that a picture shows, by their names in ADVERT_SIGNS, and its `place`."""
    found: Measures = {"place": round(shown.place, 4)}
    if lists and (lists.has(shown.url, shown.page) or lists.has(shown.link, shown.page, "other")):
        found["advert_list"] = 1
    named, addressed = _words(shown.names), _address_words(shown.url)
    signs = {
        "advert_name": _first(named, rules.advert_words),
        "advert_label": next((text for text in map(_label, shown.labels) if text in ADVERT_LABELS), ""),
        "advert_url": _first(addressed, rules.advert_words),
        "advert_banner": _first(named + addressed, rules.banner_words),
        "advert_size": banner_size([*shown.sizes, *_sizes_in(shown.url)], rules.size_tolerance),
        "advert_link": counted_link(shown.link[:_MAX_URL], shown.page[:_MAX_URL]),
    }
    return found | {name: sign for name, sign in signs.items() if sign}


def advert_score(picture: Picture, rules: AdvertRules) -> tuple[float, list[str]]:
    """The weights of the signs on a picture added up, and the signs in words."""
    weights = {
        "advert_list": rules.list_weight,
        "advert_name": rules.name_weight,
        "advert_label": rules.label_weight,
        "advert_url": rules.url_weight,
        "advert_banner": rules.banner_weight,
        "advert_size": rules.size_weight,
        "advert_link": rules.link_weight,
    }
    signs = {name: picture.measures[name] for name in weights if name in picture.measures}
    score = sum(weights[name] for name in signs)
    told = [f"{name.removeprefix('advert_')} {sign}" for name, sign in signs.items()]
    place = picture.measures.get("place", 0.0)
    if isinstance(place, (int, float)) and place >= rules.end_share:
        return score + rules.end_weight, [*told, f"place {place}"]
    return score, told


def check_advert(picture: Picture, rules: AdvertRules) -> Drop | None:
    """Drop a picture whose signs reach `min_score`; the detail names them."""
    if not rules.enabled:
        return None
    score, signs = advert_score(picture, rules)
    if score < rules.min_score:
        return None
    return Drop("picture_advert", round(score, 4), rules.min_score, ", ".join(signs))


def banner_size(sizes: Sequence[tuple[int, int]], tolerance: int) -> str:
    """The standard banner that one of the sizes is, within `tolerance` pixels a side, as "300x250"; else ""."""
    for width, height in sizes:
        for wide, high in BANNER_SIZES:
            if abs(width - wide) <= tolerance and abs(height - high) <= tolerance:
                return f"{wide}x{high}"
    return ""


@lru_cache(maxsize=4096)
def counted_link(link: str, page: str) -> str:
    """The host behind which a link's clicks are counted: an ad server, an affiliate network, a campaign, a redirect
    that carries another address; "" for any other link. Campaigns of the page's own site do not count.
    """
    parts = _split(link)
    if not parts:
        return ""
    host, path, query = parts
    if _CARRIED.search(query) and _COUNTED_PATH.search(path):
        return host
    own = _split(page)
    if own and site_of(host) == site_of(own[0]):
        return ""
    known = any(host == one or host.endswith(f".{one}") for one in _AD_HOSTS)
    return host if known or _CAMPAIGN.search(query) or _counting_host(host) else ""


def _counting_host(host: str) -> bool:
    return host != site_of(host) and host.split(".")[0] in _COUNTING_LABELS


def site_of(host: str) -> str:
    """The registered part of a host, by its form: two labels, three under co.uk and its like."""
    labels = host.lower().rstrip(".").split(".")
    if labels[-1].isdigit():
        return host
    deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if deep else labels[-2:])


def _split(url: str) -> tuple[str, str, str] | None:
    """Host, path and query; None for what is no http(s) address."""
    if not url.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(url[:_MAX_URL])
        return parts.hostname or "", parts.path, parts.query
    except ValueError:  # brackets that are no IPv6 address
        return None


def _address_words(url: str) -> tuple[str, ...]:
    parts = _split(url)
    return _words((parts[0].split(".")[0], parts[1])) if parts else ()


def _words(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for text in texts for word in _WORD.findall(_CAMEL.sub("-", text).lower()))


def _first(words: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    return next((word for word in words if word in wanted), "")


def _label(text: str) -> str:
    return text[:40].strip(" \t\n[](){}:.·-—–*").casefold()


def _sizes_in(url: str) -> list[tuple[int, int]]:
    parts = _split(url)
    return [(int(wide), int(high)) for wide, high in _SIZE.findall(parts[1])] if parts else []
