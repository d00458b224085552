"""What a page says of itself outside its text: title, language, canonical address, description, picture, date.

Raw strings as written; nothing is resolved or parsed as a date here.
"""

from __future__ import annotations

import re

import msgspec

from transforms.page_text import clean_text, text_parts
from transforms.page_tree import Tree

_PUBLISHED = (
    "article:published_time", "datepublished", "date", "dc.date", "dcterms.created", "dc.date.issued",
    "pubdate", "publishdate", "citation_publication_date", "sailthru.date",
)  # fmt: skip
_DESCRIPTION = ("description", "og:description", "twitter:description", "dc.description")
_IMAGE = ("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src")
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{4,40})"')
_MAX_VALUE = 10_000


class PageMetadata(msgspec.Struct, frozen=True):
    title: str = ""
    language: str = ""
    """The lang attribute of <html> or <body>, else Content-Language."""
    canonical: str = ""
    description: str = ""
    image: str = ""
    published: str = ""
    base: str = ""
    """`<base href>` as written: what the page's addresses are relative to, where it has one."""


def read_metadata(tree: Tree) -> PageMetadata:
    nodes: dict[str, list[int]] = {name: [] for name in _READ}
    for i, tag in enumerate(tree.tags):
        if tag in nodes:
            nodes[tag].append(i)
    metas = _metas(tree, nodes["meta"])
    links = (tree.values[i] for i in nodes["link"])
    canonical = (link.get("href", "") for link in links if link.get("rel", "").lower() == "canonical")
    speaking = (tree.values[i] for i in nodes["html"] + nodes["body"])
    languages = [values.get("lang") or values.get("xml:lang") or "" for values in speaking]
    return PageMetadata(
        _title(tree, nodes["title"]) or _first(metas, ("og:title", "twitter:title")),
        next(filter(None, languages), metas.get("content-language", ""))[:35].strip(),
        (next(canonical, "") or metas.get("og:url", ""))[:_MAX_VALUE].strip(),
        _first(metas, _DESCRIPTION),
        _first(metas, _IMAGE),
        _first(metas, _PUBLISHED) or _dated(tree, nodes["time"], nodes["script"]),
        next(filter(None, (tree.values[i].get("href", "") for i in nodes["base"])), "")[:_MAX_VALUE].strip(),
    )


def _metas(tree: Tree, nodes: list[int]) -> dict[str, str]:
    metas: dict[str, str] = {}
    for i in nodes:
        get = tree.values[i].get
        name = get("property") or get("name") or get("itemprop") or get("http-equiv") or ""
        metas.setdefault(name.lower(), get("content", ""))
    return metas


def _title(tree: Tree, nodes: list[int]) -> str:
    """Of the first <title> that is not a drawing's."""
    for i in nodes:
        if tree.tags[tree.parents[i]] in ("head", "body", "html"):
            return clean_text(text_parts(tree, i + 1, tree.ends[i], {}) or [""])[:_MAX_VALUE]
    return ""


def _dated(tree: Tree, times: list[int], scripts: list[int]) -> str:
    for i in times:
        values = tree.values[i]
        if "pubdate" in values or "published" in values.get("itemprop", "").lower():
            return values.get("datetime", "")[:_MAX_VALUE]
    for i in scripts:
        if tree.values[i].get("type") == "application/ld+json":
            found = _JSON_DATE.search("".join(tree.texts.get(n, "") for n in range(i + 1, tree.ends[i])))
            if found:
                return found[1]
    return ""


_READ = ("base", "meta", "title", "html", "body", "link", "time", "script")


def _first(metas: dict[str, str], names: tuple[str, ...]) -> str:
    return next((clean_text([metas[name][:_MAX_VALUE]]) for name in names if metas.get(name, "").strip()), "")
