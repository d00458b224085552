"""The pictures that a page names: every address an element offers, and what the page says about the picture.

No pixel is looked at and no address is resolved: `sources` are the raw attribute values, a `srcset` whole
(transforms/web_urls.py parses them). Left out on purpose: pictures that only a style sheet or a script names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from transforms.page_formulas import tidy_formula
from transforms.page_names import MAX_NAME, picture_box
from transforms.page_text import clean_text, text_parts
from transforms.page_tree import PICTURES, Tree

_SOURCES = (
    "src", "srcset", "data-src", "data-srcset", "data-original", "data-original-set", "data-lazy-src",
    "data-lazy-srcset", "data-lazy", "data-lazyload", "data-hi-res-src", "data-full-src", "data-large-file",
    "data-orig-file", "data-img", "data-image", "data-url", "data-echo", "data-bg", "data-background",
    "data-background-image", "data-fallback-src", "href", "xlink:href", "data", "poster",
)  # fmt: skip
_LOOKS_LIKE_PICTURE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|svg)(?:$|[?#\s,])|^data:image/", re.IGNORECASE
)
_PIXELS = re.compile(r"\s*(\d{1,6})(?:\.\d*)?\s*(?:px)?\s*")
_STYLE_SIZE = re.compile(r"(?:^|;)\s*(width|height)\s*:\s*(\d{1,6})(?:\.\d*)?px", re.IGNORECASE)
# Not past another "background", else a style of nothing else takes the square of its length.
_BACKGROUND = re.compile(r"background(?:-image)?\s*:(?:(?!background)[^;])*?url\(\s*[\"']?([^\"')]+)", re.IGNORECASE)
_FORMULA_NAME = re.compile(
    r"(?:^|[\s_-])(?:math|tex|latex|mwe-math\S*|equation|katex|mathjax)(?:$|[\s_-])", re.IGNORECASE
)
_LATEX = re.compile(r"\\[a-zA-Z]{2,}|^\s*\$.+\$\s*$|\\displaystyle|[\^_]\{", re.DOTALL)
_MAX_SOURCES = 32
_MAX_STYLE = _MAX_VALUE = 4_000
"""Characters read of an inline style, an alt text or a link; a picture travels with them."""
_LABEL_NODES, _MAX_LABEL = 16, 500
"""Nodes and characters read of the text that a picture names as its label: all pictures of a page may name one."""
_ANCESTORS = 12
"""Elements above a picture in which its link is looked for; more lie between only where the link is not about it."""


class PagePicture(msgspec.Struct, frozen=True):
    """One picture at its place. `sources` are (attribute, raw value), the element's own first, then its <source>s,
    then noscript's."""

    element: str
    """img, picture, svg (drawn in the page: no source), object, embed, video (its poster), input, background."""
    sources: tuple[tuple[str, str], ...] = ()
    alt: str = ""
    title: str = ""
    caption: str = ""
    width: int = 0
    """Pixels as stated by attribute or inline style; 0 where not stated."""
    height: int = 0
    link: str = ""
    """Raw target of the <a> around it."""
    names: tuple[str, ...] = ()
    """Class and id words of the element and the two around it."""
    share: float = 0.0
    """Characters before it over those of the page: 0 at the top, 1 at the end."""
    removed: str = ""
    """Why its place is not content (transforms/page_boilerplate.py); empty where it is."""


def read_picture(tree: Tree, i: int, removed: str = "") -> PagePicture:
    """The picture that element i shows; what it may hold (<source>, <img>, noscript) is read as further addresses."""
    tag, end = tree.tags[i], tree.ends[i]
    main, sources = i, list(_sources(tree.values[i], tag))
    if tag in ("picture", "object", "video"):
        for n in range(i + 1, end):
            if tree.tags[n] in ("img", "source") and tag != "video":
                main = n if tree.tags[n] == "img" and main == i else main
                sources += _sources(tree.values[n], tree.tags[n])
    values = tree.values[main]
    width, height = stated_size(values)
    get = values.get
    return PagePicture(
        element=("input" if values.get("type") == "image" else "img") if tag == "image" else tag,
        sources=tuple(dict.fromkeys(sources)),
        alt=_clean(get("alt") or get("aria-label") or _labelled(tree, values) or _svg_title(tree, i)),
        title=_clean(get("title", "")),
        width=width,
        height=height,
        link=_link_around(tree, i),
        names=_names(tree, main),
        share=round(tree.characters[i] / (tree.characters[-1] or 1), 4),
        removed=removed,
    )


def pictures_between(tree: Tree, start: int, end: int) -> list[int]:
    """Nodes of `[start, end)` that show pictures; one inside another is its fallback and not listed."""
    found, n = list[int](), start
    while n < end:
        if tree.tags[n] in PICTURES:
            found.append(n)
            n = tree.ends[n]
        else:
            n += 1
    return found


def join_sources(picture: PagePicture, fallback: PagePicture) -> PagePicture:
    """The same picture with the addresses of its noscript fallback behind its own."""
    sources = tuple(dict.fromkeys(picture.sources + fallback.sources))
    return msgspec.structs.replace(picture, sources=sources, alt=picture.alt or fallback.alt)


def read_background(tree: Tree, i: int, removed: str = "") -> PagePicture | None:
    """The background of an element that shows nothing else and says that it is a picture; None for decoration."""
    values, end = tree.values[i], tree.ends[i]
    if tree.characters[end] > tree.characters[i] or tree.pictures[end] > tree.pictures[i]:
        return None
    found = [(name, values[name]) for name in values if name in ("data-bg", "data-background", "data-background-image")]
    found += [("style", url.strip()) for url in _BACKGROUND.findall(values.get("style", "")[:_MAX_STYLE])]
    if not found or not (
        values.get("role") == "img" or values.get("aria-label") or picture_box(values.get("class", "")[:MAX_NAME])
    ):
        return None
    picture = read_picture(tree, i, removed)
    return msgspec.structs.replace(picture, element="background", sources=tuple(dict.fromkeys(found)))


def formula_of(values: Mapping[str, str]) -> str:
    """The LaTeX in the alt text of a picture of a formula, without its dollars; "" for any other picture."""
    alt = values.get("alt", "")
    if not alt or not (_FORMULA_NAME.search(values.get("class", "")[:300]) or "latex" in values.get("src", "")[:500]):
        return alt.strip().strip("$") if re.match(r"\s*\$[^$]+\$\s*$", alt) else ""
    return tidy_formula(alt.strip().strip("$")) if _LATEX.search(alt[:_MAX_VALUE]) or len(alt) < 60 else ""


def stated_size(values: Mapping[str, str]) -> tuple[int, int]:
    """Width and height in pixels, 0 where not stated or stated in another unit; an inline style wins, as in
    browsers."""
    sizes = {}
    for name in ("width", "height"):
        if name in values and (found := _PIXELS.fullmatch(values[name][:20])):
            sizes[name] = int(found[1])
    for name, number in _STYLE_SIZE.findall(values.get("style", "")[:_MAX_STYLE]):
        sizes[name.lower()] = int(number)
    return sizes.get("width", 0), sizes.get("height", 0)


def is_fallback(picture: PagePicture, lazy: PagePicture) -> bool:
    """Whether a noscript's picture is what a script would put into the one before it."""
    if len(lazy.sources) >= _MAX_SOURCES:
        return False
    real = any(value.strip() and not value.startswith("data:") for _, value in lazy.sources)
    return not real or lazy.alt == picture.alt or not set(lazy.sources).isdisjoint(picture.sources)


def _sources(values: Mapping[str, str], tag: str) -> list[tuple[str, str]]:
    if tag == "svg":
        return []
    own = ("poster",) if tag == "video" else ("data",) if tag == "object" else None
    names = list(own or ()) or [name for name in _SOURCES if name in values and name not in ("poster", "data")]
    if own is None:
        names += [
            n
            for n in values
            if n.startswith("data-") and n not in _SOURCES and _LOOKS_LIKE_PICTURE.search(values[n][:2_000])
        ]
    return [(name, values[name]) for name in names if values.get(name, "").strip()]


def _labelled(tree: Tree, values: Mapping[str, str]) -> str:
    """The text of the element that aria-labelledby names."""
    named = tree.find_id(values["aria-labelledby"].strip()) if "aria-labelledby" in values else -1
    if named < 0:
        return ""
    parts = text_parts(tree, named, min(tree.ends[named], named + _LABEL_NODES), {})
    return clean_text(["".join([part[:_MAX_LABEL] for part in parts])[:_MAX_LABEL]])


def _svg_title(tree: Tree, i: int) -> str:
    if tree.tags[i] != "svg":
        return ""
    for n in range(i + 1, min(tree.ends[i], i + 20)):
        if tree.tags[n] == "title":
            return "".join(tree.texts.get(k, "") for k in range(n + 1, tree.ends[n]))
    return ""


def _link_around(tree: Tree, i: int) -> str:
    for _ in range(_ANCESTORS):
        i = tree.parents[i]
        if i < 0:
            break
        if tree.tags[i] == "a":
            return tree.values[i].get("href", "")[:_MAX_VALUE]
    return ""


def _names(tree: Tree, i: int) -> tuple[str, ...]:
    words: list[str] = []
    for _ in range(3):
        if i < 0 or tree.tags[i] == "body":
            break
        words += f"{tree.values[i].get('class', '')} {tree.values[i].get('id', '')}"[:300].split()
        i = tree.parents[i]
    return tuple(dict.fromkeys(words))[:32]


def _clean(text: str) -> str:
    return " ".join(text[:_MAX_VALUE].split())
