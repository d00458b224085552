"""Web archives and saved pages as rows: a page as pieces in reading order, its pictures as references.

A picture of a page is a recipe of its addresses until the whole pool was asked which capture they mean
(transforms/web_resources.py); one inside its page (`data:`) is a recipe over the page's span. What the page says of it
is its `meta`; pictures that stand outside the content have the reason as the measure `removed`. A picture of a saved
page is the file beside it, where there is one.
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
from transforms.page_folder import find_saved_picture, read_saved_pages, saved_root
from transforms.page_pictures import PagePicture
from transforms.picture_sources import LAZY, absolute_addresses, largest_first, parse_srcset
from transforms.raw_sample import clean_key, place_of
from transforms.reading import fetched_unit, unreadable
from transforms.records import Failure, Measures, Picture, Recipe, Sample, Span, Text, Unit
from transforms.storage import is_of_file, storage_for
from transforms.warc_reader import Capture, Ignored, Redirect, Refused, Resource, read_warc
from transforms.warc_reader import Page as Captured
from transforms.web_resources import picture_reference
from transforms.web_texts import SafetyWords, document_text, measure_text
from transforms.web_urls import base_of, resolve_url

SAID = ("element", "alt", "title", "caption", "width", "height", "names")
"""What of a picture its page says, as fields of its `meta`; beside them `link`, absolute where it can be made so."""
_SETS = ("srcset", "original-set")
"""How attributes end that hold a list of addresses."""


def read_captures(unit: Unit, rules: WebReadRules, staging: str) -> Iterator[Capture]:
    """A capture for each record of an archive or page of a folder, wherever it lies."""
    return read_saved_pages(unit, rules) if unit.kind == "pages" else read_archive(unit, rules, staging)


def read_archive(unit: Unit, rules: WebReadRules, staging: str) -> Iterator[Capture]:
    """A capture for each record of a unit. An OSError of the file ends them with one Refused."""
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
    for capture in read_captures(unit, rules, staging):
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
    if failure := check_pieces(len(page.pieces), place_of(capture.span), cfg.read):
        return msgspec.structs.replace(row, failure=failure)
    pieces = tuple(piece if isinstance(piece, Text) else picture_of(piece, page, capture, cfg) for piece in page.pieces)
    row = msgspec.structs.replace(row, pieces=pieces, meta=format_meta(page, text, capture))
    return msgspec.structs.replace(row, measures=measure_page(page, text) | measure_words(row, cfg))


def check_pieces(found: int, place: str, rules: WebReadRules) -> Failure | None:
    """The failure of a document of too many texts and pictures."""
    if found <= rules.max_page_pieces:
        return None
    message = f"expected at most {rules.max_page_pieces} texts and pictures, found {found}"
    return Failure("PageTooManyPieces", message, place)


def picture_of(picture: PagePicture, page: Page, captured: Captured, cfg: WebConfig) -> Picture:
    """A picture at its place in a page, by reference."""
    limits = (cfg.read.max_picture_addresses, cfg.read.max_url_characters)
    stated = stated_addresses(picture)
    base = base_of(address_of(captured), page.metadata.base)
    addresses = absolute_addresses(stated, base, limits)
    source: Recipe = picture_reference(addresses, captured.date)
    if not addresses and (inline := next(filter(is_data_uri, stated), "")):
        source = data_uri_recipe(inline, captured.span)
    measures: Measures = {"place": picture.share} | ({"removed": picture.removed} if picture.removed else {})
    said = {name: getattr(picture, name) for name in SAID} | {"link": resolve_url(picture.link, base) or picture.link}
    meta = str(msgspec.json.encode({name: value for name, value in said.items() if value}), "utf-8")
    made = Picture(source, measures=measures, url=addresses[0] if addresses else "", meta=meta)
    return with_file(made, stated, captured.span, cfg.read) if captured.span.container == "file" else made


def address_of(captured: Captured) -> str:
    """Where a page is from; empty for a saved one that does not say."""
    is_file = captured.span.container == "file" and captured.url == captured.span.member
    return "" if is_file else captured.url


def with_file(picture: Picture, stated: list[str], page: Span, rules: WebReadRules) -> Picture:
    """A picture of a saved page with the file that one of its stated addresses means, where there is one.

    Without one it is asked for among the archives of the run, if it has an address of the web.
    """
    found = find_saved_picture(stated, page.uri, saved_root(page))
    if isinstance(found, Span):
        limits = (1, rules.max_url_characters)
        url = next(iter(absolute_addresses(stated, "", limits)), found.member)
        return bounded(msgspec.structs.replace(picture, source=found, url=url), found.end, rules)
    if found is None or picture.url:
        return picture
    outside = {"outside_folder": found.detail} if found.rule == "picture_outside_folder" else {}
    source = picture_reference([found.detail[: rules.max_url_characters]])
    return msgspec.structs.replace(picture, source=source, measures=picture.measures | outside)


def bounded(picture: Picture, size: int, rules: WebReadRules) -> Picture:
    """A picture of `size` bytes, failed where that alone says that it must not be read."""
    if size <= rules.max_picture_bytes or not isinstance(picture.source, Span):
        return picture
    message = f"expected a picture of at most {rules.max_picture_bytes} bytes, found {size}"
    failure = Failure("PictureTooLarge", message, place_of(picture.source))
    return msgspec.structs.replace(picture, failure=failure)


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


def measure_words(row: Sample, cfg: WebConfig) -> Measures:
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
        "file": captured.span.member if captured.span.container == "file" else "",
        "url": address_of(captured),
        "date": captured.date,
        "charset": text.charset,
        "truncated": captured.truncated,
        "removed": {one.reason: one.characters for one in page.removed},
    }
    found = {name: value for name, value in sorted(said.items()) if value and name != "base"}
    return str(msgspec.json.encode(found), "utf-8")
