"""Web archives as rows: a page as pieces in reading order, its pictures as references, and what an archive indexes.

A picture of a page is a recipe of its addresses until the whole pool was asked which capture they mean
(transforms/web_resources.py); one inside its page (`data:`) is a recipe over the page's span. What the page says of it
is its `meta`; pictures that stand outside the content have the reason as the measure `removed`.
Left out on purpose: any rule (transforms/web_documents.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from configs.schema.web import WebConfig
from configs.schema.web_reading import WebReadRules
from transforms.data_uris import data_uri_recipe, is_data_uri
from transforms.page_charset import PageText, decode_page
from transforms.page_content import Page, read_page
from transforms.page_pictures import PagePicture
from transforms.picture_sources import LAZY, absolute_addresses, largest_first, parse_srcset
from transforms.raw_sample import clean_key
from transforms.reading import fetched_unit, is_of_file, unreadable
from transforms.records import Failure, Measures, Picture, Recipe, Sample, Text, Unit
from transforms.storage import storage_for
from transforms.warc_reader import Capture, Ignored, Redirect, Refused, Resource, read_warc
from transforms.warc_reader import Page as Captured
from transforms.web_resources import picture_reference
from transforms.web_texts import SafetyWords, document_text, measure_text
from transforms.web_urls import base_of, resolve_url

SAID = ("element", "alt", "title", "caption", "width", "height", "names")
"""What of a picture its page says, as fields of its `meta`; beside them `link`, absolute where it can be made so."""
_SETS = ("srcset", "original-set")
"""How attributes end that hold a list of addresses."""


def read_archive(unit: Unit, rules: WebReadRules, staging: str) -> Iterator[Capture]:
    """A capture for each record of a unit wherever its file lies. An OSError of the file ends them with one Refused."""
    position = 0
    try:
        with fetched_unit(unit, staging) as path:
            for capture in read_warc(path, unit.uri, rules):
                yield capture
                position = capture.position + 1
    except OSError as error:
        if not is_of_file(error):
            raise
        yield Refused(position, "", unreadable(unit, error))


def count_pages(unit: Unit, rules: WebReadRules, staging: str, most: int) -> int:
    """Rows that a unit gives, `most` at most."""
    rows = 0
    for capture in read_archive(unit, rules, staging):
        rows += isinstance(capture, Captured | Refused)
        if rows == most:
            break
    return rows


def name_capture(capture: Capture) -> str:
    """What a record is counted as."""
    if isinstance(capture, Ignored):
        return f"ignored: {capture.reason}"
    return {Captured: "pages", Resource: "pictures", Redirect: "redirects", Refused: "refused"}[type(capture)]


def row_of(capture: Captured | Refused, position: int, unit: Unit, cfg: WebConfig) -> Sample:
    """The row of a page, or of a record that could not be read; `position` counts a unit's rows."""
    key, url = clean_key(capture.url), capture.url
    row = Sample(key, unit.uri, unit.part, position, source_key=url)
    if isinstance(capture, Refused):
        return msgspec.structs.replace(row, failure=capture.failure)
    text = decode_page(capture.body, capture.charset)
    page = read_page(text.text, url, cfg.page)
    if len(page.pieces) > cfg.read.max_page_pieces:
        message = f"expected at most {cfg.read.max_page_pieces} texts and pictures, found {len(page.pieces)}"
        place = f"{unit.uri}@{capture.span.start}-{capture.span.end}"
        return msgspec.structs.replace(row, failure=Failure("PageTooManyPieces", message, place))
    pieces = tuple(piece if isinstance(piece, Text) else picture_of(piece, page, capture, cfg) for piece in page.pieces)
    row = msgspec.structs.replace(row, pieces=pieces, meta=format_meta(page, text, capture))
    return msgspec.structs.replace(row, measures=measure_page(page, text) | _measure_words(row, cfg))


def picture_of(picture: PagePicture, page: Page, captured: Captured, cfg: WebConfig) -> Picture:
    """A picture at its place in a page, by reference."""
    limits = (cfg.read.max_picture_addresses, cfg.read.max_url_characters)
    stated = stated_addresses(picture)
    base = base_of(captured.url, page.metadata.base)
    addresses = absolute_addresses(stated, base, limits)
    source: Recipe = picture_reference(addresses, captured.date)
    if not addresses and (inline := next(filter(is_data_uri, stated), "")):
        source = data_uri_recipe(inline, captured.span)
    measures: Measures = {"place": picture.share} | ({"removed": picture.removed} if picture.removed else {})
    said = {name: getattr(picture, name) for name in SAID} | {"link": resolve_url(picture.link, base) or picture.link}
    meta = str(msgspec.json.encode({name: value for name, value in said.items() if value}), "utf-8")
    return Picture(source, measures=measures, url=addresses[0] if addresses else "", meta=meta)


def stated_addresses(picture: PagePicture) -> list[str]:
    """A picture's addresses as its page states them, best first: the largest of each set, then what a lazy loader
    would fetch, other attributes, and last `src`, which is a placeholder where there is any other."""
    sets = [value for name, value in picture.sources if name.endswith(_SETS)]
    plain = [(_preference(name), value) for name, value in picture.sources if not name.endswith(_SETS)]
    found = [address for value in sets for address in largest_first(parse_srcset(value))]
    return found + [value for _, value in sorted(plain, key=lambda one: one[0])]


def _preference(attribute: str) -> int:
    return 0 if attribute in LAZY else 2 if attribute == "src" else 1


def measure_page(page: Page, text: PageText) -> Measures:
    """Of the content: texts and pictures; of the page: all characters and pictures."""
    named = [piece for piece in page.pieces if isinstance(piece, PagePicture)]
    return {
        "texts": len(page.pieces) - len(named),
        "pictures": sum(1 for picture in named if not picture.removed),
        "page_pictures": len(named),
        "page_characters": page.characters,
        "replaced_characters": text.replaced,
        "unread_characters": page.cut,
    }


def _measure_words(row: Sample, cfg: WebConfig) -> Measures:
    text = document_text(row)
    measures = measure_text(text, cfg.text)
    if cfg.safety.words:
        measures |= load_safety_words(cfg.safety.words).measure(text[: cfg.text.max_characters])
    return measures


@cache
def load_safety_words(uri: str) -> SafetyWords:
    """The user's list, once in a process. Raises OSError, UnicodeDecodeError."""
    return SafetyWords(read_text(uri).splitlines())


def read_text(uri: str) -> str:
    with storage_for(uri).open(uri) as file:
        return str(file.read(), "utf-8")


def format_meta(page: Page, text: PageText, captured: Captured) -> str:
    """What goes out as the document's own fields: where it comes from and what it says of itself."""
    said = msgspec.structs.asdict(page.metadata) | {
        "url": captured.url,
        "date": captured.date,
        "charset": text.charset,
        "truncated": captured.truncated,
        "removed": {one.reason: one.characters for one in page.removed},
    }
    found = {name: value for name, value in sorted(said.items()) if value and name != "base"}
    return str(msgspec.json.encode(found), "utf-8")
